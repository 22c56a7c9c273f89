import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { turns } from '../harness/in-process.ts'
import { seededRandom } from '../../sidecar/runtime/random.ts'
import { withUpstream } from '../harness/proxied.ts'
import type { RawConnection } from '../harness/raw-connection.ts'
import { MalformedMessage, readRequest } from '../harness/strict-http.ts'

const EXCHANGES = 800
const AT_ONCE = 16

/**
 * A response whose body repeats the exchange's own number, so that bytes of another one are seen at once.
 * @returns the whole of it, and whether FIN at its end belongs to it
 */
function responseOf(id: number, random: () => number): { bytes: Buffer; fin: boolean; body: string } {
  const size = Math.floor(random() ** 3 * 200_000)
  const body = `<${id}>`.repeat(Math.ceil(size / 6) + 1)
  const kind = Math.floor(random() * 3)
  if (kind === 0)
    return {
      bytes: Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`),
      fin: false,
      body,
    }
  if (kind === 1) return { bytes: Buffer.from(`HTTP/1.1 200 OK\r\n\r\n${body}`), fin: true, body }
  let text = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'
  for (let at = 0; at < body.length;) {
    const piece = body.slice(at, at + 1 + Math.floor(random() * 30_000))
    text += `${piece.length.toString(16)}\r\n${piece}\r\n`
    at += piece.length
  }
  return { bytes: Buffer.from(text + '0\r\n\r\n'), fin: false, body }
}

test(`R7: of ${EXCHANGES} exchanges cut anywhere by either side none is shown as a clean end, none is mixed up`, async t => {
  const seed = Number(process.env['FUZZ_SEED'] ?? 20261124)
  t.diagnostic(`FUZZ_SEED=${seed}`)
  const random = seededRandom(seed)
  const { upstream, proxy } = await withUpstream(t)
  /** What the upstream made of each exchange: its body, whole or not. */
  const sent = new Map<number, { body: string; whole: boolean }>()
  const serving = serve(upstream, async (id, connection) => {
    const { bytes, fin, body } = responseOf(id, random)
    const whole = random() < 0.6
    sent.set(id, { body, whole })
    const end = whole ? bytes.length : Math.floor(random() * bytes.length)
    for (let at = 0; at < end;) {
      const next = Math.min(end, at + 1 + Math.floor(random() ** 2 * 90_000))
      connection.send(bytes.subarray(at, next))
      at = next
      if (random() < 0.3) await turns(1)
    }
    if (whole && !fin) return
    // An incomplete close-delimited body can only be told by a reset.
    if (whole || (!fin && random() < 0.5)) connection.half()
    else {
      await pause(1)
      connection.reset()
    }
  })
  const results = { whole: 0, cut: 0, refused: 0, left: 0 }
  let next = 0
  const one = async (): Promise<void> => {
    while (next < EXCHANGES) {
      const id = next++
      const client = await proxy.connect()
      const length = Math.floor(random() ** 4 * 100_000)
      const post = random() < 0.4
      client.send(
        post
          ? `POST /${id} HTTP/1.1\r\nhost: a\r\ncontent-length: ${length}\r\n\r\n${'p'.repeat(length)}`
          : `GET /${id} HTTP/1.1\r\nhost: a\r\n\r\n`,
      )
      if (random() < 0.15) {
        await turns(Math.floor(random() * 20))
        client.reset()
        results.left++
        continue
      }
      if (random() < 0.2) client.half()
      try {
        const response = await client.readResponse()
        const { body, whole } = sent.get(id) ?? { body: '', whole: false }
        if (response.status !== 200) {
          assert.equal(response.status, 502, `exchange ${id}: ${response.body.toString()}`)
          assert.ok(response.complete)
          results.refused++
        } else if (response.complete && response.framing !== 'close') {
          assert.ok(whole, `exchange ${id} was cut and looks whole`)
          assert.equal(response.body.toString(), body, `exchange ${id}`)
          results.whole++
        } else {
          assert.ok(!whole, `exchange ${id} was whole and looks cut`)
          assert.ok(response.framing !== 'close', 'an HTTP/1.1 client gets its bodies framed')
          results.cut++
        }
      } catch (error) {
        // An end in the middle of a chunk is no well-formed message, nor is an end before a head.
        if (!(error instanceof MalformedMessage) && !/waited for a response, and/.test(String(error)))
          throw error
        assert.ok(!(sent.get(id)?.whole ?? false), `exchange ${id} was whole: ${String(error).slice(0, 300)}`)
        results.cut++
      }
      client.destroy()
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one))
  for (const [what, count] of Object.entries(results)) assert.ok(count > 5, `${what}: ${count}`)
  await proxy.serves()
  serving.stop()
})

/** Answers each request of each connection, one after another. */
function serve(
  upstream: { accept(timeout?: number): Promise<RawConnection> },
  answer: (id: number, connection: RawConnection) => Promise<void>,
): { stop(): void } {
  const stopping = new AbortController()
  const talk = async (connection: RawConnection): Promise<void> => {
    for (;;) {
      const request = await connection
        .wait('a request', () => readRequest(connection.unread), 60_000)
        .catch(() => null)
      if (request === null) break
      connection.take(request.length)
      await answer(Number(request.target.slice(1)), connection)
    }
    connection.destroy()
  }
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const connection = await upstream.accept(100).catch(() => null)
      if (connection !== null) void talk(connection)
    }
  }
  void run()
  return {
    stop: () => {
      stopping.abort()
    },
  }
}
