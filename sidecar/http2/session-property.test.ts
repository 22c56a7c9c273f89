import assert from 'node:assert/strict'
import type net from 'node:net'
import { Duplex } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'node:test'
import fc from 'fast-check'
import type { BodySink, BodySource } from '../exchange/body.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { Channel } from '../runtime/channel.ts'
import { frame, GET, HELLO, parameter, POST, TRAILER, word } from './frame-fixture.ts'
import {
  CONTINUATION,
  DATA,
  GOAWAY,
  HEADERS,
  PING,
  PRIORITY,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from './frames.ts'
import { HandSource, SessionRecord, StreamRecord, TestParts } from './session-fixture.ts'
import { Session } from './session.ts'

/** Two ends of a connection in memory; each write arrives in a turn of its own. */
function pair(): [Duplex, Duplex] {
  const end = (other: () => Duplex) =>
    new Duplex({
      allowHalfOpen: true,
      read: () => {},
      write: (bytes: Buffer, _encoding, done) => {
        // In a turn of its own: a socket never delivers within a call that writes. Until `done` the bytes stay as they are.
        setImmediate(() => {
          other().push(Buffer.from(bytes))
          done()
        })
      },
      final: done => {
        other().push(null)
        done()
      },
    })
  const ends: [Duplex, Duplex] = [end(() => ends[1]), end(() => ends[0])]
  return ends
}

/** A channel over one end, which reads into the shared buffer. */
function channelOf(end: Duplex, parts: TestParts): Channel {
  const channel = new Channel(end as unknown as net.Socket, parts.buffers) // all that a channel asks of it is there
  const { shared } = parts.buffers
  end.on('data', (bytes: Buffer) => {
    for (let at = 0; at < bytes.length; at += shared.length)
      channel.onRead(bytes.copy(shared, 0, at, at + shared.length), shared)
  })
  end.pause()
  return channel
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn()
}

const id = fc.constantFrom(1, 3, 5, 7, 9, 2, 0)
const small = fc.nat({ max: 40_000 })
/** Frames, most of which fit together. */
const anyFrame = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(id, fc.constantFrom(GET, POST, TRAILER), fc.constantFrom(4, 5))
      .map(([on, block, flags]) => frame(HEADERS, flags, on, block)),
  },
  {
    weight: 8,
    arbitrary: fc
      .tuple(id, small, fc.constantFrom(0, 1))
      .map(([on, length, flags]) => frame(DATA, flags, on, Buffer.alloc(length % 16_385))),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(id, small).map(([on, credit]) => frame(WINDOW_UPDATE, 0, on, word(credit))),
  },
  { weight: 4, arbitrary: id.map(on => frame(RST_STREAM, 0, on, word(8))) },
  { weight: 2, arbitrary: small.map(window => frame(SETTINGS, 0, 0, parameter(4, window))) },
  { weight: 1, arbitrary: id.map(on => frame(PRIORITY, 0, on, [0, 0, 0, 0, 1])) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      frame(PING, 0, 0, 'pingpong'),
      frame(PING, 1, 0, 'goaway..'),
      frame(GOAWAY, 0, 0, Buffer.alloc(8)),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(id, fc.constantFrom(0, 4)).map(([on, flags]) => frame(CONTINUATION, flags, on, GET)),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat({ max: 12 }), fc.nat({ max: 63 }), id, fc.uint8Array({ maxLength: 12 }))
      .map(([type, flags, on, payload]) => frame(type, flags, on, Buffer.from(payload))),
  },
)
/** What the server's side does between two frames: to a stream, or to the session. */
const act = fc.record({ what: fc.nat({ max: 8 }), which: fc.nat({ max: 5 }), length: small })
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never

class Sources {
  readonly #of = new Map<StreamRecord, HandSource>()
  do(session: Session, records: readonly StreamRecord[], { what, which, length }: Act): void {
    const record = records[which % Math.max(records.length, 1)]
    if (what === 0 && length < 4000) session.goaway(0)
    if (record?.stream == null) return
    const { stream } = record
    const source = this.#of.get(record)
    if (what === 1) stream.headers([':status', '204'], true)
    else if (what === 2 && source === undefined) {
      const made = new HandSource()
      this.#of.set(record, made)
      stream.headers([':status', '200'], false)
      stream.pump(made)
    } else if (what === 3) source?.sink?.chunk(Buffer.alloc(length, 'x'), false)
    else if (what === 4) source?.sink?.end(length % 2 === 0 ? null : ['a', 'b'])
    else if (what === 5) source?.sink?.abort(new ProxyError('upstream_aborted'))
    else if (what === 6 && length < 8000) stream.reset(8)
    else if (what === 7) record.body.willing = !record.body.willing
    else if (what === 8) stream.body.resume()
  }
}

