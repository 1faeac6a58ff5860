#!/usr/bin/env node
const { readFileSync } = require('node:fs')
const { join } = require('node:path')
const { Script } = require('node:vm')

// As the files of the bundle are run: Node's own loader does more for a file than this one takes to run.
const folder = join(__dirname, '../dist/cli-bundle')
const filename = join(folder, 'start.cjs')
const start = new Script(readFileSync(filename, 'latin1'), { filename }).runInThisContext()
start(folder, 'docker-credential-regctl', require)
