/**
 * The longest turn of Outrigger's event loop since the last time anyone asked, in milliseconds, from its metrics. NaN
 * where it does not tell.
 */
export async function longestTurn(admin: number): Promise<number> {
  return (await eventLoopLag(admin)).max
}

/** How late the event loop was since the last time anyone asked, in milliseconds. */
export async function eventLoopLag(admin: number): Promise<{ p50: number; p99: number; max: number }> {
  const response = await fetch(`http://127.0.0.1:${admin}/metrics`)
  const text = await response.text()
  const read = (stat: string): number =>
    Number(
      new RegExp(`^outrigger_event_loop_lag_seconds\\{[^}]*stat="${stat}"[^}]*\\} (\\S+)$`, 'm').exec(
        text,
      )?.[1] ?? Number.NaN,
    ) * 1000
  return { p50: read('p50'), p99: read('p99'), max: read('max') }
}
