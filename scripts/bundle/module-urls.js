import { relative } from 'node:path'

/**
 * Lets `import.meta.url` stay the URL of the module in dist, though the module runs in the bundle, whose folder is beside
 * it: a file that is to run in another process or thread is found there.
 *
 * @param {string} compiled the folder of the modules
 */
export function moduleUrls(compiled) {
  return {
    name: 'module-urls',
    transform(code, id) {
      if (!id.startsWith(compiled) || !code.includes('import.meta.url')) return undefined
      const path = JSON.stringify(`../${relative(compiled, id).replaceAll('\\', '/')}`)
      return code.replaceAll(
        'import.meta.url',
        `require('node:url').pathToFileURL(require('node:path').join(__dirname, ${path})).href`,
      )
    },
  }
}
