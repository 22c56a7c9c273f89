import { existsSync } from 'node:fs'
import path from 'node:path'
import { pinnedNode, v8Flags } from '../../bin/pinned-node.js'
import { notInstalled, type Contestant } from '../contestant.ts'
import { freePort } from '../../test/harness/free-port.ts'
import { Program, PROXY_CORE } from '../program.ts'

const peers = path.join(import.meta.dirname, '..', 'peers')

/** The proxies that Node programs are usually built with, under the same Node and the same V8 flags as Outrigger. */
export const nodePeers: readonly Contestant[] = [
  nodePeer('http-proxy', 'http-proxy.js'),
  nodePeer('fast-proxy', 'fast-proxy.js'),
  nodePeer('@fastify/http-proxy', 'fastify-http-proxy.js'),
]

function nodePeer(name: string, file: string): Contestant {
  return {
    name,
    missing: () =>
      existsSync(path.join(peers, 'node_modules', name))
        ? null
        : notInstalled(name, 'npm ci --prefix bench/peers'),
    start: async ({ origin }) => {
      const port = await freePort()
      const args = [...v8Flags(), path.join(peers, file), String(port), String(origin)]
      const program = new Program({
        name,
        command: pinnedNode() ?? process.execPath,
        args,
        core: PROXY_CORE,
        env: { NODE_ENV: 'production' },
      })
      await program.listening(port)
      return { program, port }
    },
  }
}
