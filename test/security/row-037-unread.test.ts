// Row 37 of docs/security.md: clients that ask and do not read. Bodies are bound by windows, heads are not.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { InProcess } from '../harness/in-process.ts'
import { CODE, frameBytes, literals, pseudo, RawH2, TYPE } from '../harness/raw-h2.ts'

const END = 5
const COOKIES = Array.from({ length: 10 }, (_, i) => `c${i}=${'x'.repeat(1400)}`)
const HEAD = literals(pseudo('HEAD', '/x'))
const AT_ONCE = 45
/** So many are answered at most before the kernel takes no more. */
const BATCHES = 100
/** So much waits for the socket when further requests wait. */
const UNREAD = 131_072
/** What may be held of one connection: what waits for the socket, and the answers to what was asked at once. */
const BOUND = 3_000_000

let upstream: HttpUpstream
let proxy: InProcess
before(async () => {
  upstream = await HttpUpstream.listen((_request, response) => {
    response.setHeader('set-cookie', COOKIES)
    response.end()
  })
  proxy = await InProcess.start(routeTo(upstream.port))
})
after(async () => {
  await proxy.stop()
  await upstream.close()
})

/** A client that reads nothing, and has asked for more than goes into its socket. */
class DeafClient {
  readonly client: RawH2
  readonly ids: number[] = []

  constructor(client: RawH2) {
    this.client = client
    client.socket.pause()
  }

  static async connect(): Promise<DeafClient> {
    const deaf = new DeafClient(await RawH2.connect(proxy.port()))
    for (let batch = 0; batch < BATCHES && proxy.service.budget.used <= UNREAD; batch++) {
      const expected = proxy.access.length + AT_ONCE
      deaf.ask()
      await proxy.until(
        'the answers',
        () => proxy.access.length >= expected || proxy.service.budget.used > UNREAD,
      )
    }
    // What it asks now is answered too, or has to wait already.
    deaf.ask()
    await rounds()
    return deaf
  }

  /** Asks a number of requests more. */
  ask(): void {
    const first = 1 + 2 * this.ids.length
    const ids = Array.from({ length: AT_ONCE }, (_, i) => first + 2 * i)
    this.ids.push(...ids)
    this.client.send(Buffer.concat(ids.map(id => frameBytes(TYPE.headers, END, id, HEAD))))
  }
}

/** Whatever was sent before has been answered by the service, where it was asked. */
async function rounds(): Promise<void> {
  for (let i = 0; i < 20; i++)
    await proxy.ask('HEAD /round HTTP/1.1\r\nhost: a.example\r\n\r\n', { method: 'HEAD' })
}

const answered = (): number => proxy.access.filter(line => line['path'] === '/x').length

test('what is asked further begins when it has read', async () => {
  const deaf = await DeafClient.connect()
  const before = answered()
  deaf.ask()
  await rounds()
  assert.equal(answered(), before)
  const { client, ids } = deaf
  client.socket.resume()
  for (const id of ids) assert.equal((await client.over(id)).status, 200)
  assert.equal(client.goaway, null)
  client.destroy()
})

test('who asks on and on is cut off, and little is held for it', async () => {
  const deaf = await DeafClient.connect()
  for (let i = 0; i < 10; i++) deaf.ask()
  await rounds()
  assert.ok(proxy.service.budget.used < BOUND, `${proxy.service.budget.used} bytes held`)
  deaf.client.socket.resume()
  assert.equal(await deaf.client.gone(), CODE.calm)
  deaf.client.destroy()
  await proxy.serves()
})
