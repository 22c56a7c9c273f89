import type { HeaderList } from '../exchange/headers.ts'
import type { OutgoingRequest } from '../exchange/outgoing.ts'

/** What a request line may hold: a service behind the upstream may write it into one. */
const VISIBLE = /^[\x21-\x7e]+$/
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/**
 * The header list of a request (RFC 9113 section 8.3.1). Fields of HTTP/1's connection are left out; an upgrade becomes
 * an extended CONNECT (RFC 8441), which has neither key nor `upgrade`.
 *
 * @throws Error where a part does not fit its place: a bug of whoever made it. Fields are checked where they are encoded
 */
export function requestList(request: OutgoingRequest, scheme: 'http' | 'https'): HeaderList {
  const { method, target, host, headers, tunnel, body } = request
  if (!METHOD.test(method)) throw new Error('a method is no token')
  if (!VISIBLE.test(target) || !VISIBLE.test(host))
    throw new Error('a request target or host contains a character that does not belong there')
  const list: HeaderList =
    tunnel === null
      ? [':method', method, ':scheme', scheme, ':authority', host, ':path', target]
      : [':method', 'CONNECT', ':protocol', tunnel, ':scheme', scheme, ':authority', host, ':path', target]
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
    list.push(name, value)
  }
  // A gRPC server may refuse who does not say that it reads trailers, which we do.
  if (grpc && !te) list.push('te', 'trailers')
  if (tunnel === null && typeof body.length === 'number') list.push('content-length', String(body.length))
  return list
}
