import type { HeaderList } from '../exchange/headers.ts'
import type { ResponseHead as UpstreamHead } from '../exchange/outgoing.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'

/** How the end of an HTTP/1.1 body is found (RFC 9112 section 6): a length, chunks, the connection's end, or there is none. */
export type Framing = number | 'chunked' | 'close' | 'none'

/** A request head as the parser read it. */
export interface RequestHead {
  readonly method: string
  readonly target: string
  readonly minor: 0 | 1
  readonly headers: HeaderList
  /** A request without length and coding has `none`. */
  readonly framing: number | 'chunked' | 'none'
  /** The one Host value as sent, or null (HTTP/1.0 only: 1.1 without Host is refused). */
  readonly host: string | null
  /** Whether the connection may go on after this message, by its version and `connection` field. */
  readonly keepAlive: boolean
  /** `Expect: 100-continue` from an HTTP/1.1 client with a body to come. */
  readonly expectsContinue: boolean
  /** Members of Upgrade in lower case where `connection` names `upgrade` and the version is 1.1; else empty. */
  readonly upgrade: readonly string[]
}

/** A response head as the parser read it. */
export interface ResponseHead extends UpstreamHead {
  readonly reason: string
  /** `none` for HEAD, 1xx, 204 and 304 whatever the fields say. */
  readonly framing: Framing
  readonly keepAlive: boolean
  /** Seconds of `keep-alive: timeout=N`, or null. */
  readonly keepAliveHint: number | null
}

/** What limits a head. */
export interface HeadLimits {
  /** Bytes of the whole head with its start line. */
  readonly headerBytes: number
  readonly headerFields: number
  /** Bytes of the request target. */
  readonly urlBytes: number
}

/** A parse result: the head, or why it is refused. Expected failures are values. */
export type Parsed<Head> = Head | ProxyError
