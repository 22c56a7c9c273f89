import type { BodySink, BodySource } from '../exchange/body.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { grpcKind } from '../exchange/grpc-status.ts'
import { headerValue, type HeaderList } from '../exchange/headers.ts'
import type { ResponseHead } from '../exchange/outgoing.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'

/**
 * Notes what a gRPC call ended with: `grpc-status` stands in the head of a response without messages, else in the
 * trailers. Other requests pass as they are.
 *
 * @returns the body that goes on
 */
export function noteGrpcStatus(exchange: Exchange, head: ResponseHead, body: BodySource): BodySource {
  if (head.version !== 'HTTP/2' || grpcKind(exchange) === null) return body
  exchange.grpcStatus = statusIn(head.headers)
  return exchange.grpcStatus === -1 ? new CallBody(exchange, body) : body
}

function statusIn(headers: HeaderList): number {
  const value = headerValue(headers, 'grpc-status')
  return value !== undefined && /^\d{1,2}$/.test(value) ? Number(value) : -1
}

/** A response on its way through, of which only the trailers are read. */
class CallBody implements BodySource {
  readonly length: BodySource['length']
  readonly #exchange: Exchange
  readonly #source: BodySource

  constructor(exchange: Exchange, source: BodySource) {
    this.length = source.length
    this.#exchange = exchange
    this.#source = source
  }

  start(sink: BodySink): void {
    this.#source.start(new CallSink(this.#exchange, sink))
  }

  resume(): void {
    this.#source.resume()
  }

  abort(error: ProxyError): void {
    this.#source.abort(error)
  }
}

class CallSink implements BodySink {
  readonly #exchange: Exchange
  readonly #sink: BodySink

  constructor(exchange: Exchange, sink: BodySink) {
    this.#exchange = exchange
    this.#sink = sink
  }

  chunk(bytes: Buffer, owned: boolean): boolean {
    return this.#sink.chunk(bytes, owned)
  }

  end(trailers: HeaderList | null): void {
    if (trailers !== null) this.#exchange.grpcStatus = statusIn(trailers)
    this.#sink.end(trailers)
  }

  abort(error: ProxyError): void {
    this.#sink.abort(error)
  }
}
