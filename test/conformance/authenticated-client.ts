import { RawClient, type RawRequest, type RawResponse } from './raw-client.js'

/**
 * A client that does what the first challenge of a refused request asks for, Basic or Bearer, as the public conformance
 * suite's does: it sends its name and password, or gets a token with them and sends that.
 */
export class AuthenticatedClient extends RawClient {
  readonly #basic: { Authorization: string }
  /** By challenge: what answers it. */
  readonly #answers = new Map<string, { Authorization: string }>()

  constructor(origin: string, user: string, password: string) {
    super(origin)
    this.#basic = { Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` }
  }

  override async send(method: string, path: string, options: RawRequest = {}): Promise<RawResponse> {
    const first = await super.send(method, path, options)
    const challenge = first.headers['www-authenticate']
    if (first.status !== 401 || challenge === undefined || options.headers?.Authorization !== undefined)
      return first
    const authorization = this.#answers.get(challenge) ?? (await this.#answerTo(challenge))
    this.#answers.set(challenge, authorization)
    return await super.send(method, path, { ...options, headers: { ...options.headers, ...authorization } })
  }

  async #answerTo(challenge: string): Promise<{ Authorization: string }> {
    if (challenge.startsWith('Basic ')) return this.#basic
    const parameters = Object.fromEntries(
      [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]),
    )
    const { realm = '', ...query } = parameters
    const url = new URL(realm)
    if (url.origin !== this.origin) throw new Error(`the challenge leads elsewhere: ${challenge}`)
    const answer = await super.send('GET', `${url.pathname}?${new URLSearchParams(query)}`, {
      headers: this.#basic,
    })
    if (answer.status !== 200) throw new Error(`no token: ${answer.status} ${answer.body}`)
    return { Authorization: `Bearer ${JSON.parse(`${answer.body}`).token}` }
  }
}
