import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { freePort } from '../harness/free-port.ts'
import { Outrigger } from '../harness/outrigger.ts'
import type { LogLine } from '../harness/outrigger.ts'
import { askOnce, RawClient } from '../harness/raw-client.ts'
import { RawUpstream } from '../harness/raw-upstream.ts'

const ASK = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'

/** A listener that answers by itself. */
function answering(name: string, body: string, port = 0): string {
  return `  - { name: ${name}, role: inbound, address: "127.0.0.1:${port}", respond: { body: ${body} } }\n`
}

/** A listener with one route to the upstream `app`. */
function forwarding(name: string): string {
  return `  - { name: ${name}, role: inbound, address: "127.0.0.1:0", upstream: app }\n`
}

function yaml(listeners: string, upstream?: number): string {
  const upstreams =
    upstream === undefined ? '' : `upstreams: { app: { url: "http://127.0.0.1:${upstream}" } }\n`
  return `version: 1\nservice: reload\nadmin: { address: "127.0.0.1:0" }\n${upstreams}listeners:\n${listeners}`
}

async function start(context: TestContext, text: string): Promise<Outrigger> {
  const outrigger = await Outrigger.start(text)
  // What is asserted is over by then; a drain would only take time.
  context.after(() => outrigger.stop('SIGKILL'))
  return outrigger
}

const isSwap = (line: LogLine): boolean => line.msg === 'reloaded' && line['changed'] === true
const isRefusal = (line: LogLine): boolean => line.msg.startsWith('reload refused')

/** Changes the file, and waits for one more line of a kind. */
async function change(
  outrigger: Outrigger,
  text: string,
  kind: (line: LogLine) => boolean,
): Promise<LogLine> {
  const before = outrigger.log().filter(kind).length
  outrigger.write(text)
  await outrigger.logged(line => kind(line) && outrigger.log().filter(kind).length > before)
  return outrigger.log().filter(kind)[before] as LogLine // it was waited for
}

async function connected(context: TestContext, port: number): Promise<RawClient> {
  const client = await RawClient.connect(port)
  context.after(() => client.destroy())
  return client
}

async function upstreamFor(context: TestContext): Promise<RawUpstream> {
  const upstream = await RawUpstream.listen()
  context.after(() => upstream.close())
  return upstream
}

async function bodyOf(client: RawClient): Promise<string> {
  return (await client.ask(ASK)).body.toString()
}

async function metric(outrigger: Outrigger, line: string): Promise<string | undefined> {
  const ask = 'GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n'
  const text = (await askOnce(outrigger.adminPort, ask)).body.toString()
  return text
    .split('\n')
    .find(one => one.startsWith(`${line} `))
    ?.slice(line.length + 1)
}

