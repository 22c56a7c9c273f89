import { isUtf8 } from 'node:buffer'
import { globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { ChangedManifest } from '../../injector/manifest.ts'

/**
 * Reads manifests and changes each. Folders give their files in name order, subfolders too; `-` is standard input.
 * Several are joined as documents of one text.
 * @returns all of them together, or what is wrong with the first that cannot be read: nothing is written by halves
 */
export function forEachManifest(
  paths: readonly string[],
  change: (text: string) => ChangedManifest | string,
): ChangedManifest | string {
  const all = {
    objects: [] as unknown[],
    findings: [] as ChangedManifest['findings'][number][],
    notes: [] as string[],
  }
  let text = ''
  try {
    for (const file of paths.flatMap(filesOf)) {
      const done = change(textIn(file))
      if (typeof done === 'string') return `${file}: ${done}`
      text = joined(text, done.text)
      all.objects.push(...done.objects)
      all.findings.push(...done.findings)
      all.notes.push(...done.notes)
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  return { ...all, text }
}

/** What passes is to pass to the byte: another encoding would be written with other letters. */
function textIn(file: string): string {
  const bytes = readFileSync(file === '-' ? 0 : file)
  if (!isUtf8(bytes)) throw new Error(`${file}: it is no UTF-8`)
  return bytes.toString()
}

function filesOf(path: string): string[] {
  if (path === '-' || !statSync(path).isDirectory()) return [path]
  const names = globSync('**/*.{yaml,yml,json}', { cwd: path }).toSorted()
  if (names.length === 0) throw new Error(`${path}: there is no *.yaml, *.yml or *.json in it`)
  return names.map(name => join(path, name))
}

/** A document that does not say where it begins needs a mark behind another one. */
function joined(first: string, second: string): string {
  if (first === '') return second
  const end = first.endsWith('\n') ? first : `${first}\n`
  return second.startsWith('---') ? end + second : `${end}---\n${second}`
}
