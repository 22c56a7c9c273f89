import type { Clock } from '../runtime/clock.ts'
import type { BufferedWriter } from './buffered-writer.ts'
import { boundedText, jsonString, terminalLine, terminalText, Timestamps } from './log-text.ts'
import { isSecretField, REDACTED } from './redaction.ts'

/** The levels from the least grave to the gravest; a log writes its own level and what is graver. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
/** How grave a line is. */
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Whether the text names a level. */
export function isLogLevel(text: string): text is LogLevel {
  return LOG_LEVELS.some(level => level === text)
}

/** What a line says beside its message. Values of secret names are not shown. */
export type LogFields = Readonly<Record<string, unknown>>

/** What the parts of Outrigger write their own events to. */
export interface Log {
  level: LogLevel
  trace(message: string, fields?: LogFields): void
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  fatal(message: string, fields?: LogFields): void
}

const DEPTH = 4
const MEMBERS = 64
const STACK_BYTES = 8_192

/**
 * The process log: JSON lines with `time`, `level`, `msg` and fields, or a readable form for a terminal. It shares
 * its writer with the access log, so it is bounded and drops lines rather than wait for a reader that stalls.
 */
export class ProcessLog implements Log {
  level: LogLevel
  readonly #writer: BufferedWriter
  readonly #format: 'json' | 'text'
  readonly #clock: Clock
  readonly #times = new Timestamps()

  constructor(writer: BufferedWriter, format: 'json' | 'text', level: LogLevel, clock: Clock) {
    this.#writer = writer
    this.#format = format
    this.level = level
    this.#clock = clock
  }

  trace(message: string, fields?: LogFields): void {
    this.#log('trace', message, fields)
  }
  debug(message: string, fields?: LogFields): void {
    this.#log('debug', message, fields)
  }
  info(message: string, fields?: LogFields): void {
    this.#log('info', message, fields)
  }
  warn(message: string, fields?: LogFields): void {
    this.#log('warn', message, fields)
  }
  error(message: string, fields?: LogFields): void {
    this.#log('error', message, fields)
  }
  fatal(message: string, fields?: LogFields): void {
    this.#log('fatal', message, fields)
  }

  #log(level: LogLevel, message: string, fields: LogFields | undefined): void {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(this.level)) return
    const time = this.#times.format(this.#clock.wall())
    this.#writer.write(
      this.#format === 'json'
        ? jsonLine(time, level, message, fields)
        : textLine(time, level, message, fields),
    )
  }
}

function jsonLine(time: string, level: LogLevel, message: string, fields: LogFields | undefined): string {
  let line = `{"time":"${time}","level":"${level}","msg":${jsonString(boundedText(message))}`
  for (const name in fields) {
    // The three that every line has cannot be written twice.
    if (name === 'time' || name === 'level' || name === 'msg' || fields[name] === undefined) continue
    line += `,${jsonString(boundedText(name))}:${jsonValue(name, fields[name], 0)}`
  }
  return line + '}\n'
}

function textLine(time: string, level: LogLevel, message: string, fields: LogFields | undefined): string {
  let line = `${time.slice(11, 23)} ${level.toUpperCase().padEnd(5)} ${terminalLine(boundedText(message))}`
  let stack = ''
  for (const name in fields) {
    const value = fields[name]
    if (value === undefined) continue
    if (value instanceof Error && value.stack !== undefined) {
      stack += value.stack
        .slice(0, STACK_BYTES)
        .split('\n')
        .map(one => `    ${terminalLine(one)}\n`)
        .join('')
    }
    const plain = typeof value === 'string' && !isSecretField(name)
    line += ` ${terminalText(name)}=${plain ? terminalText(boundedText(value)) : jsonValue(name, value, 0)}`
  }
  return `${line}\n${stack}`
}

function jsonValue(name: string, value: unknown, depth: number): string {
  if (isSecretField(name) && value !== null && typeof value !== 'number' && typeof value !== 'boolean')
    return `"${REDACTED}"`
  switch (typeof value) {
    case 'string':
      return jsonString(boundedText(value))
    case 'number':
      return Number.isFinite(value) ? String(value) : 'null'
    case 'boolean':
      return String(value)
    case 'bigint':
      return `"${value}"`
    case 'object':
      return value === null ? 'null' : jsonObject(name, value, depth)
    default:
      return 'null'
  }
}

function jsonObject(name: string, value: object, depth: number): string {
  if (depth === DEPTH) return '"..."'
  if (Array.isArray(value)) {
    // An array's members are whatever they are; each is looked at by itself.
    const members: unknown[] = value.slice(0, MEMBERS)
    return `[${members.map(member => jsonValue(name, member, depth + 1)).join(',')}]`
  }
  const entries = value instanceof Error ? errorEntries(value) : Object.entries(value)
  const members = entries
    .filter(([, member]) => member !== undefined)
    .slice(0, MEMBERS)
    .map(([key, member]) => `${jsonString(boundedText(key))}:${jsonValue(key, member, depth + 1)}`)
  return `{${members.join(',')}}`
}

function errorEntries(error: Error): [string, unknown][] {
  const entries: [string, unknown][] = [
    ['name', error.name],
    ['message', error.message],
  ]
  if ('code' in error && typeof error.code === 'string') entries.push(['code', error.code])
  if (error.stack !== undefined) entries.push(['stack', error.stack.slice(0, STACK_BYTES)])
  if (error.cause !== undefined) entries.push(['cause', error.cause])
  return entries
}
