import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { REASONS } from '../exchange/proxy-error.ts'
import { generatedFiles } from './generate.ts'

test('config/schema.json and docs/reference.md are what the code says (npm run generate writes them)', () => {
  for (const { path, content } of generatedFiles()) assert.equal(readFileSync(path, 'utf8'), content, path)
})

test('the reference names every reason and every policy', () => {
  const reference = generatedFiles()[1]?.content ?? ''
  for (const reason of Object.keys(REASONS)) assert.match(reference, new RegExp(`\`${reason}\``))
  for (const option of [
    'timeout.total',
    'retry.count',
    'requestSize',
    'rewrite.stripPrefix',
    'cors.origins',
    'upgrade',
  ])
    assert.ok(reference.includes(`\`${option}\``), option)
})
