import type { SocketEnd } from './address.ts'
import type { AuthorizationDecision } from './authorization-decision.ts'
import type { BodySource } from './body.ts'
import type { Caller } from './caller.ts'
import type { CanonicalRequest } from './canonical-request.ts'
import type { ContextKey } from './context-key.ts'
import type { HeaderList } from './headers.ts'
import type { PeerIdentity } from './peer-identity.ts'
import type { ProxyError } from './proxy-error.ts'
import type { CloseSide, TunnelControl } from './tunnel-control.ts'

/** Who is at the other end of the client connection. One object a connection, shared by its exchanges. */
export interface Peer {
  /** IP address as text; IPv4-mapped IPv6 as IPv4; empty on a Unix socket. */
  readonly address: string
  readonly port: number
  /** Where it had connected to; as a PROXY protocol header said, where there was one. */
  readonly local: SocketEnd
  /** Whether the connection itself is encrypted. */
  readonly encrypted: boolean
  /** The server name that the client asked for when it opened TLS, lower case; empty where it named none. */
  readonly serverName: string
  /** What its certificate proved; null where it showed none. */
  readonly identity: PeerIdentity | null
  /** The last token that came over the connection, and its digest; for who digests tokens. */
  token?: { readonly text: string; readonly digest: string }
}

/** The way back to the client: what a codec's server side does for its exchange. */
export interface Responder {
  /** Passes an informational response on (1xx except 101), where the client's version allows it. */
  inform(status: number, headers: HeaderList): void
  /**
   * Sends the final response, or 101 and the tunnel behind it; 200 to a CONNECT is the same. Called once. The responder starts the body itself and
   * adds the framing, `date` and `connection`; `headers` must hold none of these.
   */
  respond(status: number, headers: HeaderList, body: BodySource): void
  /** Fails the request's body with `request_too_large` when it passes this many bytes. Before the body is started. */
  limitBody(bytes: number): void
  /** Takes a CONNECT: answers 200 and reads what comes as requests for `host` only. */
  acceptConnect(host: string): void
  /** Ends an exchange whose response head is already out: the connection is closed so that it looks incomplete. */
  abort(error: ProxyError): void
}

/** What works for an exchange: its way upstream. Hears once that the exchange is over. */
export interface Work {
  /** @param error why it ended early, or null where it ended well */
  end(error: ProxyError | null): void
}

/**
 * One request and its response, neutral between HTTP/1 and HTTP/2. Made by the codec when a head is complete; never
 * pooled or reused, so that a late timer, DNS answer or drain finds it done, and not somebody else's.
 */
export class Exchange {
  /** Names whose values no compression of HTTP/2 may remember, as the client said; and as the upstream did. Null: none. */
  guarded: readonly string[] | null = null
  guardedAnswer: readonly string[] | null = null

  // The request, as the codec read it.
  readonly method: string
  /** The request target as sent (origin-form, absolute-form, authority-form or `*`). */
  readonly target: string
  /** `TCP`: no request at all, but the bytes of a TCP listener's connection. */
  readonly version: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2' | 'TCP'
  /** As received, hop-by-hop fields included. Read only: what goes upstream is `upstreamHeaders`. */
  readonly headers: HeaderList
  readonly body: BodySource
  /**
   * The protocol asked for by an Upgrade (lower case), or null; set to null where the request goes on as a plain one.
   * After a 101 `body` is the tunnel's way up.
   */
  tunnel: string | null
  /** Whether the client waits for 100 before it sends the body; not any more where a filter told it to go on. */
  expectsContinue: boolean
  /** The host that a CONNECT opened this connection for; requests inside must ask for it. Null outside of one. */
  readonly connectHost: string | null
  readonly peer: Peer
  readonly responder: Responder
  /** The acceptor's address key: where the request came in. */
  readonly entry: string
  /** Monotonic milliseconds when the head was complete. */
  readonly startedAt: number

