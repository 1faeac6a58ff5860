import { describe, expect, it } from 'vitest'
import { shortCommand } from './inspect-layers.js'

describe('the command that made a layer', () => {
  it.each([
    ['/bin/sh -c #(nop) COPY file:abc in / ', 'COPY file:abc in /'],
    ['/bin/sh -c #(nop)  CMD ["sh"]', 'CMD ["sh"]'],
    [
      '/bin/sh -c apt-get update     &&  apt-get\n\tinstall curl',
      'RUN apt-get update && apt-get install curl',
    ],
    ['RUN /bin/sh -c apk add git # buildkit', 'RUN apk add git'],
    ['RUN |1 VERSION=2 /bin/sh -c make # buildkit', 'RUN |1 VERSION=2 make'],
    ['|1 VERSION=2 /bin/sh -c make', 'RUN make'],
    ['COPY app /app # buildkit', 'COPY app /app'],
    ['bazel build ...', 'bazel build ...'],
    ['', ''],
  ])('%j is shown as %j', (createdBy, shown) => {
    expect(shortCommand(createdBy)).toBe(shown)
  })
})
