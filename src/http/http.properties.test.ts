import fc from 'fast-check'
import { expect, it } from 'vitest'
import { holds, textOf, unlessRefused } from '../../test/support/properties.js'
import { formatRequestHead, HEAD_LIMIT_BYTES, HeadReader, type ResponseHead } from './head.js'
import { HttpError } from './http-error.js'
import { IncomingBody } from './incoming-body.js'
import { ResponseParser } from './response-parser.js'

interface Read {
  head: ResponseHead | undefined
  body: Buffer
  isComplete: boolean
  /** What came after it. */
  rest: number
}

/** Reads an answer that comes in pieces which end at some offsets. */
function read(bytes: Buffer, cuts: readonly number[], method = 'GET', isEnd = false): Read {
  const found: Read = { head: undefined, body: Buffer.alloc(0), isComplete: false, rest: 0 }
  const parser = new ResponseParser(method, {
    head: head => {
      found.head = head
    },
    data: data => {
      found.body = Buffer.concat([found.body, data])
    },
    end: () => {
      found.isComplete = true
    },
  })
  const ends = [...new Set([...cuts.map(cut => cut % (bytes.length + 1)), bytes.length])].sort(
    (a, b) => a - b,
  )
  let start = 0
  for (const end of ends) {
    // As from a socket, the memory is used again.
    const piece = Buffer.from(bytes.subarray(start, end))
    const used = parser.isComplete ? 0 : parser.add(piece)
    piece.fill(0)
    found.rest += end - start - used
    start = end
  }
  if (isEnd && !parser.isComplete) parser.end()
  return found
}

const cuts = fc.array(fc.nat(2000), { maxLength: 8 })
const name = fc
  .stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}$/)
  .filter(text => !/^(?:content-length|transfer-encoding|connection)$/i.test(text))
const value = fc.stringMatching(
  /^(?:[\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]{0,20}[\x21-\x7e\x80-\xff])?)?$/,
)
const blanks = fc.stringMatching(/^[\t ]{0,3}$/)
const fields = fc.array(fc.tuple(name, blanks, value, blanks), { maxLength: 6 })
const status = fc.integer({ min: 200, max: 599 }).filter(code => code !== 204 && code !== 304)
const bytes = fc.uint8Array({ maxLength: 300 }).map(data => Buffer.from(data))
const hints = fc.constantFrom(
  '',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n',
)

function headOf(
  code: number,
  lines: readonly (readonly [string, string, string, string])[],
  framing: string,
): string {
  const all = lines.map(([key, before, text, after]) => `${key}:${before}${text}${after}\r\n`)
  return `HTTP/1.1 ${code} Some Words\r\n${all.join('')}${framing}\r\n`
}

it('an answer is the same however it is cut, and what follows it is left alone', async () => {
  const framed = fc
    .tuple(bytes, fc.boolean(), fc.array(fc.nat(300), { maxLength: 4 }))
    .map(([body, isChunked, sizes]) => {
      if (!isChunked) return { body, framing: `Content-Length: ${body.length}\r\n`, sent: body }
      const edges = [...new Set([0, ...sizes.map(size => Math.min(size, body.length)), body.length])].sort(
        (a, b) => a - b,
      )
      const pieces = edges.slice(1).map((end, at) => body.subarray(edges[at], end))
      const chunks = pieces.flatMap(piece => [
        Buffer.from(`${piece.length.toString(16)};x="y"\r\n`),
        piece,
        Buffer.from('\r\n'),
      ])
      const sent = Buffer.concat([...chunks, Buffer.from('0\r\nTrailer: x\r\n\r\n')])
      return { body, framing: 'transfer-encoding: Chunked\r\n', sent }
    })
  await holds(
    fc.tuple(status, fields, framed, hints, bytes, cuts),
    ([code, lines, { body, framing, sent }, hint, after, at]) => {
      const head = Buffer.from(hint + headOf(code, lines, framing), 'latin1')
      const found = read(Buffer.concat([head, sent, after]), at)
      expect(found).toMatchObject({
        head: { status: code, minorVersion: 1 },
        body,
        isComplete: true,
        rest: after.length,
      })
      for (const [key, , text] of lines)
        expect([found.head?.headers[key.toLowerCase()]].flat()).toContain(text)
    },
  )
})

it('a body that nothing frames ends with the connection', async () => {
  await holds(fc.tuple(status, fields, bytes, cuts), ([code, lines, body, at]) => {
    const all = Buffer.concat([Buffer.from(headOf(code, lines, ''), 'latin1'), body])
    expect(read(all, at, 'GET', true)).toMatchObject({ body, isComplete: true, rest: 0 })
    expect(read(all, at, 'GET')).toMatchObject({ isComplete: false })
    // Of a HEAD it is something else.
    expect(read(all, at, 'HEAD')).toMatchObject({ isComplete: true, rest: body.length })
  })
})