  // What handling adds, in this order.
  request: CanonicalRequest | null = null
  /** Path parameters of the route's template. */
  params: Readonly<Record<string, string>> | null = null
  /** What goes upstream: hygiene applied, ours added. Filters edit it. */
  upstreamHeaders: HeaderList = []
  /** `headers` without what this client may not say about itself; null: it said nothing such. What policies choose and count by. */
  heard: HeaderList | null = null
  /** From `x-request-id` of a trusted peer, else ours. */
  requestId = ''
  /** The client's address after trusted proxies were walked. */
  clientAddress = ''
  /** Who is calling, once that was proved; null while nobody is known. */
  caller: Caller | null = null
  /** What authorization said, last; null where nothing was asked, or the request was refused before. */
  decision: AuthorizationDecision | null = null
  /** Whether what says who is calling is sent by browsers for every page: a WebSocket then asks for the origin. */
  ambient = false
  /** What a filter puts between the request's body and the upstream; null: nothing. */
  requestTransform: ((body: BodySource) => BodySource) | null = null
  /** What a filter puts between an upstream's body and the client; may edit the head's fields. Null: nothing. */
  responseTransform: ((headers: HeaderList, body: BodySource) => BodySource) | null = null
  /** What a generation lent; opaque here, given back in `done`. */
  lease: unknown = null
  /** What must hear that the exchange is over. */
  work: Work | null = null
  /** The open tunnel, where something may be asked of it. */
  tunnelControl: TunnelControl | null = null

  // What log and metrics read when it is over.
  listener = ''
  route = 'none'
  upstream = ''
  endpoint = ''
  attempts = 0
  /** What the last retry followed: a reason, or the status that the upstream gave; empty where there was none. */
  retriedFor = ''
  /** The upstream that the request left for its fallback, and what it had done; empty where it did not. */
  fallbackFrom = ''
  fallbackFor = ''
  /** Of a WebSocket: who sent the first close frame, and its code (1005 without one); empty and 0 while nobody did. */
  closedBy: CloseSide | '' = ''
  closeCode = 0
  /** The status sent; 0 while none was; 499 where the client left before one. */
  status = 0
  /** Of a gRPC call, what `grpc-status` said; -1 while it said nothing. Null: it is none, or it was not passed on. */
  grpcStatus: number | null = null
  /** Our reason code where we answered or failed by ourselves; empty for a plain upstream response. */
  reason = ''
  /** What an operator needs beside the reason: a Node error code, an address. Never sent to a client. */
  cause = ''
  bytesIn = 0
  bytesOut = 0
  /** Milliseconds from the start to the response head; -1 while there is none. */
  firstByteAfter = -1
  finished = false
  /** Called once when the exchange is over, by the side that ends it. */
  onDone: ((exchange: Exchange) => void) | null = null

  /** Keys and values in turn: there are few, and a map costs more to make than they to walk. */
  #context: unknown[] | null = null

  constructor(head: {
    method: string
    target: string
    version: Exchange['version']
    headers: HeaderList
    body: BodySource
    tunnel: string | null
    expectsContinue: boolean
    connectHost: string | null
    peer: Peer
    responder: Responder
    entry: string
    startedAt: number
  }) {
    this.method = head.method
    this.target = head.target
    this.version = head.version
    this.headers = head.headers
    this.body = head.body
    this.tunnel = head.tunnel
    this.expectsContinue = head.expectsContinue
    this.connectHost = head.connectHost
    this.peer = head.peer
    this.responder = head.responder
    this.entry = head.entry
    this.startedAt = head.startedAt
  }

  /** What a filter left under this key, or undefined. */
  get<T>(key: ContextKey<T>): T | undefined {
    const context = this.#context
    if (context === null) return undefined
    const at = context.indexOf(key)
    // Keys are objects that each carry one type, and `set` is the only writer.
    return at === -1 ? undefined : (context[at + 1] as T)
  }

  /** Leaves a value for later filters, expressions and the log. */
  set<T>(key: ContextKey<T>, value: T): void {
    this.#context ??= []
    const at = this.#context.indexOf(key)
    if (at === -1) this.#context.push(key, value)
    else this.#context[at + 1] = value
  }

  /**
   * The one place where an exchange ends, from whatever side comes first. A second call does nothing.
   * @param error why it ended, where it did not end well
   */
  finish(error: ProxyError | null): void {
    if (this.finished) return
    this.finished = true
    if (error !== null) {
      if (this.reason === '') this.reason = error.reason
      if (this.cause === '') this.cause = error.cause
      if (this.status === 0) this.status = error.status
    }
    const work = this.work
    this.work = null
    work?.end(error)
    const done = this.onDone
    this.onDone = null
    done?.(this)
  }
}
