import { type Diagnosis, type DiagnosisTarget, printable } from '../index.js'

const STATE_WIDTH = 9
const CHECK_WIDTH = 13

/** What people see: a line for each finding, and below it what to do. */
export function diagnosisLines({ findings }: Diagnosis): string {
  const indent = ' '.repeat(STATE_WIDTH)
  return findings
    .flatMap(({ check, state, message, advice }) => [
      `${state.padEnd(STATE_WIDTH)}${check.padEnd(CHECK_WIDTH)}${printable(message)}`,
      ...(advice === undefined ? [] : [`${indent}${'hint:'.padEnd(CHECK_WIDTH)}${printable(advice)}`]),
    ])
    .map(line => `${line}\n`)
    .join('')
}

/** What `--json` prints. */
export function diagnosisDocument(target: DiagnosisTarget, diagnosis: Diagnosis): object {
  const { findings, certificates, problem } = diagnosis
  return {
    registry: target.registry,
    ...(target.repository !== undefined && { repository: target.repository }),
    usable: problem === undefined,
    findings: findings.map(({ check, state, message, advice }) => ({
      check,
      state,
      message: printable(message),
      ...(advice !== undefined && { advice: printable(advice) }),
    })),
    certificates: certificates.map(({ subject, issuer, names, validFrom, validTo }) => ({
      subject: printable(subject),
      issuer: printable(issuer),
      names: names.map(printable),
      validFrom: validFrom.toISOString(),
      validTo: validTo.toISOString(),
    })),
  }
}
