import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'

/** The checkout. */
export const ROOT = path.resolve(import.meta.dirname, '..', '..')
/** Every page of the documentation, by its path in the checkout. */
export const PAGES = globSync(
  ['*.md', 'docs/**/*.md', 'sidecar/**/*.md', 'bench/*.md', 'examples/**/*.md', 'test/**/*.md'],
  { cwd: ROOT, exclude: ['**/node_modules/**'] },
).toSorted()
/** The text of a file of the checkout. */
export const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8')
