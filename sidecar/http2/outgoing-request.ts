import type { HeaderList } from '../exchange/headers.ts'
import type { OutgoingRequest } from '../exchange/outgoing.ts'

/** What a request line may hold: a service behind the upstream may write it into one. */
const VISIBLE = /^[\x21-\x7e]+$/
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** One list for all requests: it is encoded before the next one is made. */
const list: HeaderList = []

/**
 * The header list of a request (RFC 9113 section 8.3.1), valid until the next call. Fields of HTTP/1's connection are
 * left out; an upgrade becomes an extended CONNECT (RFC 8441), which has neither key nor `upgrade`.
 *
 * @throws Error where a part does not fit its place: a bug of whoever made it. Fields are checked where they are encoded
 */
export function requestList(request: OutgoingRequest, scheme: 'http' | 'https'): HeaderList {
  const { method, target, host, headers, tunnel, body } = request
  if (!METHOD.test(method)) throw new Error('a method is no token')
  if (!VISIBLE.test(target) || !VISIBLE.test(host))
    throw new Error('a request target or host contains a character that does not belong there')
  let to = put(0, ':method', tunnel === null ? method : 'CONNECT')
  if (tunnel !== null) to = put(to, ':protocol', tunnel)
  to = put(to, ':scheme', scheme)
  to = put(to, ':authority', host)
  to = put(to, ':path', target)
  let grpc = false
  let te = false
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    const value = headers[i + 1] as string
    switch (name) {
      case 'connection':
      case 'host':
      case 'keep-alive':
      case 'proxy-connection':
      case 'transfer-encoding':
      case 'upgrade':
        continue
      case 'sec-websocket-key':
        if (tunnel !== null) continue
        break
      case 'te':
        te = true
        break
      case 'content-type':
        grpc = value.startsWith('application/grpc')
        break
      default:
    }
    to = put(to, name, value)
  }
  // A gRPC server may refuse who does not say that it reads trailers, which we do.
  if (grpc && !te) to = put(to, 'te', 'trailers')
  if (tunnel === null && typeof body.length === 'number') to = put(to, 'content-length', String(body.length))
  list.length = to
  return list
}

function put(at: number, name: string, value: string): number {
  list[at] = name
  list[at + 1] = value
  return at + 2
}
