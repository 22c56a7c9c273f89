import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { Outrigger } from '../harness/outrigger.ts'
import { type Suite, Tally } from './suite.ts'

/** grpc/grpc-node, test/interop: gRPC's own cases, between its client and its server through an edge and a sidecar. */
export const grpcInterop: Suite = {
  name: 'grpc-node interop',
  variable: 'GRPC_NODE_DIR',
  source: 'github.com/grpc/grpc-node, where `npm i --no-save lodash` was run in its folder `test`',
  run: async folder => {
    const tally = new Tally()
    const server = start(path.resolve(folder))
    const proxies: Outrigger[] = []
    try {
      let port = Number(/^port (\d+)$/m.exec(await until(server, /^port \d+$/m))?.[1])
      for (const role of ['inbound', 'edge'] as const) {
        const proxy = await Outrigger.start(hop(role, port))
        proxies.push(proxy)
        port = proxy.port('suites')
      }
      const report = await until(start(path.resolve(folder), `127.0.0.1:${port}`), null)
      for (const [, ok, name = '', why = ''] of report.matchAll(/^(?:(ok)|FAILED) (\w+)(?:: (.*))?$/gm))
        tally.judge(name, ok === undefined ? why : null)
      const { passed, failed } = tally.result()
      if (passed + failed.length === 0) tally.judge('the suite', `ran no case:\n${report.slice(-2000)}`)
    } catch (error) {
      tally.judge('the suite', String(error))
    } finally {
      server.kill()
      for (const proxy of proxies) await proxy.stop('SIGKILL')
    }
    return tally.result()
  },
}

function hop(role: string, port: number): string {
  return `version: 1
service: suites
listeners:
  - { name: suites, role: ${role}, address: "127.0.0.1:0", upstream: next, requestSize: off }
upstreams:
  next: { url: "http://127.0.0.1:${port}", protocol: http2 }
admin: { address: 127.0.0.1:0 }
telemetry: { accessLog: { write: off } }
`
}

function start(...args: string[]): ChildProcess {
  const script = path.join(import.meta.dirname, 'grpc-interop-run.ts')
  return spawn(process.execPath, ['--no-deprecation', script, ...args], { timeout: 120_000 })
}

/** Everything that it prints, until it prints this, or to its end. */
function until(child: ChildProcess, pattern: RegExp | null): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (part: Buffer) => {
        text += part.toString()
        if (pattern?.test(text) === true) resolve(text)
      })
    child.once('error', reject)
    child.once('close', () => (pattern === null ? resolve(text) : reject(new Error(text.slice(-2000)))))
  })
}
