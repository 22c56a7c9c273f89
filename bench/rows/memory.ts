import { existsSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { nginx } from '../contestants/nginx.ts'
import { haproxy } from '../contestants/haproxy.ts'
import { compiledMain, outrigger } from '../contestants/outrigger.ts'
import { LOAD_CORE, Program } from '../program.ts'
import { memory, type Memory } from '../process-figures.ts'
import { assemble, dismiss, type Row } from '../row.ts'
import { digits } from '../table.ts'

const CONNECTIONS = 5000
const SETTLE_MS = 2000
/** The child that loads the configuration ends 30 s after its last work. */
const LOADER_MS = 33_000

/** P5: memory of a proxy that waits, without and with 5,000 idle client connections. */
export const memoryRow: Row = {
  name: 'p5',
  run: async bench => {
    const field = await assemble(bench, [
      nginx(),
      haproxy,
      outrigger({ compiled: existsSync(compiledMain()) }),
    ])
    try {
      await pause(LOADER_MS)
      const figures: { name: string; idle: Memory; connected: Memory }[] = []
      for (const { name, entry } of field.entries) {
        const idle = memory(entry.program.pid)
        const crowd = new Program({
          name: 'idle connections',
          command: process.execPath,
          args: [
            path.join(import.meta.dirname, '..', 'idle-connections.ts'),
            String(entry.port),
            String(CONNECTIONS),
          ],
          core: LOAD_CORE,
        })
        await crowd.until(line => (line === 'open' ? true : null))
        await pause(SETTLE_MS)
        const connected = memory(entry.program.pid)
        figures.push({ name, idle, connected })
        await crowd.stop()
        bench.say(
          `${name}: ${idle.resident.toFixed(1)} MiB idle, ${connected.resident.toFixed(1)} MiB with connections`,
        )
      }
      return {
        figures,
        table: {
          title: `P5 memory, idle and with ${CONNECTIONS} idle connections that made one request each`,
          columns: [
            'proxy',
            'idle RSS MiB',
            'of it anonymous',
            'with connections MiB',
            'growth MiB',
            'KiB a connection',
          ],
          rows: figures.map(({ name, idle, connected }) => [
            name,
            digits(idle.resident, 1),
            digits(idle.anonymous, 1),
            digits(connected.resident, 1),
            digits(connected.resident - idle.resident, 1),
            digits(((connected.resident - idle.resident) * 1024) / CONNECTIONS, 1),
          ]),
          notes: field.notes,
        },
      }
    } finally {
      await dismiss(field)
    }
  },
}
