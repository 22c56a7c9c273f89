import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { configJsonSchema } from './load/json-schema.ts'
import { referenceMarkdown } from './reference.ts'

/** A file that is made from the code, with what it has to hold. */
export interface GeneratedFile {
  readonly path: string
  readonly content: string
}

/** The files that are made from the schema and the reasons; `npm run generate` writes them, a test compares them. */
export function generatedFiles(): GeneratedFile[] {
  const schema = configJsonSchema()
  return [
    { path: path('../../config/schema.json'), content: `${JSON.stringify(schema, null, 2)}\n` },
    { path: path('../../docs/reference.md'), content: referenceMarkdown(schema) },
  ]
}

function path(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url))
}

if (import.meta.main) {
  for (const file of generatedFiles()) {
    let before = ''
    try {
      before = readFileSync(file.path, 'utf8')
    } catch {
      // It is not there yet.
    }
    if (before !== file.content) writeFileSync(file.path, file.content)
    process.stdout.write(`${before === file.content ? 'unchanged' : 'written  '} ${file.path}\n`)
  }
}
