import { mkdtempSync } from 'node:fs'
import path from 'node:path'
import type { Contestant, Entry, Place } from './contestant.ts'
import type { Options } from './options.ts'
import type { Origin } from './origin.ts'
import type { Table } from './table.ts'

/** What a row gets to run with. */
export interface Bench {
  readonly options: Options
  readonly origin: Origin
  /** A folder that is removed at the end. */
  readonly folder: string
  /** Tells the person at the terminal what goes on; never part of the result. */
  readonly say: (line: string) => void
}

/** What a row found: a table to read, and the figures behind it for --json. */
export interface RowResult {
  readonly table: Table
  readonly figures: unknown
}

/** One row of docs/performance.md. */
export interface Row {
  readonly name: string
  readonly run: (bench: Bench) => Promise<RowResult>
}

/** A new folder and the origin's port, for one contestant. */
export function placeFor(bench: Bench): Place {
  const { port, streams } = bench.origin
  return { folder: mkdtempSync(path.join(bench.folder, 'entry-')), origin: port, streams }
}

/** Those that were asked for, started; the others with the reason why they are not there. */
export interface Field {
  readonly entries: readonly { readonly name: string; readonly entry: Entry }[]
  readonly notes: readonly string[]
}

/** Starts the contestants that take part. One that is missing or does not start is named, and the rest goes on. */
export async function assemble(bench: Bench, contestants: readonly Contestant[]): Promise<Field> {
  const entries: { name: string; entry: Entry }[] = []
  const notes: string[] = []
  for (const contestant of chosen(bench, contestants)) {
    const { name } = contestant
    const missing = contestant.missing()
    if (missing !== null) {
      notes.push(`not measured: ${name}: ${missing}`)
      continue
    }
    try {
      entries.push({ name, entry: await contestant.start(placeFor(bench)) })
    } catch (error) {
      notes.push(`not measured: ${name}: ${String(error).replaceAll('\n', ' ')}`)
    }
  }
  for (const note of notes) bench.say(note)
  return { entries, notes }
}

/** Stops them again. */
export async function dismiss(field: Field): Promise<void> {
  await Promise.all(field.entries.map(({ entry }) => entry.program.stop()))
}

function chosen(bench: Bench, contestants: readonly Contestant[]): readonly Contestant[] {
  const { only } = bench.options
  if (only === null) return contestants
  // A name chooses its variants too: `nginx` is also `nginx, access log`.
  return contestants.filter(({ name }) => only.some(word => name.toLowerCase().split(',')[0] === word))
}
