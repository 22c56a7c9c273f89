// `outrigger injector` as a process: how it starts, how it ends, and what it says where it cannot.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { isObject } from '../../sidecar/kubernetes/api-object.ts'
import { programEntry } from '../harness/entry.ts'
import { FakeCluster, reviewOf } from '../harness/fake-cluster.ts'
import { eventually } from '../harness/running-injector.ts'

const POD = {
  metadata: { name: 'orders', labels: { app: 'orders', 'outrigger.dev/inject': 'enabled' } },
  spec: { containers: [{ name: 'orders', ports: [{ name: 'http', containerPort: 8080 }] }] },
}

/** A process of the command, and its log. */
class InjectorProcess {
  readonly child: ChildProcess
  stderr = ''
  readonly #exit: Promise<unknown[]>

  constructor(env: Record<string, string>, args: readonly string[]) {
    const all = [programEntry(), 'injector', ...args]
    this.child = spawn(process.execPath, all, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'], ...env },
    })
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.#exit = once(this.child, 'close')
  }

  async exit(): Promise<number | null> {
    await this.#exit
    return this.child.exitCode
  }

  /** The fields of a line of the log, once it is there. */
  async logged(message: string): Promise<Record<string, unknown>> {
    const find = (): string | undefined =>
      this.stderr.split('\n').find(line => line.includes(`"msg":"${message}"`))
    await eventually(() => find() !== undefined)
    const line: unknown = JSON.parse(find() ?? '{}')
    assert.ok(isObject(line))
    return line
  }
}

describe('in a pod', () => {
  let cluster: FakeCluster
  let folder: string
  const children: InjectorProcess[] = []
  before(async () => {
    cluster = await FakeCluster.create()
    folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-injector-'))
  })
  after(async () => {
    for (const { child } of children) child.kill('SIGKILL')
    await cluster.close()
    rmSync(folder, { recursive: true, force: true })
  })

  function start(...args: string[]): InjectorProcess {
    const listen = ['--port', '0', '--admin-port', '0', '--address', '127.0.0.1']
    const account = ['--service-account', cluster.serviceAccount]
    const child = new InjectorProcess({ ...cluster.env, POD_NAME: 'injector-1' }, [
      ...listen,
      ...account,
      ...args,
    ])
    children.push(child)
    return child
  }

  async function portsOf(child: InjectorProcess): Promise<{ port: number; admin: number }> {
    const { port, adminPort } = await child.logged('listening')
    await child.logged('ready')
    return { port: Number(port), admin: Number(adminPort) }
  }

  const readyz = async (admin: number): Promise<number> =>
    (await fetch(`http://127.0.0.1:${admin}/readyz`)).status

  test('it answers as its settings say, and SIGTERM ends it without a review that is lost', async () => {
    const settings = path.join(folder, 'settings.yaml')
    writeFileSync(settings, 'image: from-the-file:1\nlogLevel: debug\n')
    const child = start('--settings', settings, '--config-map', 'policies')
    const { port, admin } = await portsOf(child)
    const { object, isPatched } = await cluster.review(port, POD)
    assert.ok(isPatched)
    assert.match(JSON.stringify(object), /"image":"from-the-file:1".*"name":"policies"/)
    await eventually(() => cluster.events.length > 0)
    const [event] = cluster.events
    assert.deepEqual(event?.['regarding'], {
      apiVersion: 'v1',
      kind: 'Pod',
      namespace: 'shop',
      name: 'orders',
    })
    assert.equal(event['reportingInstance'], 'injector-1')

    // One review is under way when the signal comes: the API server, asked for the namespace, takes its time.
    let release = (): void => {}
    const asked = new Promise<void>(resolve => {
      cluster.api.intercept = ({ path: where }, response) => {
        if (where !== '/api/v1/namespaces/slow') return false
        release = () => void response.writeHead(200).end('{"metadata":{"labels":{}}}')
        resolve()
        return true
      }
    })
    const agent = new https.Agent({ keepAlive: true })
    const slow = cluster.review(port, POD, { namespace: 'slow' })
    await asked
    child.child.kill('SIGTERM')
    await eventually(async () => (await readyz(admin)) === 503)
    // Who was told last that it is there still comes, and is told to go.
    const body = JSON.stringify(reviewOf(POD))
    const late = await cluster.ask(port, { body, agent })
    assert.deepEqual([late.status, late.headers['connection']], [200, 'close'])
    release()
    assert.ok((await slow).isPatched)
    assert.equal(await child.exit(), 0)
    agent.destroy()
    await assert.rejects(cluster.handshake(port), /ECONNREFUSED/)
  })

  test('Ctrl-C ends it at once, and what has to be cut is counted', async () => {
    const first = start()
    await portsOf(first)
    first.child.kill('SIGINT')
    assert.equal(await first.exit(), 0)

    const second = start()
    const { port } = await portsOf(second)
    const asked = new Promise<void>(resolve => {
      cluster.api.intercept = ({ path: where }) => {
        if (where === '/api/v1/namespaces/silent') resolve()
        return where === '/api/v1/namespaces/silent'
      }
    })
    const silent = assert.rejects(cluster.review(port, POD, { namespace: 'silent' }), /ECONNRESET|hang up/)
    await asked
    second.child.kill('SIGINT')
    second.child.kill('SIGTERM')
    await silent
    assert.equal(await second.exit(), 4)
    cluster.api.intercept = () => false
  })

  test('a token that is renewed is read again', async () => {
    const child = start()
    const { port, admin } = await portsOf(child)
    cluster.api.tokens.clear()
    cluster.api.tokens.add('renewed')
    writeFileSync(path.join(cluster.serviceAccount, 'token'), 'renewed')
    cluster.namespace('new', {})
    assert.ok((await cluster.review(port, POD, { namespace: 'new' })).isPatched)
    assert.equal(await readyz(admin), 200)
    child.child.kill('SIGINT')
    assert.equal(await child.exit(), 0)
  })

  test('a port that somebody else has: 3', async () => {
    const server = net.createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const taken = String((server.address() as net.AddressInfo).port) // it listens on TCP
    for (const name of ['--port', '--admin-port']) {
      const child = start(name, taken)
      assert.equal(await child.exit(), 3)
      assert.equal(
        child.stderr.trim().split('\n').at(-1),
        `outrigger injector: cannot listen on port ${taken}: EADDRINUSE; see ${name}`,
      )
    }
    server.close()
  })

  test('settings that are wrong: 1', async () => {
    const settings = path.join(folder, 'wrong.yaml')
    writeFileSync(settings, 'imagine: x\n')
    const child = start('--settings', settings)
    assert.equal(await child.exit(), 1)
    assert.match(child.stderr, /^outrigger injector: .*imagine/)
  })
})

