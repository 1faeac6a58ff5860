import { changed, type Exchange, type Fault, instead, type WireAnswer } from './fault.js'

/** Ignores the Range of a request. */
const wholeBody: Fault = async exchange => {
  delete exchange.request.headers.range
  exchange.send(await exchange.forward())
}

function withBody(answer: WireAnswer, body: Buffer): WireAnswer {
  return { ...answer, headers: { ...answer.headers, 'content-length': `${body.length}` }, body }
}

function flipBit(body: Buffer): Buffer {
  const flipped = Buffer.from(body)
  const middle = flipped.length >> 1
  flipped[middle] = (flipped[middle] ?? 0) ^ 1
  return flipped
}

function redirect(target: (exchange: Exchange, storePath: string) => string): Fault {
  return async exchange => {
    const [, name, digest] = /^\/v2\/(.+)\/blobs\/([^?]+)/.exec(exchange.request.url ?? '') ?? []
    await instead(307, { location: target(exchange, `/${name}/${digest}`) })(exchange)
  }
}

function hopOf({ request }: Exchange): number {
  return Number(/[?&]hop=(\d+)/.exec(request.url ?? '')?.[1] ?? 0)
}

/** What goes wrong with the download of a blob. */
export const DOWNLOAD_FAULTS = {
  '200-to-a-range': wholeBody,
  '206-at-another-offset': changed(answer => ({
    ...answer,
    headers: {
      ...answer.headers,
      'content-range': `${answer.headers['content-range']}`.replace(/\d+/, start => `${Number(start) + 1}`),
    },
  })),
  'one-byte-too-many': changed(answer => withBody(answer, Buffer.concat([answer.body, Buffer.from('x')]))),
  'one-byte-too-few': changed(answer => withBody(answer, answer.body.subarray(0, -1))),
  'bit-flipped': changed(answer => withBody(answer, flipBit(answer.body))),
  'redirect-chain': async exchange => {
    const hop = hopOf(exchange)
    const [path] = (exchange.request.url ?? '').split('?')
    const target = hop < 3 ? `${path}?hop=${hop + 1}` : undefined
    await redirect(({ store }, storePath) => target ?? `http://${store}${storePath}`)(exchange)
  },
  'redirect-endless': redirect(exchange => {
    const [path] = (exchange.request.url ?? '').split('?')
    return `${path}?hop=${hopOf(exchange) + 1}`
  }),
  'redirect-loop': redirect(({ request }) => `${request.url}`),
  /** Of a registry that is not on this machine itself. */
  'redirect-to-loopback': redirect(({ store }, path) => `http://${store}${path}`),
  /** The store there takes no login. */
  'redirect-to-store': redirect(({ store }, path) => `http://${store}${path}?signature=canary`),
  'redirect-expired': redirect(({ store }, path) => `http://${store}${path}?expired=1`),
} satisfies Record<string, Fault>