test('property: whatever frames come and whatever is done meanwhile, nothing breaks and nothing is left', async () => {
  const steps = fc.array(fc.oneof({ weight: 3, arbitrary: anyFrame }, { weight: 2, arbitrary: act }), {
    maxLength: 40,
  })
  const property = fc.asyncProperty(steps, async list => {
    const parts = new TestParts()
    const [mine, theirs] = pair()
    theirs.resume()
    const record = new SessionRecord()
    const session = new Session(channelOf(mine, parts), 'server', parts, record)
    const sources = new Sources()
    session.start()
    theirs.write(HELLO)
    for (const step of list) {
      if (Buffer.isBuffer(step)) theirs.write(step)
      else sources.do(session, record.streams, step)
      await turn()
      if (list.length % 3 === 0) parts.step(200)
    }
    await turns(3)
    session.channel.destroy()
    await turns(3)
    assert.deepEqual(parts.faults, [])
    assert.equal(record.closes.length, 1)
    assert.equal(session.streams, 0)
    for (const { told, stream } of record.streams) {
      assert.ok(stream?.closed)
      const ends = told.filter(one => one === 'closed' || one.startsWith('reset'))
      assert.ok(ends.length <= 1, told.join())
    }
    // What was complete and is not taken yet is its taker's.
    for (const { stream } of record.streams) stream?.body.abort(new ProxyError('internal'))
    assert.equal(parts.budget.used, 0)
    assert.equal(parts.wheel.size, 0)
  })
  await fc.assert(property, { numRuns: 300 })
})

/** Gives bytes in pieces, some at once, some turns later. */
class Drip implements BodySource {
  readonly length = 'unknown'
  readonly #pieces: number[]
  readonly #late: boolean
  #sink: BodySink | null = null
  #going = false
  constructor(pieces: readonly number[], late: boolean) {
    this.#pieces = [...pieces]
    this.#late = late
  }
  start(sink: BodySink): void {
    this.#sink = sink
    if (this.#late) setImmediate(() => this.resume())
    else this.resume()
  }
  resume(): void {
    if (this.#going) return
    this.#going = true
    for (let next = this.#pieces.shift(); next !== undefined; next = this.#pieces.shift())
      if (this.#sink?.chunk(Buffer.alloc(next, next % 251), next % 2 === 0) === false) {
        this.#going = false
        return
      }
    this.#sink?.end(['sum', 'x'])
  }
  abort(): void {}
}

const bytesOf = (pieces: readonly number[]) => Buffer.concat(pieces.map(one => Buffer.alloc(one, one % 251)))

test('property: bodies of any sizes, both ways, on many streams at once, arrive whole', async () => {
  const pieces = fc.array(fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 90_000 })), { maxLength: 6 })
  const exchange = fc.record({ up: pieces, down: pieces, late: fc.boolean(), slow: fc.boolean() })
  const property = fc.asyncProperty(fc.array(exchange, { minLength: 1, maxLength: 8 }), async exchanges => {
    const parts = new TestParts()
    const [mine, theirs] = pair()
    const there = new SessionRecord()
    there.respond = (record, headers) => {
      const one = exchanges[Number(headers[7]?.slice(1))]
      if (one?.slow !== true) record.take()
      else setImmediate(() => record.take())
      record.stream?.headers([':status', '200'], false)
      record.stream?.pump(new Drip(one?.down ?? [], one?.late ?? false))
    }
    const server = new Session(channelOf(theirs, parts), 'server', parts, there)
    const client = new Session(channelOf(mine, parts), 'client', parts, new SessionRecord())
    server.start()
    client.start()
    const requests = exchanges.map(({ up, late }, i) => {
      const record = new StreamRecord()
      record.stream = client.open(record)
      record.stream?.headers(
        [':method', 'POST', ':scheme', 'http', ':authority', 'a', ':path', `/${i}`],
        false,
      )
      record.stream?.pump(new Drip(up, late))
      return record
    })
    const complete = () => requests.every(one => one.body.ended) && there.streams.every(one => one.body.ended)
    for (let i = 0; i < 5000 && !complete(); i++) await turn()
    requests.forEach((one, i) => {
      assert.deepEqual(one.told.toSorted(), ['closed', 'head', 'sent'])
      assert.ok(Buffer.concat(one.body.chunks).equals(bytesOf(exchanges[i]?.down ?? [])), `response ${i}`)
      assert.ok(
        Buffer.concat(there.streams[i]?.body.chunks ?? []).equals(bytesOf(exchanges[i]?.up ?? [])),
        `request ${i}`,
      )
      assert.deepEqual(one.body.trailers, ['sum', 'x'])
    })
    client.channel.destroy()
    server.channel.destroy()
    await turns(2)
    parts.check()
  })
  await fc.assert(property, { numRuns: 40 })
})
