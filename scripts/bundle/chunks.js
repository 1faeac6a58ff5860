import { relative } from 'node:path'

/**
 * Files of the bundle that are put together by hand, from modules that are used together; rolldown divides the rest by which
 * commands can reach it. What V8 has to read at a start grows with the files that are loaded, though little of them is run.
 */
const CHUNKS = {
  /** Each start. */
  start: {
    oclif: `
      args cache command flags help/util index logger parser/index parser/parse parser/validate settings
      util/aggregate-flags util/ids util/util`,
    packages: [],
    own: 'cli/closed-outputs cli/main cli/named-command cli/print-line',
  },
  /** Where oclif has to find out what is meant. */
  find: {
    oclif: `
      config/config config/index config/plugin config/plugin-loader config/util main performance util/fs util/os`,
    packages: [],
    own: '',
  },
  /** Help, and what oclif shows otherwise. */
  help: {
    oclif: `
      errors/error errors/exit errors/warn errors/index errors/errors/cli errors/errors/exit errors/errors/pretty-print
      help/command help/docopts help/formatter help/index help/root screen util/ensure-arg-object ux/action/base
      ux/action/simple ux/colorize-json ux/index ux/supports-color ux/theme ux/write`,
    packages: [
      'ansi-regex',
      'ansi-styles',
      'ansis',
      'ejs',
      'emoji-regex',
      'has-flag',
      'indent-string',
      'is-fullwidth-code-point',
      'string-width',
      'strip-ansi',
      'supports-color',
      'widest-line',
      'wrap-ansi',
    ],
    own: '',
  },
  /** What oclif has besides, which regctl never uses or only for a wrong usage. */
  oclif: {
    oclif: '*',
    packages: [
      'ansi-escapes',
      'balanced-match',
      'brace-expansion',
      'clean-stack',
      'cli-spinners',
      'color-convert',
      'color-name',
      'debug',
      'escape-string-regexp',
      'fdir',
      'get-package-type',
      'lilconfig',
      'minimatch',
      'ms',
      'picomatch',
      'tinyglobby',
      'typescript',
      'wordwrap',
    ],
    own: '',
  },
  /** A command that asks a registry for a manifest, which most do first. */
  registry: {
    oclif: '',
    packages: [],
    own: `
      cli/base-command cli/byte-size cli/duration cli/exit-codes cli/image-flags cli/interruption cli/lookup-command
      cli/progress/notice
      config/config-files config/docker-settings config/insecure-registries config/ip-version config/proxies
      config/registries-conf config/routes config/trust
      content/content-error content/context content/digest content/media-types content/printable content/reference
      errors files/cache-folder limit monotonic-clock
      http/client http/connecting http/connection http/exchange http/framing http/head http/http-error http/outgoing-body
      http/incoming-body http/last-words http/response-parser http/slab http/socket http/stall-clock
      lookup/describe-root open/location open/open-source
      registry/access registry/addresses registry/auth registry/blob-doubts registry/clear-text registry/client
      registry/collect registry/hosts registry/known-blobs registry/log registry/manifests registry/open-uploads
      registry/redirect registry/repository registry/request-body registry/request-limit registry/retry
      registry/scope registry/secrets registry/send registry/transport registry/upload-limits registry/urls
      registry/warnings`,
  },
}

/**
 * How rolldown is to divide the bundle.
 *
 * @param {string} compiled the folder of the modules
 */
export function chunks(compiled) {
  const missing = new Set(Object.values(CHUNKS).flatMap(namesIn))
  const groups = Object.entries(CHUNKS).map(([name, contents]) => {
    const names = new Set(namesIn(contents))
    const test = id => {
      const found = namesOf(id, compiled).find(candidate => names.has(candidate))
      missing.delete(found)
      return found !== undefined || (name === 'start' && id === 'program:regctl')
    }
    return { name, test }
  })
  const refuseMissing = () => {
    if (missing.size > 0)
      throw new Error(
        `${import.meta.url} names modules that are not in the bundle: ${[...missing].join(', ')}`,
      )
  }
  return { codeSplitting: { groups, includeDependenciesRecursively: false }, refuseMissing }
}

function namesIn({ oclif, packages, own }) {
  const words = text => text.split(/\s+/).filter(word => word !== '')
  return [
    ...words(oclif).map(name => `@oclif/core/lib/${name}.js`),
    ...packages,
    ...words(own).map(name => `./${name}.js`),
  ]
}

/** What a module may be listed as: its path, or its package. */
function namesOf(id, compiled) {
  const path = id.replaceAll('\\', '/')
  const inPackage = path.split('/node_modules/').at(-1) ?? ''
  if (inPackage.startsWith('@oclif/core/lib/')) return [inPackage, '@oclif/core/lib/*.js']
  if (path.includes('/node_modules/')) return [inPackage, inPackage.split('/')[0]]
  return [`./${relative(compiled, id).replaceAll('\\', '/')}`]
}
