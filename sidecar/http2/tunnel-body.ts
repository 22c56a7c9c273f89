import { randomBytes } from 'node:crypto'
import type { BodySink, BodySource } from '../exchange/body.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'

/**
 * What a client sends into a tunnel that it opened by extended CONNECT (RFC 8441). To everybody else it is an upgrade,
 * whose request has no body: nothing of it is read before the tunnel stands, and then all of it.
 */
export class TunnelBody implements BodySource {
  readonly length = 'none'
  readonly #bytes: BodySource

  constructor(bytes: BodySource) {
    this.#bytes = bytes
  }

  start(sink: BodySink): void {
    this.#bytes.start(sink)
  }

  resume(): void {
    this.#bytes.resume()
  }

  abort(error: ProxyError): void {
    this.#bytes.abort(error)
  }
}

/** A `sec-websocket-key`, which HTTP/1 needs and an extended CONNECT has not (RFC 8441 section 5). */
export function websocketKey(): string {
  return randomBytes(16).toString('base64')
}
