import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { BodySink, BodySource } from '../exchange/body.ts'
import { BufferedBody } from '../exchange/body.ts'
import type { HeaderList } from '../exchange/headers.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import { Channel } from '../runtime/channel.ts'
import { connectChannel } from '../runtime/connect-channel.ts'
import type { Clock } from '../runtime/clock.ts'
import { MemoryBudget } from '../runtime/memory-budget.ts'
import { ReadBuffers } from '../runtime/read-buffers.ts'
import { TimerWheel } from '../runtime/timer-wheel.ts'
import type { SessionOwner } from './session-owner.ts'
import type { Http2Settings, SessionClocks, SessionParts } from './session-settings.ts'
import type { StreamOwner } from './stream-owner.ts'
import { Session } from './session.ts'
import type { Stream } from './stream.ts'

/** Settings that tests change parts of. */
export const TEST_SETTINGS: Http2Settings = {
  streams: 100,
  streamWindow: 65_536,
  window: 1_048_576,
  headerBytes: 16_384,
  headerFields: 100,
  resetsBurst: 200,
  resetsPerSecond: 33,
  connectProtocol: false,
}

/** Parts of sessions in a test: a clock that is stepped by hand, buffers and a budget that have to be back at zero. */
export class TestParts implements SessionParts {
  time = 0
  readonly clock: Clock = { now: () => this.time, wall: () => this.time }
  readonly wheel = new TimerWheel(this.clock)
  readonly budget = new MemoryBudget(64 * 1_048_576)
  readonly faults: unknown[] = []
  readonly buffers = new ReadBuffers(this.budget, error => this.faults.push(error), true)
  settings = TEST_SETTINGS
  clocks: SessionClocks = { head: 10_000, writeIdle: 60_000, keepAlive: 300_000, age: null }
  readonly lingering = { active: 0, cut: 0 }

  /** Time goes by in ticks. */
  step(ms: number): void {
    for (const end = this.time + ms; this.time < end;) {
      this.time = Math.min(end, this.time + 100)
      this.wheel.advance()
    }
  }

  /** What holds after each test, once everything is closed. */
  check(): void {
    assert.deepEqual(this.faults, [], 'a bug was met')
    assert.equal(this.budget.used, 0, 'the budget is not back at zero')
    assert.equal(this.wheel.size, 0, 'a timer is left')
  }
}

/** Keeps what a stream tells, in order. */
export class StreamRecord implements StreamOwner {
  readonly told: string[] = []
  readonly body: BodyRecord = new BodyRecord()
  stream: Stream | null = null
  headers: HeaderList = []
  error: ProxyError | null = null
  seconds = 0
  /** What is done when a head is there. */
  respond: ((record: StreamRecord, headers: HeaderList) => void) | null = null

  onHead(headers: HeaderList, ended: boolean): void {
    this.told.push(ended ? 'head, end' : 'head')
    this.headers = headers
    if (this.respond !== null) this.respond(this, headers)
    else this.take()
  }
  /** Takes the body. */
  take(): void {
    this.stream?.body.start(this.body)
  }
  onMalformed(cause: string, tooLarge: boolean): void {
    this.told.push(tooLarge ? 'too large' : `malformed: ${cause}`)
  }
  onBodyBroken(error: ProxyError): void {
    this.told.push(`body broken: ${error.reason}`)
  }
  onSent(): void {
    this.told.push('sent')
  }
  onReset(error: ProxyError): void {
    this.error = error
    this.told.push(`reset: ${error.reason} ${error.cause}`)
  }
  onClosed(): void {
    this.told.push('closed')
  }
  onSecond(): void {
    this.seconds++
  }
}

/** Takes a body and keeps it. */
export class BodyRecord implements BodySink {
  readonly chunks: Buffer[] = []
  ended = false
  trailers: HeaderList | null = null
  error: ProxyError | null = null
  /** What `chunk` answers. */
  willing = true
  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1')
  }
  get length(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  }
  chunk(bytes: Buffer): boolean {
    this.chunks.push(Buffer.from(bytes))
    return this.willing
  }
  end(trailers: HeaderList | null): void {
    this.ended = true
    this.trailers = trailers
  }
  abort(error: ProxyError): void {
    this.error = error
  }
}

