import { NO_BODY } from '../exchange/body.ts'
import { Exchange, type Peer } from '../exchange/exchange.ts'

const LF = 0x0a
/** A line up to this long is looked at. */
const LINE = 128
const METHOD = /^(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|CONNECT|TRACE) /

/**
 * Whether a connection begins with a whole line of another protocol: text that names neither a method of HTTP nor its
 * version. Nobody there would read an answer of HTTP/1, and to a broken client of HTTP/2 it would look like a frame
 * (RFC 9113 section 3.4).
 */
export function isForeignLine(bytes: Buffer, length: number): boolean {
  const first = (bytes[0] as number) | 0x20
  if (first < 0x61 || first > 0x7a) return false
  const end = bytes.subarray(0, Math.min(length, LINE)).indexOf(LF)
  if (end < 0) return false
  const line = bytes.toString('latin1', 0, end)
  return !METHOD.test(line) && !line.includes('HTTP/')
}

/** What came instead of a request, for log and metric: whatever is said to it goes nowhere. */
export function unanswered(peer: Peer, entry: string, startedAt: number): Exchange {
  const exchange: Exchange = new Exchange({
    method: '',
    target: '',
    version: 'HTTP/1.1',
    headers: [],
    body: NO_BODY,
    tunnel: null,
    expectsContinue: false,
    connectHost: null,
    peer,
    responder: {
      inform: () => {},
      respond: (status, _headers, body) => {
        body.start({ chunk: () => true, end: () => {}, abort: () => {} })
        exchange.status = status
        exchange.finish(null)
      },
      limitBody: () => {},
      acceptConnect: () => {},
      abort: error => exchange.finish(error),
    },
    entry,
    startedAt,
  })
  return exchange
}
