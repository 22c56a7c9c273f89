import type { Exchange } from '../exchange/exchange.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { BufferedWriter } from './buffered-writer.ts'
import {
  boundedText,
  formatMilliseconds,
  JsonNames,
  jsonString,
  LastWireJson,
  terminalText,
  Timestamps,
  wireJson,
  wireText,
} from './log-text.ts'
import { redactQuery, redactTarget } from './redaction.ts'
import { traceIdOf } from './trace-context.ts'

/** Which exchanges are written: all, those with status 400 and above or a reason of ours, or none. */
export type AccessLogPolicy = 'all' | 'errors' | 'off'

/** What the configuration says about the log; its policy is given with each line, since it may differ by listener. */
export interface AccessLogSettings {
  /** The service's name, in every line. */
  readonly service: string
  readonly format: 'json' | 'text'
  /** How many of the exchanges that the policy selects are written, 0 to 100. */
  readonly percent: number
}

/** What a listener of this role writes where the configuration does not say. */
export function defaultPolicy(role: 'inbound' | 'outbound' | 'edge'): AccessLogPolicy {
  return role === 'edge' ? 'all' : 'errors'
}

/**
 * One line an exchange, written when it is over. Values come from the wire as byte strings and may be hostile: they are
 * read as UTF-8, cut at 2 KiB and escaped. Of the header fields only `host`, `user-agent` and `traceparent` are read,
 * so that no credential can get in; secret query parameters are replaced.
 */
export class AccessLog {
  readonly #writer: BufferedWriter
  readonly #clock: Clock
  readonly #random: Random
  readonly #times = new Timestamps()
  readonly #names = new JsonNames()
  readonly #method = new LastWireJson()
  readonly #host = new LastWireJson()
  readonly #client = new LastWireJson()
  readonly #agent = new LastWireJson()
  #settings: AccessLogSettings
  #service: string

  constructor(writer: BufferedWriter, settings: AccessLogSettings, clock: Clock, random: Random) {
    this.#writer = writer
    this.#clock = clock
    this.#random = random
    this.#settings = settings
    this.#service = jsonString(settings.service)
  }

  /** Takes effect with the next line. */
  configure(settings: AccessLogSettings): void {
    this.#settings = settings
    this.#service = jsonString(settings.service)
  }