for (const [args, env, text] of [
  [[], {}, 'it runs in a pod: KUBERNETES_SERVICE_HOST is not set'],
  [['--port', '70000'], {}, '--port: 70000 is no port'],
  [['--tls-cert', 'x'], {}, '--tls-cert and --tls-key go together'],
  [['--secret', '../x'], {}, '--secret: "../x" is no name of Kubernetes'],
  [['--log-level', 'loud'], {}, 'loud is no log level'],
  [['--nosuch'], {}, "Unknown option '--nosuch'"],
  [
    ['--service-account', '/nonexistent'],
    { KUBERNETES_SERVICE_HOST: '127.0.0.1' },
    'its namespace is not known; say --namespace',
  ],
] as const) {
  test(`${args.join(' ') || 'outside of a pod'}: 2, ${text}`, async () => {
    const child = new InjectorProcess({ ...env }, args)
    assert.equal(await child.exit(), 2)
    assert.equal(child.stderr, `outrigger injector: ${text}; see outrigger injector --help\n`)
  })
}

test('docs/injector-webhook.md: every metric, every option, every reason of an error', () => {
  const read = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')
  const page = read('docs/injector-webhook.md')
  const names = (text: string, pattern: RegExp): Set<string> =>
    new Set([...text.matchAll(pattern)].map(([, name = '']) => name))
  const metrics = names(read('injector/webhook/webhook-metrics.ts'), /'(outrigger_\w+)'/g)
  assert.deepEqual(names(page, /^\| `(outrigger_\w+)`/gm), metrics)
  assert.ok(metrics.size > 5)
  const options = names(read('sidecar/commands/injector.ts'), /^ {2}(--[a-z-]+) /gm)
  assert.deepEqual(
    [...options].filter(option => !page.includes(`\`${option}`)),
    [],
  )
  assert.ok(options.size > 10)
  const sources = ['admission', 'admission-review', 'webhook-server']
    .map(name => read(`injector/webhook/${name}.ts`))
    .join('\n')
  const reasons = names(sources, /(?:reason: |refusal\(\d+, )'(\w+)'/g)
  assert.deepEqual(
    [...reasons].filter(reason => !page.includes(`\`${reason}\``)),
    [],
  )
  assert.ok(reasons.size > 8)
})
