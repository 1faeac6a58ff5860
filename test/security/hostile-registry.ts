import { digestOf } from '../../src/content/digest.js'
import { MediaType } from '../../src/content/media-types.js'
import {
  type Answer,
  answer,
  hangUp,
  type ScriptedServer,
  startScripted,
} from '../support/scripted-server.js'
import { BASIC_SECRET, echoOf, secretsInProcesses, TOKEN } from './canary.js'

/** Where a hostile registry can point to. */
interface Places {
  tokens: string
  elsewhere: string
}

/** How a registry fails: what it answers to a request with a token, and what its token server answers. */
interface Failure {
  registry?: (places: Places) => Answer
  /** Answers without a login first: by default it asks for a token. */
  challenge?: (places: Places) => Answer
  tokens?: Answer
}

/** An error that repeats the request wherever a server can put words. */
function echo(status: number, form: 'json' | 'html' | 'text' = 'json'): Answer {
  return (request, response) => {
    const text = echoOf(request)
    const line = text.replace(/\s+/g, ' ').replace(/[^ -~]|"/g, '?')
    response.setHeader('retry-after', '0')
    response.setHeader('warning', `299 - "${line.slice(0, 1000)}"`)
    if (status === 401) response.setHeader('www-authenticate', `Basic realm="${line.slice(0, 1000)}"`)
    const bodies = {
      json: JSON.stringify({
        errors: [{ code: line, message: text, detail: text }],
        error_description: text,
      }),
      html: `<html><title>${text}</title></html>`,
      text,
    }
    response.writeHead(status).end(bodies[form])
  }
}

const EMPTY = Buffer.from('{}')
const IMAGE = (elsewhere: string) =>
  Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      config: { mediaType: MediaType.ociConfig, digest: digestOf(EMPTY), size: EMPTY.length },
      layers: ['http', 'https'].map(scheme => ({
        mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
        digest: digestOf(Buffer.from(scheme)),
        size: scheme.length,
        urls: [`${scheme}://${elsewhere}/layer`],
      })),
    }),
  )

/** Serves one image whose layers are elsewhere. */
function foreignImage({ elsewhere }: Places): Answer {
  return (request, response) => {
    if (request.path.includes('/manifests/')) {
      response.writeHead(200, { 'content-type': MediaType.ociManifest }).end(IMAGE(elsewhere))
    } else if (request.path.endsWith(digestOf(EMPTY))) response.writeHead(200).end(EMPTY)
    else echo(404)(request, response)
  }
}

function uploadElsewhere({ elsewhere }: Places): Answer {
  return (request, response) => {
    if (request.method !== 'POST') echo(404)(request, response)
    else response.writeHead(202, { location: `http://${elsewhere}/upload` }).end()
  }
}

/** All ways in which a registry fails here, by what it does. */
export const FAILURES: Readonly<Record<string, Failure>> = {
  'refuses every request (401)': { challenge: () => echo(401) },
  'refuses every token (401)': { registry: () => echo(401) },
  'forbids everything (403)': { registry: () => echo(403) },
  'fails with JSON (500)': { registry: () => echo(500) },
  'fails with HTML (503)': { registry: () => echo(503, 'html') },
  'limits requests (429)': { registry: () => echo(429, 'text') },
  'refuses the login at its token server': { tokens: echo(401) },
  'has a token server that fails': { tokens: echo(500, 'text') },
  'has a token server that answers in clear text': {
    tokens: (_request, response) => response.writeHead(200).end(`access_token=${TOKEN}`),
  },
  'has a token server whose token breaks a header': {
    tokens: answer(200, {}, JSON.stringify({ token: `${TOKEN}\r\nx-injected: 1` })),
  },
  'redirects to another origin': {
    registry: ({ elsewhere }) => answer(307, { location: `http://${elsewhere}/x` }),
  },
  'has its token server redirect to another origin': {
    challenge: ({ tokens }) =>
      answer(401, { 'www-authenticate': `Bearer realm="http://${tokens}/redirect",service="s"` }),
  },
  'has uploads sent to another origin': { registry: uploadElsewhere },
  'has logins sent to an internal address in clear text': {
    challenge: () => answer(401, { 'www-authenticate': 'Bearer realm="http://10.255.255.1/token"' }),
  },
  'has layers that are elsewhere': { registry: foreignImage },
  'hangs up': { registry: () => hangUp },
}

/** A registry that fails, its token server, and another origin, which repeats whatever it gets. */
export interface HostileRegistry extends AsyncDisposable {
  readonly host: string
  readonly elsewhere: ScriptedServer
  /** How often a request came with the password or with a token. */
  logins(): number
  /** Processes that showed a secret while a request was under way. */
  shown(): string[]
}

/** Starts a registry that fails in one way. */
export async function startHostile(failure: Failure): Promise<HostileRegistry> {
  const shown = new Set<string>()
  const look =
    (then: Answer): Answer =>
    async (request, response) => {
      for (const place of await secretsInProcesses()) shown.add(place)
      then(request, response)
    }
  const elsewhere = await startScripted([[/./, echo(401)]])
  const giveToken = answer(200, {}, JSON.stringify({ token: TOKEN, refresh_token: `refresh-${TOKEN}` }))
  const tokens = await startScripted([
    [/^\S+ \/redirect/, answer(307, { location: `http://${elsewhere.host}/token` })],
    [/./, look(failure.tokens ?? giveToken)],
  ])
  const places = { tokens: tokens.host, elsewhere: elsewhere.host }
  const realm = `Bearer realm="http://${tokens.host}/token",service="s"`
  const challenge = failure.challenge?.(places) ?? answer(401, { 'www-authenticate': realm })
  const authorized = look(failure.registry?.(places) ?? echo(404))
  const registry = await startScripted([
    [
      /./,
      (request, response) => {
        const isAuthorized = request.headers.authorization === `Bearer ${TOKEN}`
        return (isAuthorized ? authorized : challenge)(request, response)
      },
    ],
  ])
  const servers = [registry, tokens, elsewhere]
  return {
    host: registry.host,
    elsewhere,
    shown: () => [...shown],
    logins: () =>
      [registry, tokens]
        .flatMap(({ seen }) => seen)
        .filter(({ headers }) =>
          [`Basic ${BASIC_SECRET}`, `Bearer ${TOKEN}`].includes(`${headers.authorization}`),
        ).length,
    async [Symbol.asyncDispose]() {
      for (const server of servers) await server[Symbol.asyncDispose]()
    },
  }
}
