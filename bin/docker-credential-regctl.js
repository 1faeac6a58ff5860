#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { serveHelper } from '../dist/credentials/helper-protocol.js'
import { openKeychain } from '../dist/credentials/keychain.js'

const { name, version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const { output, exitCode } = await serveHelper(process.argv.slice(2), {
  name: 'docker-credential-regctl',
  packageName: name,
  version,
  input: process.stdin,
  openStore: () => openKeychain(),
})
process.stdout.write(output)
process.exitCode = exitCode
