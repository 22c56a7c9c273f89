import { frame, get, GET, parameter, post, TRAILER, word } from './frame-fixture.ts'
import {
  CONTINUATION,
  DATA,
  GOAWAY,
  HEADERS,
  MAX_FRAME,
  PING,
  PREFACE,
  PRIORITY,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from './frames.ts'

/** What a client sends behind its preface and SETTINGS, and what it gets for it. */
export interface Case {
  readonly name: string
  /** As `RawPeer.summary` says it; empty: nothing, and the connection lives. */
  readonly gets: string
  readonly sends: Buffer[]
  /** What the server does with requests: takes their bodies, answers at once, or leaves bodies where they are. */
  readonly server: 'takes' | 'answers' | 'leaves'
  /** Whether the preface and SETTINGS are part of what it sends. */
  readonly bare: boolean
}

type Of = (name: string, gets: string, sends: Buffer[]) => Case
const sent: Of = (name, gets, sends) => ({ name, gets, sends, server: 'takes', bare: false })
const answered: Of = (name, gets, sends) => ({ name, gets, sends, server: 'answers', bare: false })
const untaken: Of = (name, gets, sends) => ({ name, gets, sends, server: 'leaves', bare: false })
const bare: Of = (name, gets, sends) => ({ name, gets, sends, server: 'takes', bare: true })

const goaway = {
  PROTOCOL_ERROR: 'GOAWAY PROTOCOL_ERROR',
  FLOW_CONTROL_ERROR: 'GOAWAY FLOW_CONTROL_ERROR',
  STREAM_CLOSED: 'GOAWAY STREAM_CLOSED',
  FRAME_SIZE_ERROR: 'GOAWAY FRAME_SIZE_ERROR',
  COMPRESSION_ERROR: 'GOAWAY COMPRESSION_ERROR',
  ENHANCE_YOUR_CALM: 'GOAWAY ENHANCE_YOUR_CALM',
}

const priority = (parent: number) => Buffer.concat([word(parent), Buffer.from([15])])
const openBlock = (id: number) => frame(HEADERS, 1, id, GET.subarray(0, 2))
const restOfBlock = (id: number) => frame(CONTINUATION, 4, id, GET.subarray(2))

/** By section of RFC 9113; among them each case that h2spec has for sections 3 to 7. */
export const CASES: Record<string, Case[]> = {
  '3.4 preface': [
    bare('another preface', goaway.PROTOCOL_ERROR, [Buffer.from('GET / HTTP/1.1\r\n\r\n')]),
    bare('another frame than SETTINGS first', goaway.PROTOCOL_ERROR, [
      PREFACE,
      frame(PING, 0, 0, 'bytebyte'),
    ]),
    bare('an acknowledgement first', goaway.PROTOCOL_ERROR, [PREFACE, frame(SETTINGS, 1, 0)]),
  ],
  '4.1 format, 5.5 extensions': [
    sent('a frame of an unknown type', '', [frame(0x16, 0, 0, 'anything'), frame(0xff, 0xff, 7, 'x')]),
    sent('flags that mean nothing', '', [frame(PING, 0x16, 0, 'undefine')]),
    sent('the reserved bit of a stream id', '', [frame(PING, 0, 0x8000_0000, 'reserved')]),
    sent('an unknown frame within a header block', goaway.PROTOCOL_ERROR, [
      openBlock(1),
      frame(0x16, 0, 0),
      restOfBlock(1),
    ]),
  ],
  '4.2 size': [
    sent('DATA of 16,384 bytes', '', [post(1), frame(DATA, 1, 1, Buffer.alloc(MAX_FRAME))]),
    sent('DATA that is too large', goaway.FRAME_SIZE_ERROR, [
      post(1),
      frame(DATA, 1, 1, Buffer.alloc(MAX_FRAME + 1)),
    ]),
    sent('HEADERS that are too large', goaway.FRAME_SIZE_ERROR, [
      frame(HEADERS, 5, 1, Buffer.alloc(MAX_FRAME + 1)),
    ]),
  ],
  '4.3 header compression': [
    sent('a block that cannot be read', goaway.COMPRESSION_ERROR, [
      frame(HEADERS, 5, 1, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ]),
    sent('PRIORITY within a block', goaway.PROTOCOL_ERROR, [
      openBlock(1),
      frame(PRIORITY, 0, 1, priority(0)),
      restOfBlock(1),
    ]),
    sent('HEADERS of another stream within a block', goaway.PROTOCOL_ERROR, [openBlock(1), get(3)]),
    sent('DATA within a block', goaway.PROTOCOL_ERROR, [openBlock(1), frame(DATA, 1, 1)]),
  ],
  '5.1 states': [
    sent('idle: DATA', goaway.PROTOCOL_ERROR, [frame(DATA, 1, 1, 'x')]),
    sent('idle: RST_STREAM', goaway.PROTOCOL_ERROR, [frame(RST_STREAM, 0, 1, word(8))]),
    sent('idle: WINDOW_UPDATE', goaway.PROTOCOL_ERROR, [frame(WINDOW_UPDATE, 0, 1, word(1))]),
    sent('idle: CONTINUATION', goaway.PROTOCOL_ERROR, [frame(CONTINUATION, 4, 1, GET)]),
    sent('idle: PRIORITY', '', [frame(PRIORITY, 0, 1, priority(0))]),
    sent('half-closed: DATA', 'RST_STREAM 1 STREAM_CLOSED', [get(1), frame(DATA, 1, 1, 'x')]),
    sent('half-closed: HEADERS', 'RST_STREAM 1 STREAM_CLOSED', [get(1), get(1)]),
    sent('half-closed: CONTINUATION', goaway.PROTOCOL_ERROR, [get(1), frame(CONTINUATION, 4, 1, GET)]),
    sent('half-closed: WINDOW_UPDATE and PRIORITY', '', [
      get(1),
      frame(WINDOW_UPDATE, 0, 1, word(9)),
      frame(PRIORITY, 0, 1, priority(0)),
    ]),
    sent('half-closed: RST_STREAM', '', [get(1), frame(RST_STREAM, 0, 1, word(8))]),
    sent('reset: DATA', 'RST_STREAM 1 STREAM_CLOSED', [
      post(1),
      frame(RST_STREAM, 0, 1, word(8)),
      frame(DATA, 1, 1, 'x'),
    ]),
    sent('reset: HEADERS', 'RST_STREAM 1 STREAM_CLOSED', [
      post(1),
      frame(RST_STREAM, 0, 1, word(8)),
      frame(HEADERS, 5, 1, TRAILER),
    ]),
    sent('reset: CONTINUATION', goaway.PROTOCOL_ERROR, [
      get(1),
      frame(RST_STREAM, 0, 1, word(8)),
      frame(CONTINUATION, 4, 1, GET),
    ]),
    sent('reset by us: what is on its way is ignored', 'RST_STREAM 1 PROTOCOL_ERROR', [
      post(1),
      frame(HEADERS, 4, 1, TRAILER),
      frame(DATA, 0, 1, 'x'),
      frame(WINDOW_UPDATE, 0, 1, word(9)),
      frame(HEADERS, 5, 1, TRAILER),
    ]),
    answered('closed: DATA', goaway.STREAM_CLOSED, [get(1), frame(DATA, 1, 1, 'x')]),
    answered('closed: HEADERS', goaway.STREAM_CLOSED, [get(1), get(1)]),
    answered('closed: WINDOW_UPDATE, RST_STREAM, PRIORITY', '', [
      get(1),
      frame(WINDOW_UPDATE, 0, 1, word(9)),
      frame(RST_STREAM, 0, 1, word(8)),
      frame(PRIORITY, 0, 1, priority(0)),
    ]),
  ],
  '5.1.1 stream ids, 5.1.2 concurrency': [
    sent('an even id', goaway.PROTOCOL_ERROR, [get(2)]),
    sent('a smaller id than before', goaway.PROTOCOL_ERROR, [get(5), get(3)]),
    sent('ids with gaps', '', [get(1), get(101), get(103)]),
    sent(
      'more streams than announced',
      'RST_STREAM 201 REFUSED_STREAM, RST_STREAM 203 REFUSED_STREAM',
      Array.from({ length: 102 }, (_, i) => get(i * 2 + 1)),
    ),
  ],
  '5.3 priority': [
    sent('HEADERS that depend on themselves', goaway.PROTOCOL_ERROR, [
      frame(HEADERS, 0x25, 1, Buffer.concat([priority(1), GET])),
    ]),
    sent('PRIORITY that depends on itself', goaway.PROTOCOL_ERROR, [frame(PRIORITY, 0, 1, priority(1))]),
    sent('HEADERS with priority and padding', '', [
      frame(HEADERS, 0x2d, 1, Buffer.concat([Buffer.from([2]), priority(0x8000_0003), GET, Buffer.alloc(2)])),
    ]),
  ],
  '6.1 DATA': [
    sent('on stream 0', goaway.PROTOCOL_ERROR, [frame(DATA, 1, 0, 'x')]),
    sent('padded', '', [
      post(1),
      frame(DATA, 9, 1, Buffer.concat([Buffer.from([3]), Buffer.from('x'), Buffer.alloc(3)])),
    ]),
    sent('nothing but padding', '', [post(1), frame(DATA, 9, 1, [1, 0])]),
    sent('padding that is too long', goaway.PROTOCOL_ERROR, [post(1), frame(DATA, 9, 1, [6, 0, 0, 0, 0, 0])]),
    sent('padded without a length', goaway.FRAME_SIZE_ERROR, [post(1), frame(DATA, 9, 1)]),
  ],
  '6.2 HEADERS': [
    sent('on stream 0', goaway.PROTOCOL_ERROR, [get(0)]),
    sent('padding that is too long', goaway.PROTOCOL_ERROR, [
      frame(HEADERS, 0xd, 1, Buffer.concat([Buffer.from([7]), GET])),
    ]),
    sent('padded without a length', goaway.FRAME_SIZE_ERROR, [frame(HEADERS, 0xd, 1)]),
    sent('priority that is cut off', goaway.FRAME_SIZE_ERROR, [frame(HEADERS, 0x25, 1, [0, 0, 0, 0])]),
  ],
  '6.3 PRIORITY': [
    sent('on stream 0', goaway.PROTOCOL_ERROR, [frame(PRIORITY, 0, 0, priority(0))]),
    sent('of another length', 'RST_STREAM 1 FRAME_SIZE_ERROR', [get(1), frame(PRIORITY, 0, 1, [0, 0, 0, 0])]),
    sent('of another length, on no stream', goaway.FRAME_SIZE_ERROR, [frame(PRIORITY, 0, 1, [0, 0, 0, 0])]),
  ],
  '6.4 RST_STREAM': [
    sent('on stream 0', goaway.PROTOCOL_ERROR, [frame(RST_STREAM, 0, 0, word(8))]),
    sent('of another length', goaway.FRAME_SIZE_ERROR, [get(1), frame(RST_STREAM, 0, 1, [0, 0, 8])]),
    sent('with a code that is not known (7)', '', [get(1), frame(RST_STREAM, 0, 1, word(0xff))]),
  ],
  '6.5 SETTINGS': [
    sent('an acknowledgement with a payload', goaway.FRAME_SIZE_ERROR, [
      frame(SETTINGS, 1, 0, parameter(4, 1)),
    ]),
    sent('on a stream', goaway.PROTOCOL_ERROR, [frame(SETTINGS, 0, 1)]),
    sent('of another length', goaway.FRAME_SIZE_ERROR, [frame(SETTINGS, 0, 0, [0, 4, 0, 0, 0])]),
    sent('ENABLE_PUSH 2', goaway.PROTOCOL_ERROR, [frame(SETTINGS, 0, 0, parameter(2, 2))]),
    sent('INITIAL_WINDOW_SIZE 2^31', goaway.FLOW_CONTROL_ERROR, [
      frame(SETTINGS, 0, 0, parameter(4, 2 ** 31)),
    ]),
    sent('MAX_FRAME_SIZE 16,383', goaway.PROTOCOL_ERROR, [frame(SETTINGS, 0, 0, parameter(5, 16_383))]),
    sent('MAX_FRAME_SIZE 2^24', goaway.PROTOCOL_ERROR, [frame(SETTINGS, 0, 0, parameter(5, 2 ** 24))]),
    sent('ENABLE_CONNECT_PROTOCOL 2', goaway.PROTOCOL_ERROR, [frame(SETTINGS, 0, 0, parameter(8, 2))]),
    sent('ENABLE_CONNECT_PROTOCOL taken back', goaway.PROTOCOL_ERROR, [
      frame(SETTINGS, 0, 0, parameter(8, 1)),
      frame(SETTINGS, 0, 0, parameter(8, 0)),
    ]),
    sent('a parameter that is not known', '', [frame(SETTINGS, 0, 0, parameter(0xff, 1))]),
    sent('more parameters than there can be', goaway.PROTOCOL_ERROR, [
      frame(SETTINGS, 0, 0, Buffer.concat(Array.from({ length: 33 }, () => parameter(4, 1)))),
    ]),
  ],
  '6.6 PUSH_PROMISE': [
    sent('of a client', goaway.PROTOCOL_ERROR, [
      get(1),
      frame(PUSH_PROMISE, 4, 1, Buffer.concat([word(2), GET])),
    ]),
  ],
  '6.7 PING': [
    sent('an acknowledgement that nobody waits for', '', [frame(PING, 1, 0, 'bytebyte')]),
    sent('on a stream', goaway.PROTOCOL_ERROR, [frame(PING, 0, 1, 'bytebyte')]),
    sent('of another length', goaway.FRAME_SIZE_ERROR, [frame(PING, 0, 0, 'bytes')]),
  ],
  '6.8 GOAWAY': [
    sent('on a stream', goaway.PROTOCOL_ERROR, [frame(GOAWAY, 0, 1, Buffer.alloc(8))]),
    sent('of another length', goaway.FRAME_SIZE_ERROR, [frame(GOAWAY, 0, 0, Buffer.alloc(7))]),
    sent('with a code that is not known (7), a stream open', '', [
      get(1),
      frame(GOAWAY, 0, 0, Buffer.concat([word(0), word(0xff), Buffer.from('text')])),
    ]),
  ],
  '6.9 WINDOW_UPDATE': [
    sent('of nothing', goaway.PROTOCOL_ERROR, [frame(WINDOW_UPDATE, 0, 0, word(0))]),
    sent('of nothing, on a stream', 'RST_STREAM 1 PROTOCOL_ERROR', [
      get(1),
      frame(WINDOW_UPDATE, 0, 1, word(0)),
    ]),
    sent('of another length', goaway.FRAME_SIZE_ERROR, [frame(WINDOW_UPDATE, 0, 0, [0, 0, 1])]),
    sent('to more than 2^31 - 1', goaway.FLOW_CONTROL_ERROR, [
      frame(WINDOW_UPDATE, 0, 0, word(2 ** 31 - 1)),
      frame(WINDOW_UPDATE, 0, 0, word(1)),
    ]),
    sent('to more than 2^31 - 1, on a stream', 'RST_STREAM 1 FLOW_CONTROL_ERROR', [
      get(1),
      frame(WINDOW_UPDATE, 0, 1, word(2 ** 31 - 1)),
    ]),
    sent('a stream window too large by SETTINGS', goaway.FLOW_CONTROL_ERROR, [
      get(1),
      frame(WINDOW_UPDATE, 0, 1, word(2 ** 31 - 1 - 65_535)),
      frame(SETTINGS, 0, 0, parameter(4, 65_536)),
    ]),
    untaken('more DATA than the window of the stream', 'RST_STREAM 1 FLOW_CONTROL_ERROR', [
      post(1),
      ...Array.from({ length: 5 }, () => frame(DATA, 0, 1, Buffer.alloc(MAX_FRAME))),
    ]),
  ],
  '6.10 CONTINUATION': [
    sent('one', '', [openBlock(1), restOfBlock(1)]),
    sent('several, one of them empty', '', [
      openBlock(1),
      frame(CONTINUATION, 0, 1),
      frame(CONTINUATION, 0, 1, GET.subarray(2, 4)),
      frame(CONTINUATION, 4, 1, GET.subarray(4)),
    ]),
    sent('on stream 0', goaway.PROTOCOL_ERROR, [openBlock(1), restOfBlock(0)]),
    sent('of another stream', goaway.PROTOCOL_ERROR, [openBlock(1), restOfBlock(3)]),
    sent('behind a block that has ended', goaway.PROTOCOL_ERROR, [get(1), restOfBlock(1)]),
    sent('behind CONTINUATION that has ended the block', goaway.PROTOCOL_ERROR, [
      openBlock(1),
      restOfBlock(1),
      restOfBlock(1),
    ]),
    sent('behind DATA', goaway.PROTOCOL_ERROR, [post(1), frame(DATA, 0, 1, 'x'), restOfBlock(1)]),
    sent('a block that is too long', goaway.ENHANCE_YOUR_CALM, [
      frame(HEADERS, 0, 1, Buffer.alloc(MAX_FRAME)),
      frame(CONTINUATION, 0, 1, Buffer.alloc(MAX_FRAME)),
      frame(CONTINUATION, 0, 1, [0]),
    ]),
    sent('a block in too many pieces', goaway.ENHANCE_YOUR_CALM, [
      openBlock(1),
      ...Array.from({ length: 32 }, () => frame(CONTINUATION, 0, 1)),
    ]),
  ],
  '8.1 messages, as far as the core knows them': [
    sent('trailers', '', [post(1), frame(DATA, 0, 1, 'x'), frame(HEADERS, 5, 1, TRAILER)]),
    sent('a second head that ends nothing', 'RST_STREAM 1 PROTOCOL_ERROR', [
      post(1),
      frame(HEADERS, 4, 1, TRAILER),
    ]),
    sent('trailers with a pseudo field', 'RST_STREAM 1 PROTOCOL_ERROR', [post(1), frame(HEADERS, 5, 1, GET)]),
    sent('trailers with a field of the connection', 'RST_STREAM 1 PROTOCOL_ERROR', [
      post(1),
      frame(
        HEADERS,
        5,
        1,
        Buffer.concat([Buffer.from('000775706772616465', 'hex'), Buffer.from('026832', 'hex')]),
      ),
    ]),
    sent('trailers that are no fields', 'RST_STREAM 1 PROTOCOL_ERROR', [
      post(1),
      frame(HEADERS, 5, 1, Buffer.from('0001410162', 'hex')),
    ]),
  ],
}
