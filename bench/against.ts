import { execFileSync } from 'node:child_process'
import { symlinkSync } from 'node:fs'
import path from 'node:path'
import { outrigger, THIS_TREE } from './contestants/outrigger.ts'
import { figure, rounds, type Series } from './rounds.ts'
import { assemble, dismiss, type Bench, type Row } from './row.ts'
import { report } from './rows/plain.ts'

/** What "not slower" allows beyond the run's own spread. */
const TOLERANCE = 0.05

/**
 * This tree, another commit, and this tree a second time, in turn. The difference between the two runs of the same tree
 * is the spread: a difference to the other commit inside of it says nothing.
 */
export function against(commit: string): Row {
  return {
    name: 'p1',
    run: async bench => {
      const tree = path.join(bench.folder, 'other-tree')
      git('worktree', 'add', '--detach', tree, commit)
      // The folder goes with the run's own; this makes git forget it, also after a Ctrl-C.
      process.once('exit', () => git('worktree', 'prune'))
      symlinkSync(path.join(THIS_TREE, 'node_modules'), path.join(tree, 'node_modules'))
      const field = await assemble({ ...bench, options: { ...bench.options, only: null } }, [
        outrigger({ name: 'this tree' }),
        outrigger({ name: commit, tree }),
        outrigger({ name: 'this tree again' }),
      ])
      try {
        const series = await rounds(bench, field)
        return report(bench, series, [...compare(bench, series), ...field.notes])
      } finally {
        await dismiss(field)
      }
    },
  }
}

function compare(bench: Bench, series: readonly Series[]): readonly string[] {
  const [here, other, again] = series
  if (here === undefined || other === undefined || again === undefined) return []
  const cpu = (one: Series): number => figure(one, 'cpu', bench.options.best)
  const mine = (cpu(here) + cpu(again)) / 2
  const spread = Math.abs(cpu(here) - cpu(again)) / mine
  const change = mine / cpu(other) - 1
  const percent = (value: number): string => `${(value * 100).toFixed(1)} %`
  const slower = change > Math.max(spread, TOLERANCE)
  return [
    `spread between the two runs of this tree: ${percent(spread)} of CPU per request`,
    `this tree against ${other.name}: ${change > 0 ? '+' : ''}${percent(change)} CPU per request: ${slower ? 'SLOWER' : 'not slower'}`,
  ]
}

function git(...args: string[]): void {
  execFileSync('git', args, { cwd: THIS_TREE, stdio: ['ignore', 'ignore', 'inherit'] })
}
