import { spawn } from 'node:child_process'

/** How a child process ended, and what it said. */
export interface ChildEnd {
  /** The exit code; null where a signal ended it. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Whether the runner killed it because its time was over. */
  readonly timedOut: boolean
  /** stdout and stderr as they came, the last mebibyte of it. */
  readonly output: string
  readonly seconds: number
}

const KEPT_OUTPUT = 1_048_576

/** Groups that run now, so that an interrupted run leaves nothing behind. */
const groups = new Set<number>()

/**
 * Runs a program to its end in a process group of its own, without stdin. When its time is over, or when it ended, the
 * whole group is killed: what a test started never outlives it.
 * @param timeout in milliseconds
 */
export function runChild(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  timeout: number,
): Promise<ChildEnd> {
  const start = performance.now()
  return new Promise(resolve => {
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    const { pid } = child
    if (pid !== undefined) groups.add(pid)
    let output = ''
    let timedOut = false
    const keep = (text: string): void => {
      output += text
      if (output.length > 2 * KEPT_OUTPUT) output = output.slice(-KEPT_OUTPUT)
    }
    child.stdout.setEncoding('utf8').on('data', keep)
    child.stderr.setEncoding('utf8').on('data', keep)
    const timer = setTimeout(() => {
      timedOut = true
      if (pid !== undefined) killGroup(pid)
    }, timeout)
    child.on('error', error => keep(`${program}: ${error.message}\n`))
    // A grandchild may hold the pipes open: the group is killed at `exit`, so that `close` comes.
    child.on('exit', () => {
      if (pid !== undefined) killGroup(pid)
    })
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      if (pid !== undefined) groups.delete(pid)
      resolve({
        code,
        signal,
        timedOut,
        output: output.slice(-KEPT_OUTPUT),
        seconds: (performance.now() - start) / 1000,
      })
    })
  })
}

/** Kills everything that runs: for a run that is interrupted. */
export function killAll(): void {
  for (const pid of groups) killGroup(pid)
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // nobody of the group is left
  }
}
