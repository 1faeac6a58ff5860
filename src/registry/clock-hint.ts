import { headerOf, type RegistryRequest, type RegistryResponse } from './send.js'
import type { Token } from './token.js'

/** By how much clocks may differ before tokens are taken for expired, or for not valid yet. */
const TOLERANCE_MS = 60_000

/**
 * A hint when a token that was just made is refused, and the clocks of those concerned differ by more than a minute
 * (rule R96). Clocks are told by the Date of their answers.
 */
export function clockHint(
  response: RegistryResponse,
  token: Token | undefined,
  { endpoint }: RegistryRequest,
  now: number,
): string | undefined {
  if (token === undefined) return undefined
  const registryAhead = clockAhead(response, now)
  const { aheadMs: serverAhead, host } = token.server
  if (registryAhead !== undefined && serverAhead !== undefined) {
    const apart = Math.abs(registryAhead - serverAhead)
    if (apart > TOLERANCE_MS) {
      return `The clocks of ${endpoint.registry} and of its token server ${host} are ${minutes(apart)} apart: set them right`
    }
  }
  if (registryAhead === undefined || Math.abs(registryAhead) <= TOLERANCE_MS) return undefined
  const side = registryAhead > 0 ? 'behind' : 'ahead of'
  return `The clock of this machine is ${minutes(Math.abs(registryAhead))} ${side} that of ${endpoint.registry}: set it right`
}

/** By how many milliseconds the clock of whoever answered is ahead of ours; undefined when the answer has no date. */
export function clockAhead(response: RegistryResponse, now: number): number | undefined {
  const date = Date.parse(headerOf(response, 'date') ?? '')
  return Number.isNaN(date) ? undefined : date - now
}

function minutes(milliseconds: number): string {
  const count = Math.round(milliseconds / 60_000)
  return count === 1 ? '1 minute' : `${count} minutes`
}
