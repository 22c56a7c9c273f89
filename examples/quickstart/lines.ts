/** Prints a line of a member's output behind its name. The process log of a proxy is JSON off a terminal; here it is made readable. */
export function printLine(name: string, line: string): void {
  const { msg, level: _level, time: _time, pid: _pid, hostname: _host, ...rest } = logEntry(line) ?? {}
  const details = Object.entries(rest).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  const text = typeof msg === 'string' ? [msg, ...details].join(' ') : line
  for (const part of text.split('\n')) console.log(`${name.padEnd(14)} | ${part}`)
}

/** Whether a proxy says in this line that it serves. */
export function saysReady(line: string): boolean {
  return logEntry(line)?.['msg'] === 'ready'
}

function logEntry(line: string): Readonly<Record<string, unknown>> | null {
  if (!line.startsWith('{')) return null
  try {
    const entry: unknown = JSON.parse(line)
    return typeof entry === 'object' && entry !== null ? { ...entry } : null
  } catch {
    return null
  }
}
