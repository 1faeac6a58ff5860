import { describe, expect, it } from 'vitest'
import { type Digest, digestOf, type Inspection, MediaType } from '../index.js'
import { displayWidth } from './display-width.js'
import { inspectScreen, type ScreenOptions } from './inspect-screen.js'

const digest = (text: string): Digest => digestOf(Buffer.from(text))
const OPTIONS: ScreenOptions = {
  names: ['localhost:5000/app:1.0'],
  width: 80,
  style: 'unicode',
  now: new Date('2026-06-01T00:00:00Z'),
}

const LAYER = 'sha256:1111111111111111111111111111111111111111111111111111111111111111' as const
const SMALL = 'sha256:2222222222222222222222222222222222222222222222222222222222222222' as const

const IMAGE: Inspection = {
  digest: digest('manifest'),
  mediaType: MediaType.ociManifest,
  size: 500,
  image: {
    digest: digest('manifest'),
    mediaType: MediaType.ociManifest,
    id: digest('config'),
    platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
    created: '2024-05-01T12:00:59Z',
    size: 12_345_678,
    config: {
      user: 'app',
      env: [
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        `LONG=${'word '.repeat(60)}`,
      ],
      entrypoint: ['/entry.sh', '--say', "it's fine"],
      cmd: ['nginx', '-g', 'daemon off;'],
      workingDir: '/srv',
      labels: { 'org.example.b': 'b\u001b[31m', a: '日本' },
      exposedPorts: ['80/tcp', '443/tcp'],
      volumes: ['/data', '/cache'],
      stopSignal: 'SIGQUIT',
      healthcheck: {
        test: ['CMD-SHELL', 'curl -f localhost'],
        intervalMs: 30_000,
        timeoutMs: 1500,
        retries: 1,
      },
    },
    layers: [
      {
        digest: LAYER,
        size: 12_000_000,
        mediaType: MediaType.ociLayerGzip,
        createdBy: '/bin/sh -c #(nop) ADD file:3f2cfb5a7bd2b8b8b8cf2c27b8b8cf2c27b8b8cf2c27b in /',
      },
      {
        digest: SMALL,
        size: 345_000,
        mediaType: MediaType.ociLayerGzip,
        createdBy: 'RUN /bin/sh -c make # buildkit',
      },
    ],
    annotations: { note: 'x' },
  },
}

describe('the screen of an image', () => {
  it('has everything that is known, in 80 columns', () => {
    expect(inspectScreen(IMAGE, OPTIONS)).toBe(`\
Name     localhost:5000/app:1.0
Digest   ${digest('manifest')}
Type     application/vnd.oci.image.manifest.v1+json
ID       ${digest('config')}
Platform linux/arm/v7
Created  2024-05-01 12:00 UTC (2 years ago)
Size     12.3MB compressed

User         app
Workdir      /srv
Entrypoint   /entry.sh --say 'it'\\''s fine'
Cmd          nginx -g 'daemon off;'
Env          PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
             LONG=word word word word word word word word word word word word
             word word word word word word word word word word word word word
             word word word word word word word word word word word word word w…
Ports        80/tcp, 443/tcp
Volumes      /data
             /cache
Stop signal  SIGQUIT
Healthcheck  curl -f localhost (every 30s, timeout 1.5s, 1 retry)
Labels       a=日本
             org.example.b=b[31m
Annotations  note=x

2 layers, from the base up
111111111111   12MB  ██████████  ADD file:3f2cfb5a7bd2b8b8b8cf2c27b8b8cf2c27b8b…
222222222222  345kB  ▎           RUN make
`)
  })

  it('stays within its width, but for what is copied whole', () => {
    for (const width of [40, 60, 80, 120]) {
      const lines = inspectScreen(IMAGE, { ...OPTIONS, width }).split('\n')
      const long = lines.filter(line => displayWidth(line) > width)
      expect(long.filter(line => !/^(?:\w+ +| +)\S+$/.test(line))).toEqual([])
    }
  })

  it('has nothing beyond ASCII of its own where the terminal has not', () => {
    const plain = { ...IMAGE, image: { ...IMAGE.image, config: {} } } as Inspection
    const screen = inspectScreen(plain, { ...OPTIONS, style: 'ascii' })
    expect(screen).toMatch(/^[\n -~]*$/)
    expect(screen).toContain('222222222222  345kB  #')
    expect(screen).toContain('...')
  })

  it('says how the digest of a docker-archive is found', () => {
    const image = {
      id: digest('config'),
      size: 3000,
      uncompressedSize: 3000,
      config: {},
      layers: [{ diffID: LAYER, size: 2560 }],
    }
    const options = { ...OPTIONS, names: ['acme/a:1', 'acme/a:2'], file: 'image.tar', image: '#2' }
    expect(inspectScreen({ image }, options)).toBe(`\
Name     acme/a:1
         acme/a:2
File     image.tar
Digest   known once compressed: regctl digest image.tar --image '#2'
ID       ${digest('config')}
Size     3kB uncompressed

1 layer
111111111111  2.56kB  ██████████
`)
  })

  it('shows no more than three lines of a value that is megabytes long', () => {
    const huge = 'x'.repeat(2_000_000)
    const config = { user: huge, env: [huge], labels: { huge }, entrypoint: [huge] }
    const layers = [{ digest: LAYER, size: 1, createdBy: huge }]
    const screen = inspectScreen(
      { ...IMAGE, image: { ...IMAGE.image, config, layers } } as Inspection,
      OPTIONS,
    )
    expect(screen.split('\n').length).toBeLessThan(30)
    expect(screen.length).toBeLessThan(3000)
  })

  it.each([
    ['2026-05-31T23:59:30Z', '2026-05-31 23:59 UTC (just now)'],
    ['2026-05-31T22:59:30Z', '2026-05-31 22:59 UTC (1 hour ago)'],
    ['2026-05-20T00:00:00+02:00', '2026-05-19 22:00 UTC (1 week ago)'],
    ['2027-01-01T00:00:00Z', '2027-01-01 00:00 UTC (in the future)'],
    ['1970-01-01T00:00:00Z', '1970-01-01 00:00 UTC'],
  ])('shows the date %s', (created, shown) => {
    const dated = { ...IMAGE, image: { ...IMAGE.image, created } } as Inspection
    expect(inspectScreen(dated, OPTIONS)).toContain(`Created  ${shown}\n`)
  })

  it("leaves out Go's date of nothing", () => {
    const dated = { ...IMAGE, image: { ...IMAGE.image, created: '0001-01-01T00:00:00Z' } } as Inspection
    expect(inspectScreen(dated, OPTIONS)).not.toContain('Created')
  })
})