/** Keeps what a session tells. */
export class SessionRecord implements SessionOwner {
  readonly streams: StreamRecord[] = []
  rooms = 0
  goaways = 0
  closes: string[] = []
  respond: StreamRecord['respond'] = null
  onStream(stream: Stream): StreamOwner {
    const record = new StreamRecord()
    record.stream = stream
    record.respond = this.respond
    this.streams.push(record)
    return record
  }
  onRoom(): void {
    this.rooms++
  }
  onGoaway(): void {
    this.goaways++
  }
  onClose(code: string): void {
    this.closes.push(code)
  }
}

/** A source whose bytes are given by hand. */
export class HandSource implements BodySource {
  readonly length: BodySource['length']
  sink: BodySink | null = null
  resumed = 0
  aborted: ProxyError | null = null
  constructor(length: BodySource['length'] = 'unknown') {
    this.length = length
  }
  start(sink: BodySink): void {
    this.sink = sink
  }
  resume(): void {
    this.resumed++
  }
  abort(error: ProxyError): void {
    this.aborted = error
  }
}

/** Answers 200 with a text. */
export function answering(text: string): StreamRecord['respond'] {
  return record => {
    record.take()
    record.stream?.headers([':status', '200', 'content-length', `${text.length}`], false)
    record.stream?.pump(new BufferedBody(Buffer.from(text)))
  }
}

/** Answers 200 with what a source gives. */
export function streaming(sourceOf: (record: StreamRecord) => BodySource): StreamRecord['respond'] {
  return record => {
    record.stream?.headers([':status', '200'], false)
    record.stream?.pump(sourceOf(record))
  }
}

/** A server that accepts connections as sessions, for the time of a test. */
export class SessionServer {
  readonly sessions: { session: Session; record: SessionRecord }[] = []
  readonly server: net.Server
  readonly #sockets = new Set<net.Socket>()
  port = 0

  constructor(parts: TestParts, respond: StreamRecord['respond'] = null) {
    this.server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, socket => {
      this.#sockets.add(socket)
      const record = new SessionRecord()
      record.respond = respond
      const session = new Session(channelOf(socket, parts.buffers), 'server', parts, record)
      this.sessions.push({ session, record })
      session.start()
    })
  }

  async listen(): Promise<this> {
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    this.port = (this.server.address() as net.AddressInfo).port // it listens on TCP
    return this
  }

  async close(): Promise<void> {
    const closed = [...this.#sockets].filter(one => !one.closed).map(one => once(one, 'close'))
    for (const socket of this.#sockets) socket.destroy()
    this.server.close()
    await Promise.all(closed)
    // The channel hears it in the same event, perhaps behind us.
    await pause(0)
  }
}

/** A client session, and what it tells. */
export class SessionClient {
  readonly session: Session
  readonly record = new SessionRecord()
  readonly #channel: Channel

  private constructor(channel: Channel, parts: TestParts) {
    this.#channel = channel
    this.session = new Session(channel, 'client', parts, this.record)
    this.session.start()
  }

  static async connect(port: number, parts: TestParts): Promise<SessionClient> {
    const at = { host: '127.0.0.1', port }
    const channel = await new Promise<Channel>(resolve => {
      const made: Channel = connectChannel({ at, tls: null }, parts.buffers, () => resolve(made))
    })
    return new SessionClient(channel, parts)
  }

  /** Begins a request; one with another method than GET has a body. */
  request(method = 'GET', path = '/'): StreamRecord {
    const record = new StreamRecord()
    record.stream = this.session.open(record)
    const head = [':method', method, ':scheme', 'http', ':authority', 'a.test', ':path', path]
    record.stream?.headers(head, method === 'GET')
    return record
  }

  async close(): Promise<void> {
    this.#channel.destroy()
    await until(() => this.record.closes.length > 0)
  }
}

/** A channel over a socket that was accepted; it reads by copies, into the shared buffer. */
function channelOf(socket: net.Socket, buffers: ReadBuffers): Channel {
  const channel = new Channel(socket, buffers)
  socket.on('data', (bytes: Buffer) => {
    for (let at = 0; at < bytes.length; at += buffers.shared.length) {
      const length = bytes.copy(buffers.shared, 0, at)
      if (!channel.onRead(length, buffers.shared)) socket.pause()
    }
  })
  return channel
}

/** Waits until something is so. */
export async function until(holds: () => boolean): Promise<void> {
  for (let turns = 0; !holds(); turns++) {
    if (turns > 2000) throw new Error('it did not come to that')
    await pause(1)
  }
}