describe('a reload', { concurrency: 2 }, () => {
  test('takes effect on connections that are open', async context => {
    const outrigger = await start(context, yaml(answering('in', 'one')))
    const client = await connected(context, outrigger.port('in'))
    assert.equal(await bodyOf(client), 'one')
    await change(outrigger, yaml(answering('in', 'two')), isSwap)
    assert.equal(await bodyOf(client), 'two')
  })

  test('of an invalid file changes nothing, and says so', async context => {
    const outrigger = await start(context, yaml(answering('in', 'good')))
    const client = await connected(context, outrigger.port('in'))
    const wrong = yaml(answering('in', 'bad')).replace('role: inbound', 'role: inbuond')
    const line = await change(outrigger, wrong, isRefusal)
    assert.match(String(line['errors']), /sidecar\.yaml:5:\d+: .*inbuond[^]*did you mean `inbound`\?/)
    assert.equal(await bodyOf(client), 'good')
    assert.equal(await metric(outrigger, 'outrigger_config_last_reload_successful'), '0')
    assert.notEqual(await metric(outrigger, 'outrigger_config_reloads_total{result="failure"}'), '0')
    await change(outrigger, yaml(answering('in', 'better')), isSwap)
    assert.equal(await bodyOf(client), 'better')
    assert.equal(await metric(outrigger, 'outrigger_config_last_reload_successful'), '1')
  })

  test('leaves an upgraded connection alone, also when its route is gone', async context => {
    const upstream = await upstreamFor(context)
    const outrigger = await start(context, yaml(forwarding('in'), upstream.port))
    const client = await connected(context, outrigger.port('in'))
    client.send('GET / HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n')
    const server = await upstream.accept()
    await server.readUntil('\r\n\r\n')
    server.send('HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n')
    assert.match(await client.readUntil('\r\n\r\n'), /^HTTP\/1\.1 101 /)
    for (const body of ['one', 'two']) {
      await change(outrigger, yaml(answering('in', body)), isSwap)
      client.send(`up ${body}`)
      assert.equal(await server.readUntil(body), `up ${body}`)
      server.send(`down ${body}`)
      assert.equal(await client.readUntil(body), `down ${body}`)
    }
    const other = await connected(context, outrigger.port('in'))
    assert.equal(await bodyOf(other), 'two')
  })

  test('lets a request that is under way end with the configuration it began with', async context => {
    const upstream = await upstreamFor(context)
    const outrigger = await start(context, yaml(forwarding('in'), upstream.port))
    const client = await connected(context, outrigger.port('in'))
    client.send(ASK)
    const server = await upstream.accept()
    await server.readUntil('\r\n\r\n')
    await change(outrigger, yaml(answering('in', 'new')), isSwap)
    server.send('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nold')
    assert.equal((await client.readResponse()).body.toString(), 'old')
    assert.equal(await bodyOf(client), 'new')
  })

  test('drains a listener that is gone', async context => {
    const upstream = await upstreamFor(context)
    const kept = answering('kept', 'kept')
    const outrigger = await start(context, yaml(kept + forwarding('gone'), upstream.port))
    const stays = await connected(context, outrigger.port('kept'))
    const busy = await connected(context, outrigger.port('gone'))
    const idle = await connected(context, outrigger.port('gone'))
    busy.send(ASK)
    const server = await upstream.accept()
    await server.readUntil('\r\n\r\n')
    await change(outrigger, yaml(kept), isSwap)
    // The notice comes first (5 s), as on SIGTERM; then idle connections and the listener close.
    assert.equal(await idle.readToEnd(10_000), '')
    await assert.rejects(RawClient.connect(outrigger.port('gone')), { code: 'ECONNREFUSED' })
    assert.equal(busy.ended, false)
    server.send('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nold')
    const response = await busy.readResponse()
    assert.equal(response.body.toString(), 'old')
    assert.equal(response.headers['connection'], 'close')
    await busy.readToEnd()
    assert.equal(await bodyOf(stays), 'kept')
  })

  test('a listener that comes back while it drains serves as it is written now', async context => {
    const port = await freePort()
    const kept = answering('kept', 'kept')
    const outrigger = await start(context, yaml(kept + answering('back', 'one', port)))
    const open = await connected(context, port)
    assert.equal(await bodyOf(open), 'one')
    await change(outrigger, yaml(kept), isSwap)
    await change(outrigger, yaml(kept + answering('back', 'two', port)), isSwap)
    assert.equal(await bodyOf(open), 'two')
    // The notice of the drain would be over.
    await new Promise(resolve => setTimeout(resolve, 5500))
    assert.equal(await bodyOf(await connected(context, port)), 'two')
    const response = await open.ask(ASK)
    assert.equal(response.body.toString(), 'two')
    assert.equal(response.headers['connection'], undefined)
  })

  test('a listener that comes back behind its notice does not wait for what is still under way there', async context => {
    const upstream = await upstreamFor(context)
    const port = await freePort()
    const kept = answering('kept', 'kept')
    const leads = `  - { name: back, role: inbound, address: "127.0.0.1:${port}", upstream: app }\n`
    const outrigger = await start(context, yaml(kept + leads, upstream.port))
    const busy = await connected(context, port)
    busy.send(ASK)
    const server = await upstream.accept()
    await server.readUntil('\r\n\r\n')
    const idle = await connected(context, port)
    await change(outrigger, yaml(kept), isSwap)
    assert.equal(await idle.readToEnd(10_000), '')
    await change(outrigger, yaml(kept + answering('back', 'two', port)), isSwap)
    assert.equal(await bodyOf(await connected(context, port)), 'two')
    server.send('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nold')
    const response = await busy.readResponse()
    assert.equal(response.body.toString(), 'old')
    // It was told to end while its address was gone.
    assert.equal(response.headers['connection'], 'close')
  })

  test('a stop waits for what is under way on a listener that is gone', async context => {
    const upstream = await upstreamFor(context)
    const kept = answering('kept', 'kept')
    const outrigger = await start(context, yaml(kept + forwarding('gone'), upstream.port))
    const busy = await connected(context, outrigger.port('gone'))
    busy.send(ASK)
    const server = await upstream.accept()
    await server.readUntil('\r\n\r\n')
    await change(outrigger, yaml(kept), isSwap)
    // A terminal's: without a notice.
    outrigger.signal('SIGINT')
    await assert.rejects(
      async () => {
        for (;;) (await RawClient.connect(outrigger.port('kept'))).destroy()
      },
      { code: 'ECONNREFUSED' },
    )
    server.send('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nold')
    assert.equal((await busy.readResponse()).body.toString(), 'old')
  })

  test('opens a listener that is new', async context => {
    const outrigger = await start(context, yaml(answering('in', 'one')))
    const port = await freePort()
    await change(outrigger, yaml(answering('in', 'one') + answering('more', 'more', port)), isSwap)
    const client = await connected(context, port)
    assert.equal(await bodyOf(client), 'more')
  })

  test('whose new listener finds its address taken changes nothing, and names the address', async context => {
    const taken = net.createServer().listen(0, '127.0.0.1')
    context.after(() => taken.close())
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo // it listens on TCP
    const free = await freePort()
    const outrigger = await start(context, yaml(answering('in', 'one')))
    const client = await connected(context, outrigger.port('in'))
    const added = answering('free', 'free', free) + answering('taken', 'taken', port)
    const line = await change(outrigger, yaml(answering('in', 'two') + added), isRefusal)
    assert.match(String(line['errors']), new RegExp(`cannot listen on 127\\.0\\.0\\.1:${port}: .*taken`))
    assert.equal(await bodyOf(client), 'one')
    assert.equal(await metric(outrigger, 'outrigger_config_last_reload_successful'), '0')
    // What was bound for it is let go.
    await assert.rejects(RawClient.connect(free), { code: 'ECONNREFUSED' })
  })
})

test('a change right behind the start is loaded once', async context => {
  const outrigger = await start(context, yaml(answering('in', 'one')))
  await change(outrigger, yaml(answering('in', 'two')), isSwap)
  // Whatever a first change set off is over when the second has been told.
  await change(outrigger, yaml(answering('in', 'three')), isSwap)
  const reloads = outrigger.log().filter(line => line.msg === 'reloaded')
  assert.deepEqual(
    reloads.map(line => line['changed']),
    [true, true],
  )
})
