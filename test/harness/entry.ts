import { existsSync } from 'node:fs'
import path from 'node:path'

const ROOT = path.resolve(import.meta.dirname, '..', '..')

/**
 * The program that tests of whole processes start: the sources, or with OUTRIGGER_DIST=1 what `npm run build` made of
 * them, which is what the package and the image hold.
 * @throws Error where it was asked for and is not built
 */
export function programEntry(): string {
  if (process.env['OUTRIGGER_DIST'] !== '1') return path.join(ROOT, 'sidecar', 'main.ts')
  const compiled = path.join(ROOT, 'dist', 'sidecar', 'main.js')
  if (!existsSync(compiled)) throw new Error('OUTRIGGER_DIST=1, and nothing is built: npm run build')
  return compiled
}
