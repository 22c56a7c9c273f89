import type { BodySource } from '../exchange/body.ts'
import type { HeaderList } from '../exchange/headers.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import type { ResponseHead } from './message.ts'

/** A request as it goes upstream. */
export interface OutgoingRequest {
  readonly method: string
  /** Path and query. */
  readonly target: string
  /** The Host field's value. */
  readonly host: string
  readonly headers: HeaderList
  readonly body: BodySource
  /** The protocol to upgrade to, or null. */
  readonly tunnel: string | null
  /** Whether `expect: 100-continue` is sent and the body waits for `continueBody`. */
  readonly expectsContinue: boolean
}

/** Who takes the response: `proxy/attempt.ts`. */
export interface ResponseTaker {
  /** A 1xx other than 101 came. */
  onInformational(status: number, headers: HeaderList): void
  /** The final head came; the body waits to be started. From here on failures reach the body's sink. */
  onResponse(head: ResponseHead, body: BodySource): void
  /** The last byte of the request was given to the socket. */
  onRequestSent(): void
  /** It ended before a final head. */
  onFailure(error: ProxyError): void
}

/** Where the time of the last movement comes from: a timer wheel. */
export interface Ticks {
  /** The present, rounded up to a tick. */
  readonly tickEnd: number
}

/** Of a connection whose idle time nobody asks for. */
export const NO_TICKS: Ticks = { tickEnd: 0 }

/** Where a connection goes when its exchange is over. */
export interface ConnectionHome {
  /** Both messages are complete and the connection may carry another request. */
  onReusable(keepAliveHint: number | null): void
  /** The connection is gone. */
  onGone(): void
}