it('garbage is refused or read, the same however it is cut', async () => {
  const text = textOf(
    'HTTP/1.1 200 OK\r\n',
    'HTTP/1.0 404\r\n',
    'HTTP/1.1 100\r\n\r\n',
    '\r\n',
    '\r\n\r\n',
    '\n',
    ' ',
    ':',
    'Content-Length: 3\r\n',
    'Content-Length: 4\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Transfer-Encoding: gzip\r\n',
    '3\r\nabc\r\n',
    '0\r\n\r\n',
    'abc',
    '\0',
  )
  await holds(
    fc.tuple(text, cuts, fc.constantFrom('GET', 'HEAD'), fc.boolean()),
    async ([given, at, method, isEnd]) => {
      const all = Buffer.from(given, 'latin1')
      const whole = await unlessRefused(() => read(all, [], method, isEnd), HttpError)
      const cut = await unlessRefused(() => read(all, at, method, isEnd), HttpError)
      expect(cut).toEqual(whole)
      for (const content of Object.values(whole?.head?.headers ?? {}))
        expect(`${content}`).not.toMatch(/[\0\r\n]/)
    },
    1000,
  )
})

it('a head without end is given up', async () => {
  await holds(
    fc.integer({ min: 1, max: 20_000 }),
    size => {
      const reader = new HeadReader()
      reader.add(Buffer.from('HTTP/1.1 200 OK\r\nX: '))
      const add = () => {
        for (let sent = 0; sent <= HEAD_LIMIT_BYTES + 4; sent += size) reader.add(Buffer.alloc(size, 'x'))
      }
      expect(add).toThrow(expect.objectContaining({ code: 'HTTP_HEAD_TOO_LARGE' }))
    },
    20,
  )
})

it('a request keeps its values to themselves, or is not sent', async () => {
  const any = fc.oneof(value, fc.string({ unit: 'binary' }), textOf('\r\n', 'a', ': ', '\0'))
  await holds(fc.tuple(any, any, any), async ([target, key, content]) => {
    const request = { method: 'GET', target, headers: { host: 'r.example', [key]: content } }
    const sent = await unlessRefused(() => formatRequestHead(request).toString('latin1'), HttpError)
    if (sent === undefined) return
    const lines = sent.split('\r\n')
    expect(lines.slice(-2)).toEqual(['', ''])
    expect(lines.slice(0, -2).every(line => !/[\r\n\0]/.test(line))).toBe(true)
    expect(lines).toHaveLength(2 + Object.keys(request.headers).length + 1)
    expect(sent.startsWith(`GET ${target} HTTP/1.1\r\n`)).toBe(true)
  })
})

it('the bytes of a body are its reader’s until it asks for more, wherever the socket put them', async () => {
  const piece = fc.record({
    size: fc.integer({ min: 1, max: 700_000 }),
    isElsewhere: fc.boolean(),
    isRead: fc.boolean(),
  })
  await holds(
    fc.tuple(fc.array(piece, { minLength: 1, maxLength: 12 }), fc.boolean()),
    async ([pieces, isKnown]) => {
      const total = pieces.reduce((sum, { size }) => sum + size, 0)
      let resumed = 0
      const body = new IncomingBody(
        { resume: () => resumed++, abandon: () => {} },
        isKnown ? total : undefined,
      )
      let sent = 0
      let received = 0
      const readOne = async () => {
        const { value: chunk } = await body.next()
        if (chunk === undefined) return false
        for (const at of [0, chunk.length - 1]) expect(chunk[at]).toBe((received + at) % 251)
        received += chunk.length
        return true
      }
      for (const { size, isElsewhere, isRead } of pieces) {
        for (let left = size; left > 0; ) {
          const before = resumed
          while (body.isFull) await readOne()
          expect(resumed).toBeGreaterThanOrEqual(before)
          const place = isElsewhere ? Buffer.alloc(65_536) : (body.landing() ?? Buffer.alloc(65_536))
          const landed = place.subarray(0, Math.min(left, place.length))
          for (let at = 0; at < landed.length; at++) landed[at] = (sent + at) % 251
          body.landed(landed)
          body.add(landed)
          if (isElsewhere) place.fill(255)
          sent += landed.length
          left -= landed.length
        }
        // Less may wait for the rest of a page.
        if (isRead && sent - received >= 2 * 65_536) await readOne()
      }
      body.end()
      while (await readOne());
      expect(received).toBe(total)
    },
    30,
  )
})
