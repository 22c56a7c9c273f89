import { CODE, frameBytes, literals, TYPE } from '../harness/raw-h2.ts'
import type { RawH2Script } from '../harness/raw-h2-server.ts'

const END_HEADERS = 4
const END_STREAM = 1
const ORIGIN = 12

type Answer = NonNullable<RawH2Script['onRequest']>

/** What a hostile service does when it is asked, and what is said of it. */
export interface HostileAnswer {
  readonly what: string
  readonly answer: Answer
  /** What the log says; `any`: one of several, by when it is seen. */
  readonly reason: string
  readonly cause: RegExp
  readonly status?: number
}

const flood =
  (bytes: () => Buffer, count: number): Answer =>
  peer => {
    const frame = bytes()
    const many = Buffer.concat(Array.from({ length: 1000 }, () => frame))
    for (let sent = 0; sent < count; sent += 1000) peer.send(many)
  }

const response =
  (fields: readonly string[], end = true): Answer =>
  (peer, stream) =>
    peer.head(stream, fields, end)

const block =
  (bytes: Buffer, flags = END_HEADERS | END_STREAM): Answer =>
  (peer, stream) =>
    peer.frame(TYPE.headers, flags, stream, bytes)

const BAD = 'upstream_bad_response'

/** One a kind. */
export const HOSTILE_ANSWERS: readonly HostileAnswer[] = [
  {
    what: 'a push',
    answer: (peer, stream) =>
      peer.frame(
        TYPE.push,
        END_HEADERS,
        stream,
        Buffer.concat([Buffer.from([0, 0, 0, 2]), literals([':method', 'GET', ':path', '/x'])]),
      ),
    reason: BAD,
    cause: /PROTOCOL_ERROR/,
  },
  {
    what: 'a stream of its own',
    answer: peer => peer.head(2, [':status', '200'], true),
    reason: BAD,
    cause: /PROTOCOL_ERROR/,
  },
  {
    what: 'a flood of ORIGIN frames',
    answer: flood(() => frameBytes(ORIGIN, 0, 0, Buffer.alloc(40)), 50_000),
    reason: BAD,
    cause: /ENHANCE_YOUR_CALM/,
  },
  {
    what: 'a flood of SETTINGS',
    answer: flood(() => frameBytes(TYPE.settings, 0, 0, Buffer.alloc(0)), 50_000),
    reason: BAD,
    cause: /ENHANCE_YOUR_CALM/,
  },
  {
    what: 'a flood of PING',
    answer: flood(() => frameBytes(TYPE.ping, 0, 0, Buffer.alloc(8)), 50_000),
    reason: BAD,
    cause: /ENHANCE_YOUR_CALM/,
  },
  {
    what: 'a flood of WINDOW_UPDATE',
    answer: (peer, stream) =>
      flood(() => frameBytes(TYPE.window, 0, stream, Buffer.from([0, 0, 0, 1])), 50_000)(
        peer,
        stream,
        [],
        true,
      ),
    reason: BAD,
    cause: /ENHANCE_YOUR_CALM/,
  },
  {
    what: 'a window beyond what there is',
    answer: peer => {
      peer.window(0, 0x7fff_ffff)
      peer.window(0, 0x7fff_ffff)
    },
    reason: BAD,
    cause: /FLOW_CONTROL_ERROR/,
  },
  {
    what: 'a reset',
    answer: (peer, stream) => peer.reset(stream, CODE.internal),
    reason: 'upstream_reset',
    cause: /INTERNAL/,
  },
  {
    what: 'a header block that cannot be read',
    answer: block(Buffer.from([0x80])),
    reason: BAD,
    cause: /COMPRESSION_ERROR/,
  },
  {
    what: 'a header that takes a byte on the wire and 2 KiB here, a thousand times',
    answer: block(
      Buffer.concat([
        Buffer.from([0x88, 0x40, 1, 0x61, 0x7f, 0xd1, 0x0e]),
        Buffer.alloc(2000, 'v'),
        Buffer.alloc(1000, 0xbe),
      ]),
    ),
    reason: BAD,
    cause: /larger than allowed|more header fields/,
  },
  {
    what: 'CONTINUATION without an end',
    answer: (peer, stream) => {
      peer.frame(TYPE.headers, END_STREAM, stream, literals([':status', '200']))
      const part = frameBytes(TYPE.continuation, 0, stream, literals(['a', 'b'.repeat(100)]))
      for (let i = 0; i < 5000; i++) peer.send(part)
    },
    reason: BAD,
    cause: /ENHANCE_YOUR_CALM/,
  },
  {
    what: 'DATA without a head',
    answer: (peer, stream) => peer.data(stream, 'x', true),
    reason: BAD,
    cause: /PROTOCOL_ERROR/,
  },
  {
    what: 'more DATA than it said',
    answer: (peer, stream) => {
      peer.head(stream, [':status', '200', 'content-length', '2'])
      peer.data(stream, 'abc', true)
    },
    reason: BAD,
    cause: /PROTOCOL_ERROR/,
    status: 200,
  },
  {
    what: 'less DATA than it said',
    answer: (peer, stream) => {
      peer.head(stream, [':status', '200', 'content-length', '5'])
      peer.data(stream, 'abc', true)
    },
    reason: BAD,
    cause: /PROTOCOL_ERROR/,
    status: 200,
  },
  {
    what: 'no body where a length was said',
    answer: response([':status', '200', 'content-length', '5']),
    reason: BAD,
    cause: /content-length/,
  },
  {
    what: 'a field with a line break',
    answer: response([':status', '200', 'x', 'a\r\nset-cookie: evil']),
    reason: BAD,
    cause: /control character/,
  },
  {
    what: 'a field of HTTP/1',
    answer: response([':status', '200', 'transfer-encoding', 'chunked']),
    reason: BAD,
    cause: /transfer-encoding/,
  },
  { what: 'no status', answer: response(['server', 'evil']), reason: BAD, cause: /:status/ },
  { what: '101', answer: response([':status', '101']), reason: BAD, cause: /./ },
  {
    what: 'informational heads without end',
    answer: (peer, stream) => {
      for (let i = 0; i < 100; i++) peer.head(stream, [':status', '103', 'link', '</a>'])
    },
    reason: BAD,
    cause: /informational heads/,
  },
  {
    what: 'a frame of 1 MiB',
    answer: (peer, stream) => peer.frame(TYPE.data, 0, stream, Buffer.alloc(1_048_576)),
    reason: BAD,
    cause: /FRAME_SIZE_ERROR/,
  },
  {
    what: 'no HTTP/2 any more',
    answer: peer => peer.send(Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')),
    reason: BAD,
    cause: /FRAME_SIZE_ERROR|PROTOCOL_ERROR/,
  },
]
