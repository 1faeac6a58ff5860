import { CredentialError } from './credential-error.js'

/**
 * Refuses a name that a line-based protocol or a header would read as more than a name (rules R221, R222).
 *
 * @param what it is, for the message
 * @throws CredentialError `bad-characters` of kind `usage`, also when it is empty
 */
export function refuseControls(text: string, what: string): void {
  if (text !== '' && !/[\x00-\x1f\x7f]/.test(text)) return
  throw new CredentialError(`the ${what} ${text === '' ? 'is empty' : 'has control characters'}`, {
    kind: 'usage',
    code: 'bad-characters',
  })
}