  /** Writes the line of a finished exchange, where policy and sampling select it. */
  write(exchange: Exchange, policy: AccessLogPolicy): void {
    if (policy === 'off') return
    if (policy === 'errors' && exchange.status < 400 && exchange.reason === '') return
    const { percent, format } = this.#settings
    if (percent < 100 && this.#random() * 100 >= percent) return
    const tcp = exchange.version === 'TCP'
    if (format === 'json') this.#writer.write(tcp ? this.#tcpJson(exchange) : this.#json(exchange))
    else this.#writer.write(tcp ? this.#tcpText(exchange) : this.#text(exchange))
  }

  #json(exchange: Exchange): string {
    const request = exchange.request
    const target = request === null ? redactTarget(exchange.target) : null
    const headers = exchange.headers
    let agent = ''
    let parent = ''
    let host = ''
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i]
      if (name === 'user-agent') agent = headers[i + 1] as string
      else if (name === 'traceparent') parent = headers[i + 1] as string
      else if (name === 'host') host = headers[i + 1] as string
    }
    const trace = parent === '' ? '' : traceIdOf(parent)
    let line = `{"time":"${this.#times.format(this.#clock.wall())}"`
    if (exchange.requestId !== '') line += `,"request_id":${wireJson(exchange.requestId)}`
    line += `,"service":${this.#service}`
    if (exchange.listener !== '') line += `,"listener":${this.#names.get(exchange.listener)}`
    line += `,"route":${this.#names.get(exchange.route)},"method":${this.#method.of(exchange.method)}`
    line += `,"host":${this.#host.of(request === null ? host : authority(request))}`
    line += `,"path":${wireJson(request === null ? (target?.path ?? '') : request.path)}`
    const query = request === null ? (target?.query ?? '') : redactQuery(request.query)
    if (query !== '') line += `,"query":${wireJson(query)}`
    line += `,"status":${exchange.status}`
    if (exchange.grpcStatus !== null) line += `,"grpc_status":${exchange.grpcStatus}`
    if (exchange.reason !== '') line += `,"reason":${this.#names.get(exchange.reason)}`
    if (exchange.cause !== '') line += `,"cause":${jsonString(boundedText(exchange.cause))}`
    line += `,"duration_ms":${formatMilliseconds(this.#clock.now() - exchange.startedAt)}`
    if (exchange.firstByteAfter >= 0)
      line += `,"first_byte_ms":${formatMilliseconds(exchange.firstByteAfter)}`
    line += `,"bytes_in":${exchange.bytesIn},"bytes_out":${exchange.bytesOut}`
    if (exchange.upstream !== '') line += `,"upstream":${this.#names.get(exchange.upstream)}`
    if (exchange.endpoint !== '') line += `,"endpoint":${this.#names.get(exchange.endpoint)}`
    line += `,"attempts":${exchange.attempts}`
    if (exchange.retriedFor !== '') line += `,"retried_for":${this.#names.get(exchange.retriedFor)}`
    if (exchange.fallbackFor !== '') line += this.#fallback(exchange)
    if (exchange.caller !== null) line += `,"consumer":${jsonString(boundedText(exchange.caller.name))}`
    if (exchange.clientAddress !== '') line += `,"client":${this.#client.of(exchange.clientAddress)}`
    line += `,"peer":${wireJson(peer(exchange))}`
    if (agent !== '') line += `,"user_agent":${this.#agent.of(agent)}`
    line += `,"protocol":"${exchange.version}"`
    if (exchange.tunnel !== null) line += `,"tunnel":${wireJson(exchange.tunnel)}`
    if (exchange.closedBy !== '')
      line += `,"closed_by":"${exchange.closedBy}","close_code":${exchange.closeCode}`
    if (trace !== '') line += `,"trace_id":"${trace}"`
    return line + '}\n'
  }

  /** A connection of a TCP listener: it has no request, and ends well or for a reason. */
  #tcpJson(exchange: Exchange): string {
    let line = `{"time":"${this.#times.format(this.#clock.wall())}","service":${this.#service}`
    if (exchange.listener !== '') line += `,"listener":${this.#names.get(exchange.listener)}`
    line += `,"route":${this.#names.get(exchange.route)}`
    const { serverName, identity } = exchange.peer
    if (serverName !== '') line += `,"sni":${wireJson(serverName)}`
    if (exchange.reason !== '') line += `,"reason":${this.#names.get(exchange.reason)}`
    if (exchange.cause !== '') line += `,"cause":${jsonString(boundedText(exchange.cause))}`
    line += `,"duration_ms":${formatMilliseconds(this.#clock.now() - exchange.startedAt)}`
    if (exchange.firstByteAfter >= 0) line += `,"connect_ms":${formatMilliseconds(exchange.firstByteAfter)}`
    line += `,"bytes_in":${exchange.bytesIn},"bytes_out":${exchange.bytesOut}`
    if (exchange.upstream !== '') line += `,"upstream":${this.#names.get(exchange.upstream)}`
    if (exchange.endpoint !== '') line += `,"endpoint":${this.#names.get(exchange.endpoint)}`
    line += `,"attempts":${exchange.attempts}`
    if (exchange.retriedFor !== '') line += `,"retried_for":${this.#names.get(exchange.retriedFor)}`
    line += `,"peer":${wireJson(peer(exchange))}`
    if (identity !== null && identity.spiffe !== '') line += `,"peer_spiffe":${jsonString(identity.spiffe)}`
    return line + ',"protocol":"TCP"}\n'
  }

  #tcpText(exchange: Exchange): string {
    const time = this.#times.format(this.#clock.wall()).slice(11, 23)
    const duration = `${formatMilliseconds(this.#clock.now() - exchange.startedAt)}ms`
    let line = `${time} TCP ${duration.padStart(9)} ${terminalText(wireText(peer(exchange)))}`
    if (exchange.peer.serverName !== '') line += ` ${terminalText(wireText(exchange.peer.serverName))}`
    line += ` route=${terminalText(exchange.route)}`
    if (exchange.endpoint !== '') line += ` -> ${terminalText(exchange.endpoint)}`
    line += ` in=${exchange.bytesIn} out=${exchange.bytesOut}`
    if (exchange.attempts > 1) line += ` attempts=${exchange.attempts}`
    if (exchange.reason !== '') line += ` ${terminalText(exchange.reason)}`
    if (exchange.cause !== '') line += ` (${terminalText(boundedText(exchange.cause))})`
    return line + '\n'
  }

  #fallback(exchange: Exchange): string {
    const from = this.#names.get(exchange.fallbackFrom)
    return `,"fallback_from":${from},"fallback_for":${this.#names.get(exchange.fallbackFor)}`
  }

  /** For people at a terminal: time, status, duration, what was asked, where it went, and why it failed. */
  #text(exchange: Exchange): string {
    const request = exchange.request
    const target = request === null ? redactTarget(exchange.target) : null
    const path = request === null ? (target?.path ?? '') : request.path
    const query = request === null ? (target?.query ?? '') : redactQuery(request.query)
    const time = this.#times.format(this.#clock.wall()).slice(11, 23)
    const duration = `${formatMilliseconds(this.#clock.now() - exchange.startedAt)}ms`
    const status = exchange.status === 0 ? '---' : String(exchange.status)
    const grpc = exchange.grpcStatus ?? 0
    let line = `${time} ${status} ${duration.padStart(9)} ${terminalText(wireText(exchange.method))} `
    line += terminalText(
      wireText((request === null ? '' : authority(request)) + path + (query === '' ? '' : `?${query}`)),
    )
    line += ` route=${terminalText(exchange.route)}`
    if (exchange.endpoint !== '') line += ` -> ${terminalText(exchange.endpoint)}`
    if (grpc !== 0) line += ` grpc-status=${grpc}`
    if (exchange.attempts > 1) line += ` attempts=${exchange.attempts}`
    if (exchange.fallbackFor !== '')
      line += ` instead of ${terminalText(exchange.fallbackFrom)} (${exchange.fallbackFor})`
    if (exchange.caller !== null) line += ` consumer=${terminalText(boundedText(exchange.caller.name))}`
    if (exchange.closedBy !== '') line += ` closed by ${exchange.closedBy} (${exchange.closeCode})`
    if (exchange.reason !== '') line += ` ${terminalText(exchange.reason)}`
    if (exchange.cause !== '') line += ` (${terminalText(boundedText(exchange.cause))})`
    return line + '\n'
  }
}

function authority(request: { readonly host: string; readonly port: number }): string {
  return request.port === 0 ? request.host : `${request.host}:${request.port}`
}

/** The other end of the connection itself; a Unix socket has neither address nor port. */
function peer(exchange: Exchange): string {
  const { address, port } = exchange.peer
  if (address === '') return 'unix'
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