describe('the screen of an index', () => {
  const amd = { os: 'linux', architecture: 'amd64' }
  const entry = { mediaType: MediaType.ociManifest, size: 1234, kind: 'image' as const }
  const index: Inspection = {
    digest: digest('index'),
    mediaType: MediaType.dockerManifestList,
    size: 900,
    platforms: [
      { ...entry, digest: LAYER, platform: amd },
      {
        ...entry,
        digest: SMALL,
        kind: 'attestation',
        platform: { os: 'unknown', architecture: 'unknown' },
        attestationOf: LAYER,
      },
      {
        ...entry,
        digest: digest('nested'),
        mediaType: MediaType.ociIndex,
        kind: 'index',
        platforms: [
          {
            ...entry,
            digest: digest('a'),
            platform: { os: 'windows', architecture: 'amd64', 'os.version': '10.0.1' },
          },
          { ...entry, digest: digest('b'), kind: 'artifact', artifactType: 'application/x' },
        ],
      },
    ],
    annotations: { of: 'the index' },
  }
  const short = (text: string) => digest(text).slice(7, 19)

  it('has a table, and the image that was chosen below', () => {
    const image = { digest: LAYER, id: SMALL, platform: amd, size: 70, config: {}, layers: [] }
    expect(inspectScreen({ ...index, image }, OPTIONS)).toBe(`\
Name     localhost:5000/app:1.0
Digest   ${digest('index')}
Type     application/vnd.docker.distribution.manifest.list.v2+json

Platform                  Digest        Manifest  Kind
linux/amd64               111111111111    1.23kB  image, shown below
-                         222222222222    1.23kB  attestation of linux/amd64
-                         ${short('nested')}    1.23kB  index
├── windows/amd64 10.0.1  ${short('a')}    1.23kB  image
└── -                     ${short('b')}    1.23kB  artifact application/x

Annotations  of=the index

Digest   ${LAYER}
ID       ${SMALL}
Platform linux/amd64
Size     70B, without layers
`)
  })

  it('says nothing of images where it names none', () => {
    const [, , nested] = index.platforms ?? []
    const platforms = (nested?.platforms ?? []).filter(({ kind }) => kind === 'artifact')
    expect(inspectScreen({ ...index, platforms }, OPTIONS)).not.toContain('No image')
  })

  it('says so when there is no image to show', () => {
    expect(inspectScreen(index, OPTIONS)).toMatch(
      /\n\nNo image for linux\/\w+ here: choose one with --platform\n$/,
    )
  })
})

describe('the screen of an artifact', () => {
  it('has its type, its subject and its files', () => {
    const config = { mediaType: MediaType.ociEmpty, digest: digest('{}'), size: 2 }
    const title = { 'org.opencontainers.image.title': 'sbom.json' }
    const artifact = {
      digest: digest('artifact'),
      mediaType: MediaType.ociManifest,
      artifactType: 'application/spdx+json',
      config,
      size: 3002,
      layers: [
        { mediaType: 'application/spdx+json', digest: LAYER, size: 2000, annotations: title },
        { mediaType: 'text/plain', digest: SMALL, size: 1000 },
      ],
      annotations: { k: 'v' },
    }
    const found: Inspection = {
      digest: artifact.digest,
      mediaType: artifact.mediaType,
      size: 600,
      artifact,
      artifactType: artifact.artifactType,
      annotations: artifact.annotations,
      subject: { mediaType: MediaType.ociManifest, digest: digest('subject'), size: 1 },
    }
    expect(inspectScreen(found, OPTIONS)).toBe(`\
Name     localhost:5000/app:1.0
Digest   ${artifact.digest}
Type     application/vnd.oci.image.manifest.v1+json
Subject  ${digest('subject')}
Artifact SPDX SBOM
         application/spdx+json
Size     3kB

Annotations  k=v

2 files
111111111111  2kB  ██████████  sbom.json (application/spdx+json)
222222222222  1kB  █████       text/plain
`)
  })
})
