import { existsSync, mkdtempSync } from 'node:fs'
import path from 'node:path'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { pinnedNode } from '../../bin/pinned-node.js'
import { missingIn, plainConfiguration, startOutrigger, THIS_TREE } from '../contestants/outrigger.ts'
import { PROXY_CORE } from '../program.ts'
import type { Bench, Row } from '../row.ts'
import { median } from '../statistics.ts'
import { digits } from '../table.ts'

const RUNS = 10

/** P6: from the start of the process to its ready line, compared with a Node that does nothing. */
export const start: Row = {
  name: 'p6',
  run: async bench => {
    const compiled = path.join(THIS_TREE, 'dist')
    const trees = [{ name: 'Outrigger from source', tree: THIS_TREE, main: undefined as string | undefined }]
    const notes: string[] = []
    if (existsSync(path.join(compiled, 'sidecar', 'main.js')))
      trees.push({
        name: 'Outrigger compiled',
        tree: compiled,
        main: path.join(compiled, 'sidecar', 'main.js'),
      })
    else notes.push('not measured: Outrigger compiled: there is no dist/')
    const missing = missingIn(THIS_TREE)
    if (missing !== null) {
      notes.push(`not measured: Outrigger: ${missing}`)
      trees.length = 0
    }
    const bare: number[] = []
    const times = trees.map(({ name }) => ({ name, milliseconds: new Array<number>() }))
    // One run more than counted: the first fills the compile cache.
    for (let run = 0; run <= RUNS; run++) {
      const one = await bareNode()
      if (run > 0) bare.push(one)
      for (const [index, { name, tree, main }] of trees.entries()) {
        const milliseconds = await toReady(bench, name, tree, main)
        if (run > 0) times[index]?.milliseconds.push(milliseconds)
      }
    }
    const base = median(bare)
    return {
      figures: { bare, times },
      table: {
        title: `P6 from exec to ready (median of ${RUNS}, compile cache warm)`,
        columns: ['process', 'ms', 'above bare Node', 'fastest ms'],
        rows: [
          ['node -e 0', digits(base), '', digits(Math.min(...bare))],
          ...times.map(({ name, milliseconds }) => [
            name,
            digits(median(milliseconds)),
            digits(median(milliseconds) - base),
            digits(Math.min(...milliseconds)),
          ]),
        ],
        notes,
      },
    }
  },
}

async function toReady(bench: Bench, name: string, tree: string, main: string | undefined): Promise<number> {
  const folder = mkdtempSync(path.join(bench.folder, 'start-'))
  const began = performance.now()
  const { program } = await startOutrigger({
    name,
    tree,
    folder,
    config: plainConfiguration(bench.origin.port),
    compileCache: path.join(bench.folder, 'compile-cache'),
    ...(main !== undefined && { main }),
  })
  const took = performance.now() - began
  await program.stop()
  return took
}

async function bareNode(): Promise<number> {
  const began = performance.now()
  const child = spawn('taskset', ['-c', String(PROXY_CORE), pinnedNode() ?? process.execPath, '-e', '0'])
  await once(child, 'exit')
  return performance.now() - began
}
