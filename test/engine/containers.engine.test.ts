import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { mutate } from '../../injector/mutate.ts'
import { readSettings } from '../../injector/settings.ts'
import { SteadyLoad } from '../reliability/steady-load.ts'
import type { Engine } from './engine.ts'
import { engineOrSkip, IMAGE, ROOT } from './engine.ts'
import { Stack, until } from './stack.ts'
import { SystemdMachine } from './systemd.ts'

// The real Dockerfile and the real Compose files, on an engine of their own. What docs/deployment.md says of restarts
// is what happens here.

const SIDECARS = ['edge', 'orders', 'users']
const APPS = ['orders-app', 'users-app']
const MAX_OVER_BASE = 40_000_000
const ALONE = `version: 1
service: alone
listeners:
  - { name: in, role: inbound, address: ":8080", respond: { status: 204 } }
`

const [started, options] = await engineOrSkip()
after(async () => started?.stop())

describe('containers', options, () => {
  const engine = started as Engine // where there is none, the suite is skipped
  let folder: string
  before(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-containers-'))
    await engine.build()
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  describe('the image', () => {
    test('is small, runs as a number that is not root, and says how it is asked and ended', async () => {
      const [base = ''] =
        /^node:\S+/m.exec(await engine.docker('images', '--format', '{{.Repository}}:{{.Tag}}')) ?? []
      const size = async (name: string): Promise<number> => Number(await engine.inspect(name, '{{.Size}}'))
      const over = (await size(IMAGE)) - (await size(base))
      assert.ok(over > 0 && over < MAX_OVER_BASE, `${over} bytes over ${base}`)
      const config =
        '{{.Config.User}} {{.Config.StopSignal}} {{json .Config.Entrypoint}} {{json .Config.Healthcheck.Test}}'
      assert.equal(
        await engine.inspect(IMAGE, config),
        '65532:65532 SIGTERM ["outrigger"] ["CMD","outrigger","healthcheck"]',
      )
    })

    test('serves without a shell, a writable file, a capability or a second process, and drains to exit code 0', async () => {
      const config = path.join(folder, 'alone')
      mkdirSync(config)
      writeFileSync(path.join(config, 'outrigger.yaml'), ALONE)
      const shells = ['dash', 'bash'].flatMap(name => ['-v', `/dev/null:/usr/bin/${name}:ro`])
      const hard = [
        '--read-only',
        '--cap-drop',
        'ALL',
        '--security-opt',
        'no-new-privileges',
        '--memory',
        '256m',
      ]
      const own = ['--network', 'none', '--health-interval', '1s', '-v', `${config}:/etc/outrigger:ro`]
      await engine.docker('run', '-d', '--name', 'alone', ...hard, ...shells, ...own, IMAGE)
      await until(async () => {
        const state = await engine.inspect('alone', '{{.State.Status}} {{.State.Health.Status}}')
        return state === 'running healthy' ? null : `${state}: ${await engine.docker('logs', 'alone')}`
      })
      const [, ...processes] = (await engine.docker('top', 'alone', '-o', 'pid,args')).split('\n')
      const [first = '', ...others] = processes.map(line => line.trim().replace(/^\d+ +/, ''))
      assert.match(
        first,
        /^\/usr\/local\/bin\/node .*--max-old-space-size=192 .*\/main\.js run -c \/etc\/outrigger$/,
      )
      // The loader reads the configuration in a child that goes when there is nothing more to read.
      for (const other of others) assert.match(other, /config\/load\/child\.js$|healthcheck$/)
      await engine.docker('stop', '-t', '20', 'alone')
      assert.equal(await engine.inspect('alone', '{{.State.ExitCode}}'), '0')
    })

    test('is what Compose 1.29 builds too', async () => {
      const id = await engine.inspect(IMAGE, '{{.Id}}')
      await engine.run('docker-compose', [
        '-p',
        'stack',
        '-f',
        path.join(ROOT, 'docker-compose.yml'),
        'build',
        'edge',
      ])
      assert.equal(await engine.inspect(IMAGE, '{{.Id}}'), id)
    })

    test('without a configuration it ends with exit code 1 and says which file it looked for', async () => {
      const end = await engine.tries('docker', ['run', '--rm', '--network', 'none', IMAGE])
      assert.equal(end.code, 1)
      assert.match(end.text, /\/etc\/outrigger/)
    })
  })

  test('deploy/capture sets the packet filter of a pod as its container may: read-only, with NET_ADMIN alone, and again', async () => {
    const settings = readSettings({ image: IMAGE, captureImage: 'capture', inject: 'enabled' })
    assert.ok(typeof settings !== 'string')
    const app = { name: 'orders', ports: [{ containerPort: 8080 }] }
    const annotations = { 'outrigger.dev/capture': 'inbound' }
    const { pod } = mutate({ metadata: { annotations }, spec: { containers: [app] } }, settings)
    const [capture] = (pod as { spec: { initContainers: { name: string; command: string[] }[] } }).spec
      .initContainers
    assert.equal(capture?.name, 'outrigger-capture')
    // The image of Debian is not here; the one that the others stand on is as good.
    const [base = ''] =
      /^node:\S+/m.exec(await engine.docker('images', '--format', '{{.Repository}}:{{.Tag}}')) ?? []
    const build = ['--network', 'host', '--build-arg', `BASE=${base}`, '-t', 'capture']
    await engine.docker('build', ...build, path.join(ROOT, 'deploy', 'capture'))
    const rights = ['--user', '0:0', '--read-only', '--cap-drop', 'ALL', '--cap-add', 'NET_ADMIN']
    const hard = [...rights, '--security-opt', 'no-new-privileges', '--network', 'none']
    const [shell = '', ...rest] = capture.command
    const twice = `${rest.at(-1)}\n${rest.at(-1)}\niptables -t nat -S`
    const rules = await engine.docker('run', '--rm', ...hard, '--entrypoint', shell, 'capture', '-ec', twice)
    assert.deepEqual(
      rules.split('\n').filter(line => line.startsWith('-A')),
      [
        '-A PREROUTING -p tcp -j OUTRIGGER',
        '-A OUTRIGGER -p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 15006',
      ],
    )
  })

  describe('docker-compose.yml', () => {
    let stack: Stack
    before(async () => {
      stack = await Stack.up(engine)
      await stack.asked('/api/orders/1', answer => answer.status === 200)
    })
    after(async () => stack.down())

    test('serves through edge and sidecars, and Prometheus has all three with the rules', async () => {
      const { body } = await stack.ask('/api/orders/1')
      assert.deepEqual(JSON.parse(body), {
        id: '1',
        userId: '1',
        item: 'tea',
        quantity: 2,
        customer: 'Ada Byron',
      })
      assert.equal((await stack.ask('/api/users/2')).status, 200)
      await until(async () => {
        const up = await stack.ask('/api/v1/query?query=sum(up)', stack.prometheusPort)
        return /"value":\[[\d.]+,"3"\]/.test(up.body) ? null : up.body
      })
      const rules = await stack.ask('/api/v1/rules', stack.prometheusPort)
      for (const name of ['HighErrorRate', 'GatewayDown']) assert.match(rules.body, new RegExp(`"${name}"`))
    })

    test('a service is reached through its sidecar and not otherwise', async () => {
      const script = `for (const port of [8080, 8011])
        await fetch('http://orders:' + port + '/healthz').then(answer => console.log(port, answer.status), error => console.log(port, error.cause.code))`
      const told = await engine.docker(
        'exec',
        stack.container('edge'),
        'node',
        '--input-type=module',
        '-e',
        script,
      )
      assert.equal(told, '8080 200\n8011 ECONNREFUSED')
    })

    test('every container is read-only, without capabilities and not root', async () => {
      const containers = (await engine.docker('ps', '--format', '{{.Names}}')).split('\n')
      assert.equal(containers.length, 7)
      for (const name of containers) {
        const template =
          '{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.Config.User}}'
        assert.match(
          await engine.inspect(name, template),
          /^true \[ALL\] \[no-new-privileges:true\] [1-9]\d*:\d+$/,
          name,
        )
      }
    })

    test('a changed file takes effect within seconds, one with a mistake changes nothing, and no request fails', async () => {
      const load = new SteadyLoad(stack.port, 50, { path: () => '/api/orders/1' })
      const file = 'examples/compose/edge/outrigger.yaml'
      stack.edit(file, 'Hello from the edge', 'Changed')
      const took = await stack.asked('/hello', answer => answer.body.includes('Changed'), 10_000)
      assert.ok(took < 5000, `${took} ms`)
      stack.edit('examples/compose/orders/outrigger.yaml', 'timeout: 2s', 'timeout: 3s')
      await logs('orders', /"msg":"reloaded"/)
      stack.edit(file, 'stripPrefix', 'stripPrefixes')
      await logs('edge', /"msg":"reload[^"]*","[^\n]*stripPrefixes/)
      stack.edit(file, 'stripPrefixes', 'stripPrefix')
      await pause(2000)
      const outcome = await load.stop()
      assert.deepEqual({ failed: outcome.failed, refused: outcome.refused }, { failed: {}, refused: 0 })
      assert.ok(outcome.ok > 100)
    })

    test('a service that crashed is back by itself; one whose sidecar crashed has to be restarted, and says so', async () => {
      const health = async (): Promise<string> =>
        engine.inspect(stack.container('orders-app'), '{{.State.Health.Status}}')
      await engine.crash(stack.container('orders-app'))
      await until(async () => {
        const count = await engine.inspect(stack.container('orders-app'), '{{.RestartCount}}')
        return count === '1' ? null : `restarted ${count} times`
      })
      await stack.asked('/api/orders/1', answer => answer.status === 200)

      await engine.crash(stack.container('orders'))
      await stack.asked(
        '/api/orders/1',
        answer => answer.status === 502 && answer.body.includes('upstream_connect_failed'),
      )
      await until(async () => ((await health()) === 'unhealthy' ? null : health()))
      assert.equal((await stack.ask('/api/users/1')).status, 200)
      await stack.compose('restart', 'orders-app')
      await stack.asked('/api/orders/1', answer => answer.status === 200)
      await until(async () => ((await health()) === 'healthy' ? null : health()))
    })

    test('stop drains: what comes during the notice is answered, nothing is cut, exit code 0 everywhere', async () => {
      const load = new SteadyLoad(stack.port, 50, { path: () => '/api/orders/1' })
      const stopped = stack.compose('stop')
      await logs('edge', /"msg":"draining"/)
      await pause(1500) // the edge listens on for 5 s, so that load balancers notice
      const outcome = await load.stop()
      assert.deepEqual({ failed: outcome.failed, refused: outcome.refused }, { failed: {}, refused: 0 })
      assert.ok(outcome.ok > 50)
      await stopped
      for (const name of [...SIDECARS, ...APPS])
        assert.equal(await engine.inspect(stack.container(name), '{{.State.ExitCode}}'), '0', name)
      for (const name of SIDECARS) await logs(name, /"msg":"stopped","cut":0/)
    })

    /** Waits for a line of a container's log. */
    async function logs(service: string, pattern: RegExp): Promise<void> {
      await until(async () => {
        const { text } = await engine.run('docker', ['logs', '--tail', '200', stack.container(service)])
        return pattern.test(text) ? null : `${service} logged no ${pattern}:\n${text.slice(-2000)}`
      }, 15_000)
    }
  })

  test('deploy/outrigger.service starts it as nobody with a filter of system calls, reloads it, and drains it', async () => {
    const place = path.join(folder, 'systemd')
    mkdirSync(place)
    // Port 80: what the unit's one capability is for.
    const yaml = ALONE.replace(':8080', ':80')
    const machine = await SystemdMachine.start(engine, place, yaml)
    try {
      const status = await machine.run('cat', `/proc/${await machine.property('MainPID')}/status`)
      assert.match(status, /^Uid:\t[1-9]\d+\t/m)
      assert.match(status, /^CapEff:\t0{13}400$/m)
      assert.match(status, /^NoNewPrivs:\t1$/m)
      assert.match(status, /^Seccomp:\t2$/m)
      const ask = "fetch('http://127.0.0.1:80/').then(answer => console.log(answer.status))"
      assert.equal(await machine.run('node', '-e', ask), '204')
      await machine.run('sed', '-i', 's/status: 204/status: 202/', '/etc/outrigger/outrigger.yaml')
      await machine.run('systemctl', 'reload', 'outrigger')
      await machine.logged(/"msg":"reloaded"/)
      assert.equal(await machine.run('node', '-e', ask), '202')
      await machine.run('systemctl', 'stop', 'outrigger')
      assert.equal(await machine.property('Result'), 'success')
      await machine.logged(/"msg":"stopped","cut":0/)
    } finally {
      await machine.stop()
    }
  })

  test('examples/compose-dev: the sidecar has the name and the port of the service', async () => {
    const stack = await Stack.up(engine, 'examples/compose-dev/docker-compose.yml')
    try {
      await stack.asked('/anything', answer => /"requestId":"\w+/.test(answer.body))
      await stack.compose('stop')
      for (const name of ['shop', 'shop-app'])
        assert.equal(await engine.inspect(stack.container(name), '{{.State.ExitCode}}'), '0', name)
    } finally {
      await stack.down()
    }
  })
})
