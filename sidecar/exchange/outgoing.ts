import type { SocketEnd } from './address.ts'
import type { BodySource } from './body.ts'
import type { HeaderList } from './headers.ts'
import type { ProxyError } from './proxy-error.ts'

/** A request as it goes upstream, neutral between HTTP/1 and HTTP/2. */
export interface OutgoingRequest {
  readonly method: string
  /** Path and query. */
  readonly target: string
  /** The Host field's value, in HTTP/2 `:authority`. */
  readonly host: string
  readonly headers: HeaderList
  /** Names whose values no compression of HTTP/2 may remember (RFC 7541 section 6.2.3). Absent or null: none. */
  readonly guarded?: readonly string[] | null
  readonly body: BodySource
  /** The protocol to upgrade to, or null. */
  readonly tunnel: string | null
  /** Whether `expect: 100-continue` is sent and the body waits for `continueBody`. */
  readonly expectsContinue: boolean
}

/** The head of an upstream's final response. */
export interface ResponseHead {
  /** 101: the protocol that was asked for is spoken from here on, whatever the version calls that. */
  readonly status: number
  /** As received, hop-by-hop fields included. */
  readonly headers: HeaderList
  readonly version: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2'
  /** As in a request. */
  readonly guarded?: readonly string[] | null
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

/** What one request is sent on: a connection of HTTP/1, a stream of HTTP/2. */
export interface OutgoingConnection {
  /** Whether its peer may have closed it unseen, so that the request may meet the reuse race. */
  readonly used: boolean
  /** Sends a request. */
  send(request: OutgoingRequest, taker: ResponseTaker): void
  /** Sends the body that waited for 100. A second call does nothing. */
  continueBody(): void
  /**
   * The exchange is over before its response is.
   * @param taker whose exchange it is; a connection that has gone on to another's is left alone. Null: nothing was sent
   */
  abort(taker: ResponseTaker | null): void
  /**
   * When bytes moved last in the exchange of this taker, either way, up to a tick of the wheel; Infinity where the
   * upstream has nothing to say: its response is complete, or it is we who do not read.
   */
  movedAt(taker: ResponseTaker): number
  /** Whether a byte of the response to this taker's request has come. */
  heard(taker: ResponseTaker): boolean
}

/** Both ends of a client's connection. */
export interface ClientEnds extends SocketEnd {
  /** Where it had connected to. */
  readonly local: SocketEnd
}

/** Who waits for a connection. Exactly one of the two is called, perhaps before `acquire` returns. */
export interface ConnectionWaiter {
  /** Whose request it is for. Absent: it is our own. */
  readonly peer?: ClientEnds
  onConnection(connection: OutgoingConnection): void
  onNoConnection(error: ProxyError): void
}

/** Milliseconds, read from the snapshot at each use. */
export interface PoolSettings {
  readonly connect: number
  readonly keepAlive: number
}

/** What a pool counts; plain fields of a metric recorder. */
export interface PoolCounters {
  connectsOpened: number
  connectsFailed: number
}

/** The connections to one endpoint. Limits are the upstream's; they are checked before anyone asks. */
export interface ConnectionPool {
  /** Connections without a request. */
  readonly idle: number
  /**
   * Whether a request can be sent without one more connection: on one that stands, or that is being opened for others.
   * @param peer whose request it is
   */
  ready(peer?: ClientEnds): boolean
  /** Connections that stand. */
  readonly open: number
  /** Connections that stand or are being opened. */
  readonly size: number
  /** Gets a connection for one request. `fresh`: one that was never used, for the repetition after a reuse race. */
  acquire(waiter: ConnectionWaiter, fresh: boolean): void
  /** A waiter wants no connection any more. */
  cancel(waiter: ConnectionWaiter): void
  /** Closes the connection that has been idle for longest. @returns whether there was one */
  evict(): boolean
  /** Settings of the newest generation; open connections stay. */
  configure(settings: PoolSettings): void
  /** Opens no more, closes what is idle, and what is busy when it is free. */
  close(): void
}
