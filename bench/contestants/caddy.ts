import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { notInstalled, type Contestant } from '../contestant.ts'
import { programPath } from '../../test/harness/needs.ts'
import { freePort } from '../../test/harness/free-port.ts'
import { Program, PROXY_CORE } from '../program.ts'

/** Caddy; the pinning leaves its scheduler one core, and GOMAXPROCS says so. */
export const caddy: Contestant = {
  name: 'Caddy',
  missing: () => (programPath('caddy') === null ? notInstalled('Caddy', 'apt-get install caddy') : null),
  start: async ({ folder, origin }) => {
    const port = await freePort()
    const file = path.join(folder, 'Caddyfile')
    writeFileSync(
      file,
      `{
  admin off
  auto_https off
  log {
    level ERROR
  }
}
http://:${port} {
  bind 127.0.0.1
  reverse_proxy http://127.0.0.1:${origin} {
    header_up X-Request-Id {http.request.uuid}
    transport http {
      keepalive_idle_conns_per_host 256
    }
  }
}
`,
    )
    const program = new Program({
      name: 'Caddy',
      command: programPath('caddy') ?? 'caddy',
      args: ['run', '--adapter', 'caddyfile', '--config', file],
      core: PROXY_CORE,
      env: { HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder, GOMAXPROCS: '1' },
    })
    await program.listening(port)
    return { program, port }
  },
}
