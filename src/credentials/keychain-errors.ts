import { printable } from '../content/printable.js'
import { CredentialError } from './credential-error.js'

/** What the libraries of the three systems say of a keychain that is locked, or whose prompt was turned away. */
const LOCKED =
  /locked|prompt was dismissed|interaction is not allowed|user canceled|passphrase .*not correct/i
const WITHOUT_KEYCHAIN =
  'use `--store file`, set DOCKER_AUTH_CONFIG, or give --username with --password-stdin to each command'
const START_ONE = 'start one (`dbus-run-session`, then `gnome-keyring-daemon --unlock --components=secrets`)'

/** There is no keychain on this system: `no-keychain`. Those who only look something up go on without. */
export function noKeychain(why: string, platform: NodeJS.Platform): CredentialError {
  const ways = platform === 'linux' ? `${WITHOUT_KEYCHAIN}; or ${START_ONE}` : WITHOUT_KEYCHAIN
  return new CredentialError(`there is no keychain: ${printable(why)}`, {
    kind: 'failed',
    code: 'no-keychain',
    hint: `To log in without one, ${ways}`,
  })
}

/**
 * A request to the keychain failed: `keychain-locked` when it has to be unlocked first, else `keychain-failed`.
 *
 * @param label of the keychain
 * @param problem in the library's words, which never hold what is stored
 */
export function keychainFailure(label: string, problem: string): CredentialError {
  if (LOCKED.test(problem)) return keychainLocked(label, 'and was not unlocked')
  return new CredentialError(`${label} failed: ${printable(problem)}`, {
    kind: 'failed',
    code: 'keychain-failed',
  })
}

/** Nobody unlocked the keychain: `keychain-locked`. */
export function keychainLocked(label: string, how: string): CredentialError {
  return new CredentialError(`${label} is locked ${how}`, {
    kind: 'failed',
    code: 'keychain-locked',
    hint: 'Unlock it and try again; without a desktop: `gnome-keyring-daemon --unlock --components=secrets` reads its password from standard input',
  })
}
