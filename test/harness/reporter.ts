import type { TestEvent } from 'node:test/reporters'
import { inspect } from 'node:util'

/** What the reporter says of one test that ended; one JSON line each. */
export interface Verdict {
  readonly outcome: 'passed' | 'failed' | 'skipped'
  /** The test's name, after those of the suites and tests around it. */
  readonly name: string
  /** Where the test stands, as `file:line:column`. */
  readonly place: string
  /** Why it was skipped; empty otherwise. */
  readonly reason: string
  /** The error as text, stack and causes included; empty where it did not fail. */
  readonly error: string
}

/** What a test said by `diagnostic`: the figure that it measured. One JSON line each, beside the verdicts. */
export interface Said {
  readonly said: string
}

/** The diagnostics that end every run: `tests 12`, `duration_ms 3.4`. */
const COUNT_LINE = /^[a-z_]+ [\d.]+$/

// The runner keeps only the message of an error that no test caught; its stack says where it came from.
process.on('uncaughtExceptionMonitor', error => process.stderr.write(inspect(error) + '\n'))

type End = Extract<TestEvent, { type: 'test:pass' | 'test:fail' }>

/**
 * A node:test reporter for the runner: one `Verdict` a line, as each test ends. A suite or a parent that failed only
 * because of what is inside is left out, so that each failure is counted once.
 */
export default async function* reporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const fullNames = new Map<number, string>()
  for await (const event of events) {
    if (event.type === 'test:start') {
      const { name, testId, parentId } = event.data
      const outer = parentId === undefined ? undefined : fullNames.get(parentId)
      fullNames.set(testId, outer === undefined ? name : `${outer} > ${name}`)
    }
    // An error after its test had ended belongs to no test: it goes to the file's output, which a failure prints.
    if (event.type === 'test:diagnostic' && !COUNT_LINE.test(event.data.message)) {
      process.stderr.write(event.data.message + '\n')
      const said: Said = { said: event.data.message }
      yield JSON.stringify(said) + '\n'
    }
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue
    const verdict = verdictOf(event, fullNames.get(event.data.testId) ?? event.data.name)
    if (verdict !== null) yield JSON.stringify(verdict) + '\n'
  }
}

function verdictOf(event: End, name: string): Verdict | null {
  const { data } = event
  const place = `${data.file}:${data.line}:${data.column}`
  const excuse = data.skip ?? data.todo
  if (excuse !== undefined && excuse !== false) {
    return { outcome: 'skipped', name, place, reason: typeof excuse === 'string' ? excuse : '', error: '' }
  }
  if (event.type === 'test:pass') {
    if (data.details.type === 'suite') return null
    return { outcome: 'passed', name, place, reason: '', error: '' }
  }
  const { error } = event.data.details
  if ('failureType' in error && error.failureType === 'subtestsFailed') return null
  return { outcome: 'failed', name, place, reason: '', error: inspect(error.cause ?? error, { depth: 6 }) }
}
