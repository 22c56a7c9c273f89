import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { notInstalled, type Contestant, type Place } from '../contestant.ts'
import { programPath } from '../../test/harness/needs.ts'
import { freePort } from '../../test/harness/free-port.ts'
import { Program, PROXY_CORE } from '../program.ts'

/** HAProxy with one thread. */
export const haproxy: Contestant = haproxyTo(({ origin }) => `127.0.0.1:${origin}`)

/** The same to an origin of HTTP/2. Clients speak either: the first bytes say it. */
export const haproxyStreams: Contestant = haproxyTo(({ streams }) => `127.0.0.1:${streams} proto h2`)

function haproxyTo(server: (place: Place) => string): Contestant {
  return {
    name: 'HAProxy',
    missing: () =>
      programPath('haproxy') === null ? notInstalled('HAProxy', 'apt-get install haproxy') : null,
    start: async place => {
      const { folder } = place
      const port = await freePort()
      const file = path.join(folder, 'haproxy.cfg')
      writeFileSync(
        file,
        `global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  http-reuse always
  option forwardfor
  unique-id-format %{+X}o%ci:%cp_%Ts_%rt
  unique-id-header X-Request-Id
frontend bench
  bind 127.0.0.1:${port} backlog 4096
  http-request set-header X-Forwarded-Proto http
  default_backend origin
backend origin
  server origin ${server(place)}
`,
      )
      const command = programPath('haproxy') ?? 'haproxy'
      const program = new Program({ name: 'HAProxy', command, args: ['-db', '-f', file], core: PROXY_CORE })
      await program.listening(port)
      return { program, port }
    },
  }
}
