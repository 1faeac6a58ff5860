import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Ajv2020 } from 'ajv/dist/2020.js'

const FOLDER = fileURLToPath(new URL('../../schemas/', import.meta.url))
const SUFFIX = '.schema.json'

/** The names of the schemas in the package: mostly those of the commands. */
export const schemaNames = readdirSync(FOLDER)
  .filter(name => name.endsWith(SUFFIX))
  .map(name => name.slice(0, -SUFFIX.length))

const ajv = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false, allErrors: true })
for (const name of schemaNames) ajv.addSchema(JSON.parse(readFileSync(`${FOLDER}${name}${SUFFIX}`, 'utf8')))

/**
 * What is wrong with a document by one of the package's schemas; nothing when it is right.
 *
 * @param name of the schema: `digest`, or `error`
 * @param text as a command printed it
 * @example
 * expect(schemaErrors('digest', stdout)).toEqual([])
 */
export function schemaErrors(name: string, text: string): string[] {
  const validate = ajv.getSchema(`urn:regctl:schema:${name}`)
  if (validate === undefined) return [`there is no schema ${name}`]
  if (validate(JSON.parse(text))) return []
  return (validate.errors ?? []).map(({ instancePath, message = '' }) => `${instancePath || '/'} ${message}`)
}
