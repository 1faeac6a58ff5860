import { Flags } from '@oclif/core'
import { RegctlError } from '../index.js'
import { Htpasswd } from '../server/htpasswd.js'

/** The flags of `serve` that say who may do what. */
export const serveAccessFlags = {
  htpasswd: Flags.string({
    helpValue: 'FILE',
    description: 'Ask for a user name and password (bcrypt entries)',
    helpGroup: 'ACCESS',
  }),
  'token-auth': Flags.boolean({
    description: 'Ask for tokens, and give them out at /token to the users of --htpasswd',
    helpGroup: 'ACCESS',
  }),
  'token-lifetime': Flags.integer({
    min: 1,
    max: 86_400,
    helpValue: 'SECONDS',
    description: 'How long a token lasts [default: 300]',
    helpGroup: 'ACCESS',
    dependsOn: ['token-auth'],
  }),
  anonymous: Flags.option({
    options: ['pull'] as const,
    description: 'What those may do who give no name',
    helpGroup: 'ACCESS',
    dependsOn: ['token-auth'],
  })(),
}

interface ServeAccessFlags {
  htpasswd?: string | undefined
  'token-auth'?: boolean | undefined
  'token-lifetime'?: number | undefined
  anonymous?: 'pull' | undefined
}

/**
 * What the flags of {@link serveAccessFlags} come to, for the server's options.
 *
 * @throws RegctlError `no-users` when nobody could ever get a token
 */
export async function openServeAccess(flags: ServeAccessFlags): Promise<{
  htpasswd?: Htpasswd
  tokens?: { lifetimeSeconds: number | undefined; anonymous: 'pull' | undefined }
}> {
  const { htpasswd, anonymous, 'token-auth': isTokenAuth, 'token-lifetime': lifetimeSeconds } = flags
  if (isTokenAuth === true && htpasswd === undefined && anonymous === undefined) {
    throw new RegctlError('nobody can get a token', {
      kind: 'usage',
      code: 'no-users',
      hint: 'Add --htpasswd FILE for users, or --anonymous pull to let everybody pull',
    })
  }
  return {
    ...(htpasswd !== undefined && { htpasswd: await Htpasswd.load(htpasswd) }),
    ...(isTokenAuth === true && { tokens: { lifetimeSeconds, anonymous } }),
  }
}
