import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import { type Duplex, duplexPair } from 'node:stream'
import { test } from 'node:test'
import type { HeaderList } from '../../exchange/headers.ts'
import { HpackDecoder } from './decoder.ts'
import { HpackEncoder } from './encoder.ts'

const LIMITS = { fields: 100, bytes: 16_384 }
const PREFACE_BYTES = 24
const FRAME_HEAD_BYTES = 9
const HEADERS = 1
const SETTINGS = 4
const ACK = 1
// END_STREAM and END_HEADERS.
const WHOLE_MESSAGE = 5

/** An HTTP/2 server of no more than what a test of field blocks needs: answers each HEADERS as soon as it is there. */
class HeadersOnlyServer {
  readonly requests: HeaderList[] = []
  readonly #decoder = new HpackDecoder()
  readonly #encoder = new HpackEncoder()
  readonly #socket: Duplex
  readonly #answer: (request: number) => HeaderList
  #unread = Buffer.alloc(0)
  #preface = true

  constructor(socket: Duplex, peerTableBytes: number, answer: (request: number) => HeaderList) {
    this.#socket = socket
    this.#answer = answer
    this.#encoder.resize(peerTableBytes)
    socket.write(frame(SETTINGS, 0, 0, Buffer.alloc(0)))
    socket.on('data', (bytes: Buffer) => this.#read(bytes))
  }

  #read(bytes: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, bytes])
    if (this.#preface) {
      if (this.#unread.length < PREFACE_BYTES) return
      this.#preface = false
      this.#unread = this.#unread.subarray(PREFACE_BYTES)
    }
    while (this.#unread.length >= FRAME_HEAD_BYTES) {
      const end = FRAME_HEAD_BYTES + this.#unread.readUIntBE(0, 3)
      if (this.#unread.length < end) return
      this.#frame(this.#unread.subarray(0, end))
      this.#unread = this.#unread.subarray(end)
    }
  }

  #frame(bytes: Buffer): void {
    const [type, flags, stream] = [bytes[3], bytes[4], bytes.readUInt32BE(5)]
    if (type === SETTINGS && flags !== ACK) this.#socket.write(frame(SETTINGS, ACK, 0, Buffer.alloc(0)))
    if (type !== HEADERS) return
    assert.equal(flags, WHOLE_MESSAGE)
    assert.equal(
      this.#decoder.decode(bytes, FRAME_HEAD_BYTES, bytes.length, LIMITS),
      'ok',
      this.#decoder.fault,
    )
    this.requests.push(this.#decoder.headers)
    this.#encoder.begin(Buffer.alloc(10), 0)
    this.#encoder.fields(this.#answer(this.requests.length - 1))
    const end = this.#encoder.end()
    this.#socket.write(frame(HEADERS, WHOLE_MESSAGE, stream, this.#encoder.out.subarray(0, end)))
  }
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

for (const tableBytes of [4096, 128, 0, 65_536]) {
  test(`nghttp2 with a table of ${tableBytes} bytes and we read what the other wrote`, async () => {
    const [ours, theirs] = duplexPair()
    const answer = (request: number): HeaderList => [
      ...[':status', request % 3 === 0 ? '200' : '201', 'server', 'orders/1.4', 'x-number', String(request)],
      ...['x-request-id', `id-${request}`, 'content-type', 'text/plain', 'x-bytes', '\xe9~'],
      ...['x-phase', request > 20 ? 'late' : 'early', 'set-cookie', `a=${request}`, 'x-empty', ''],
    ]
    const server = new HeadersOnlyServer(ours, tableBytes, answer)
    const session = http2.connect('http://orders', {
      createConnection: () => theirs,
      settings: { headerTableSize: tableBytes },
    })
    for (let request = 0; request < 50; request++) {
      const path = `/orders/${request % 5}`
      const stream = session.request({
        ':method': 'GET',
        ':scheme': 'http',
        ':authority': 'orders',
        ':path': path,
        'user-agent': 'test',
        'x-number': String(request),
        cookie: 'a=b',
      })
      const closed = once(stream, 'close')
      // The third argument has the fields as they came.
      const [, , raw] = (await once(stream, 'response')) as [unknown, unknown, HeaderList]
      assert.deepEqual(raw, answer(request))
      stream.resume()
      await closed
      assert.deepEqual(server.requests[request], [
        ...[':method', 'GET', ':scheme', 'http', ':authority', 'orders', ':path', path],
        ...['user-agent', 'test', 'x-number', String(request), 'cookie', 'a=b'],
      ])
    }
    session.destroy()
    ours.destroy()
  })
}
