import { RegctlError } from '../index.js'

/** Keys of service accounts are a few thousand bytes. */
const SECRET_LIMIT_BYTES = 1024 * 1024

/**
 * All of an input, which may have many lines, less one line end (rule R220).
 *
 * @throws RegctlError `secret-too-long` of kind `usage`
 */
export async function readSecret(input: AsyncIterable<Buffer | string>): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of input) {
    size += chunk.length
    if (size > SECRET_LIMIT_BYTES) {
      throw new RegctlError(
        `what is at standard input is no password: it has over ${SECRET_LIMIT_BYTES} bytes`,
        {
          kind: 'usage',
          code: 'secret-too-long',
        },
      )
    }
    chunks.push(Buffer.from(chunk))
  }
  const text = Buffer.concat(chunks).toString('utf8')
  return text.replace(/\n$/, '').replace(/\r$/, '')
}
