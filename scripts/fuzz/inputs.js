// What is broken on purpose: real images, and what stands in settings files and headers.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Two gigabytes in a few kilobytes take their time, as they should; they have tests of their own. */
const BOMBS = /(?:^|\/)bomb-/
/** Larger files cost more time than they bring. */
const LARGEST = 256 * 1024

/**
 * @returns `images`: each a list of files, which is one without a name for an archive; `texts`, by what they are for
 */
export async function loadInputs(folder) {
  const images = []
  const texts = [...TEXTS]
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const folders = new Map()
  for (const entry of entries) {
    if (!entry.isFile() || BOMBS.test(entry.name)) continue
    const path = join(entry.parentPath, entry.name)
    const bytes = await readFile(path)
    if (bytes.length > LARGEST) continue
    const inside = path.slice(folder.length + 1)
    const root = /^((?:broken\/|variants\/|third-party\/|layouts\/)?[^/]+)\/(.+)$/.exec(inside)
    const isAlone = root === null || /^(?:broken|variants|third-party|layouts)$/.test(root[1])
    if (isAlone) images.push({ name: inside, files: [['', bytes]] })
    else folders.set(root[1], [...(folders.get(root[1]) ?? []), [root[2], bytes]])
    if (/\.json$|oci-layout$/.test(path)) texts.push(['json', `${bytes}`])
  }
  for (const [name, files] of folders) if (total(files) < 4 * LARGEST) images.push({ name, files })
  // Names as the file system gives them would make a seed mean something else elsewhere.
  images.sort((one, other) => (one.name < other.name ? -1 : 1))
  return { images, texts }
}

function total(files) {
  return files.reduce((sum, [, bytes]) => sum + bytes.length, 0)
}

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`
const TEXTS = [
  ['reference', `localhost:5000/team/app:1.0@${DIGEST}`],
  ['reference', 'docker://index.docker.io/library/ubuntu'],
  ['locator', 'oci:./out/layout:1.0'],
  ['platform', 'windows(10.0.20348)/arm64/v8'],
  [
    'header',
    'Bearer realm="https://auth.example/token",service="r",scope="repository:a:pull", Basic realm="x"',
  ],
  ['header', '</v2/_catalog?last=a&n=10>; rel="next"; title="a, b", <b>; rel=prev'],
  ['header', '299 - "this registry is \\"old\\""'],
  ['header', 'Sat, 21 Nov 2026 08:00:00 GMT'],
  ['url', 'https://store.example:8443/u/1?X-Amz-Signature=a&b=c#d'],
  ['url', 'registry.example/v2/a/blobs/uploads/1?_state=x'],
  ['answer', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\nhello'],
  [
    'answer',
    'HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\n',
  ],
  ['range', 'bytes=100-200'],
  [
    'settings',
    '{"auths":{"r.example":{"auth":"YTpi"},"https://index.docker.io/v1/":{"identitytoken":"x"}},"credHelpers":{"a":"b"},"credsStore":"c"}',
  ],
  ['settings', '{"insecure-registries":["10.0.0.0/8","a:5000"],"registry-mirrors":["https://m.example"]}'],
  [
    'toml',
    '[[registry]]\nprefix = "a.example/b"\nlocation = "c.example"\n[[registry.mirror]]\nlocation = "d"\ninsecure = true\n',
  ],
  ['error', '{"errors":[{"code":"DENIED","message":"no","detail":{"a":1}}]}'],
  ['error', '<html><head><title>502</title></head></html>'],
]
