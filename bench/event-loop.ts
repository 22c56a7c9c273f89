/**
 * The longest turn of Outrigger's event loop since the last time anyone asked, in milliseconds, from its metrics. NaN
 * where it does not tell.
 */
export async function longestTurn(admin: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${admin}/metrics`)
  const text = await response.text()
  const seconds = /^outrigger_event_loop_lag_seconds\{[^}]*stat="max"[^}]*\} (\S+)$/m.exec(text)?.[1]
  return Number(seconds ?? Number.NaN) * 1000
}
