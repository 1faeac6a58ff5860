#!/usr/bin/env node
const { join } = require('node:path')
const { start } = require('../dist/cli-bundle/start.cjs')

start(join(__dirname, '../dist/cli-bundle'), 'docker-credential-regctl', require)
