import { ContextKey } from '../../exchange/context-key.ts'
import type { Exchange } from '../../exchange/exchange.ts'
import { grpcKind } from '../../exchange/grpc-status.ts'
import { hasHeader, headerValue, type HeaderList, removeHeader, setHeader } from '../../exchange/headers.ts'
import type { ReadBuffers } from '../../runtime/read-buffers.ts'
import type { Filter, FilterKind } from '../filter.ts'
import { decodeText } from './text-body.ts'
import { webBody } from './web-body.ts'

/** The content type that the client of this exchange reads; absent: its call is none of gRPC-Web. */
const ANSWER_TYPE = new ContextKey<string>('grpc-web')

const TEXT = /^application\/grpc-web-text/i
/** What a script has to be able to read of a response of another origin. */
const EXPOSED = 'grpc-status, grpc-message, grpc-status-details-bin'

/**
 * Calls of gRPC-Web as gRPC (grpc/grpc, doc/PROTOCOL-WEB.md): browsers can neither send nor read trailers, so the status
 * comes as a last frame of the body, and in the text form the whole body is base64. Other requests pass as they are.
 */
export const grpcWebFilter: FilterKind<true> = {
  name: 'grpcWeb',
  create: (_policy, _route, live) =>
    new GrpcWebFilter(
      live.use(
        ['grpc-web'],
        parts => parts.buffers,
        () => {},
      ),
    ),
}

class GrpcWebFilter implements Filter {
  readonly name = 'grpcWeb'
  readonly #buffers: ReadBuffers

  constructor(buffers: ReadBuffers) {
    this.#buffers = buffers
  }

  onRequest(exchange: Exchange): undefined {
    const buffers = this.#buffers
    if (grpcKind(exchange) !== 'grpc-web') return undefined
    const type = headerValue(exchange.headers, 'content-type') ?? ''
    const accepted = headerValue(exchange.headers, 'accept') ?? ''
    exchange.set(
      ANSWER_TYPE,
      TEXT.test(accepted) || TEXT.test(type) ? 'application/grpc-web-text' : 'application/grpc-web',
    )
    const headers = exchange.upstreamHeaders
    setHeader(headers, 'content-type', type.replace(/^application\/grpc-web(?:-text)?/i, 'application/grpc'))
    setHeader(headers, 'te', 'trailers')
    removeHeader(headers, 'accept')
    removeHeader(headers, 'x-grpc-web')
    if (TEXT.test(type)) exchange.requestTransform = body => decodeText(body, buffers)
    exchange.responseTransform = (fields, body) =>
      // Without messages the status stands in the head, where browsers can read it.
      hasHeader(fields, 'grpc-status')
        ? body
        : webBody(body, exchange.get(ANSWER_TYPE) === 'application/grpc-web-text', buffers)
    return undefined
  }

  onResponse(exchange: Exchange, headers: HeaderList): void {
    const answer = exchange.get(ANSWER_TYPE)
    if (answer === undefined) return
    const type = headerValue(headers, 'content-type') ?? ''
    const format = /^application\/grpc(?:-web(?:-text)?)?(\+[\w.-]+)?$/i.exec(type)
    // Anything else is no answer of a gRPC server, and is not dressed up as one.
    if (format === null) exchange.responseTransform = null
    else setHeader(headers, 'content-type', answer + (format[1] ?? '+proto'))
    removeHeader(headers, 'trailer')
    expose(headers)
  }
}

function expose(headers: HeaderList): void {
  if (!hasHeader(headers, 'access-control-allow-origin')) return
  const before = headerValue(headers, 'access-control-expose-headers')
  setHeader(
    headers,
    'access-control-expose-headers',
    before === undefined ? EXPOSED : `${before}, ${EXPOSED}`,
  )
}
