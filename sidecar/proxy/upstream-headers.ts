import type { Exchange } from '../exchange/exchange.ts'
import { type HeaderList, listMembers, toWire } from '../exchange/headers.ts'
import type { PeerIdentity } from '../exchange/peer-identity.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { Role } from '../snapshot/policies.ts'
import { parseTracestate, traceIdOf } from '../telemetry/trace-context.ts'
import { type FieldRole, fieldRole, hasUnderscore, singletonBit } from './reserved-headers.ts'
import { requestIds } from './request-id.ts'
import { clientAddress, compileTrust, type Trust } from './trust.ts'

/** What is the same for every request of a listener. */
export interface HeaderPlan {
  readonly role: Role
  readonly trust: Trust
  /** Names that say what claims say, as the configuration calls them: as the reserved ones. */
  readonly reserved: ReadonlySet<string>
  /** A fresh request id. */
  readonly nextId: () => string
}

/** How we call ourselves in Via (RFC 9110 section 7.6.3): never the name of a host. */
export const PSEUDONYM = 'outrigger'

/** How often a request may pass here: the one that would pass once more is a loop. */
const PASSES = 10

const NONE: ReadonlySet<string> = new Set()

/**
 * Compiles what the requests of a listener share.
 * @param reserved names in lower case that clients cannot set, beside those that they never can
 */
export function compileHeaderPlan(
  role: Role,
  trustedProxies: readonly string[],
  reserved: ReadonlySet<string> = NONE,
): HeaderPlan {
  return { role, trust: compileTrust(trustedProxies), reserved, nextId: requestIds() }
}

/**
 * Fills `exchange.upstreamHeaders`, `heard`, `requestId` and `clientAddress` from what was received. `exchange.request` stands.
 *
 * What `connection` names goes first, so that it can never take away what we add. Then fields of the connection go, and
 * on `inbound` and `edge` what a client that is not trusted says about itself. Last come ours: `x-forwarded-for`,
 * `-proto` and `-host` (not on `outbound`, where the app's words pass as they are and its address means nothing to
 * anybody), `forwarded` where a trusted peer began one, `via`, and `x-request-id`.
 *
 * `host`, framing, `connection` and `upgrade` are not in the list: the route and the codec write them.
 *
 * @returns `bad_request` for a field that stands twice and may not, and at the edge for a name with an underscore,
 *   which many applications cannot tell from a hyphen; `loop_detected` for a request that was here too often
 */
export function prepareUpstreamHeaders(exchange: Exchange, plan: HeaderPlan): ProxyError | null {
  const received = exchange.headers
  const { role, trust } = plan
  const peer = exchange.peer.address
  const outbound = role === 'outbound'
  const believed = outbound || (!trust.empty && trust.hasPeer(exchange.peer))
  const nominated = nominations(received)
  const headers: HeaderList = []
  let seen = 0
  let unheard = false
  let trailers = false
  let forwardedFor = ''
  let proto = ''
  let host = ''
  let forwarded = ''
  let certificates = ''
  let via = ''
  let requestId = ''
  let traceparent = ''
  let traceparents = 0
  let states: string[] | null = null

  for (let i = 0; i < received.length; i += 2) {
    const name = received[i] as string
    const value = received[i + 1] as string
    const meaning = fieldRole(name)
    if (nominated !== null && nominated.has(name) && meaning !== 'te') continue
    if (meaning === null) {
      if (!believed && plan.reserved.size > 0 && plan.reserved.has(name)) {
        unheard = true
        continue
      }
      if (!outbound && hasUnderscore(name)) {
        if (role === 'edge') return new ProxyError('bad_request', 'A field name holds an underscore.')
        continue
      }
      headers.push(name, value)
      continue
    }
    switch (meaning) {
      case 'hop':
        break
      case 'identity':
        if (believed) headers.push(name, value)
        else unheard = true
        break
      case 'singleton': {
        const bit = singletonBit(name)
        if ((seen & bit) !== 0) return new ProxyError('bad_request', `The field ${name} stands twice.`)
        seen |= bit
        headers.push(name, value)
        break
      }
      case 'te':
        trailers ||= /(?:^|,)[ \t]*trailers[ \t]*(?:,|$)/i.test(value)
        break
      case 'x-forwarded-for':
        if (outbound) headers.push(name, value)
        else if (believed) forwardedFor = joined(forwardedFor, value)
        else unheard = true
        break
      case 'x-forwarded-proto':
        if (outbound) headers.push(name, value)
        else if (believed) proto = joined(proto, value)
        else unheard = true
        break
      case 'x-forwarded-host':
        if (outbound) headers.push(name, value)
        else if (believed) host = joined(host, value)
        else unheard = true
        break
      case 'forwarded':
        if (outbound) headers.push(name, value)
        else if (believed) forwarded = joined(forwarded, value)
        else unheard = true
        break
      case 'x-forwarded-client-cert':
        if (outbound) headers.push(name, value)
        else if (believed) certificates = joined(certificates, value)
        else unheard = true
        break
      case 'via':
        via = joined(via, value)
        break
      case 'x-request-id':
        if (believed) requestId = joined(requestId, value)
        break
      case 'traceparent':
        traceparents++
        traceparent = value
        break
      case 'tracestate':
        states = states === null ? [value] : [...states, value]
        break
    }
  }

  if (traceparents === 1 && traceIdOf(traceparent) !== '') {
    headers.push('traceparent', traceparent)
    if (states !== null && parseTracestate(states) !== null)
      for (const state of states) headers.push('tracestate', state)
  }
  if (unheard) exchange.heard = heardOf(received, plan.reserved)
  exchange.clientAddress = outbound ? peer : clientAddress(exchange.peer, forwardedFor, trust)
  exchange.requestId = /^[\x21-\x7e]{1,128}$/.test(requestId) ? requestId : plan.nextId()
  if (trailers) headers.push('te', 'trailers')
  if (!outbound) {
    addForwarding(exchange, headers, forwardedFor, proto, host, forwarded)
    const { identity } = exchange.peer
    if (identity !== null)
      headers.push('x-forwarded-client-cert', joined(certificates, clientCertificate(identity)))
    else if (certificates !== '') headers.push('x-forwarded-client-cert', certificates)
  }
  if (via !== '' && passes(via) >= PASSES) return new ProxyError('loop_detected')
  headers.push('via', joined(via, viaEntry(exchange.version)))
  headers.push('x-request-id', exchange.requestId)
  exchange.upstreamHeaders = headers
  return null
}

/** What only those may say who are believed. */
const ABOUT_ITSELF: ReadonlySet<FieldRole> = new Set([
  'identity',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-client-cert',
  'forwarded',
])

/** What was received from a client that is not believed, without what it says about itself. */
function heardOf(received: HeaderList, reserved: ReadonlySet<string>): HeaderList {
  const heard: HeaderList = []
  for (let i = 0; i < received.length; i += 2) {
    const name = received[i] as string
    const meaning = fieldRole(name)
    if (meaning === null ? reserved.has(name) : ABOUT_ITSELF.has(meaning)) continue
    heard.push(name, received[i + 1] as string)
  }
  return heard
}

/**
 * The fields of a response on its way to the client: without those of the upstream's connection, those that it
 * nominates included, and without length, which the codec writes. Everything else stays, each line of `set-cookie` too.
 *
 * @param version of the response, for Via
 */
export function responseHeaders(received: HeaderList, version: Exchange['version'] = 'HTTP/1.1'): HeaderList {
  const nominated = nominations(received)
  const headers: HeaderList = []
  let via = ''
  for (let i = 0; i < received.length; i += 2) {
    const name = received[i] as string
    if (RESPONSE_HOP.has(name) || (nominated !== null && nominated.has(name))) continue
    if (name === 'via') via = joined(via, received[i + 1] as string)
    else headers.push(name, received[i + 1] as string)
  }
  headers.push('via', joined(via, viaEntry(version)))
  return headers
}

// `proxy-authenticate` stays away as well: the client has no proxy to log in to that it knows of.
const RESPONSE_HOP: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
])

/** One element of `x-forwarded-client-cert`, as Envoy writes them. */
function clientCertificate({ fingerprint, subject, spiffe, dns }: PeerIdentity): string {
  const printable = (toWire(subject) ?? '').replaceAll(/["\\]/g, '\\$&')
  const uri = spiffe === '' ? '' : `;URI=${spiffe}`
  // A name of DNS holds neither of the characters that part elements; one of a certificate may, and is left out.
  const names = dns.filter(name => /^[\w.*-]+$/.test(name)).map(name => `;DNS=${name}`)
  return `Hash=${fingerprint};Subject="${printable}"${uri}${names.join('')}`
}

function addForwarding(
  exchange: Exchange,
  headers: HeaderList,
  forwardedFor: string,
  proto: string,
  host: string,
  forwarded: string,
): void {
  const request = exchange.request
  const peer = exchange.peer.address
  const scheme = request?.scheme ?? (exchange.peer.encrypted ? 'https' : 'http')
  const authority = request === null ? '' : request.host + (request.port === 0 ? '' : `:${request.port}`)
  const chain = peer === '' ? forwardedFor : joined(forwardedFor, peer)
  if (chain !== '') headers.push('x-forwarded-for', chain)
  headers.push('x-forwarded-proto', proto === 'https' || proto === 'http' ? proto : scheme)
  const named = /^[\w.:[\]-]+$/.test(host) ? host : authority
  if (named !== '') headers.push('x-forwarded-host', named)
  if (forwarded === '') return
  const by = peer === '' ? 'unknown' : peer.includes(':') ? `"[${peer}]"` : peer
  const asked = authority === '' ? '' : `;host=${authority.includes(':') ? `"${authority}"` : authority}`
  headers.push('forwarded', joined(forwarded, `for=${by};proto=${scheme}${asked}`))
}

/** The names that `connection` nominates in lower case, or null where it names none but the usual options. */
function nominations(headers: HeaderList): ReadonlySet<string> | null {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'connection' || USUAL.test(headers[i + 1] as string)) continue
    return new Set(listMembers(headers, 'connection').map(member => member.toLowerCase()))
  }
  return null
}

const USUAL = /^(?:close|keep-alive|upgrade|keep-alive, *upgrade)$/i

function joined(before: string, value: string): string {
  return before === '' ? value : `${before}, ${value}`
}

function viaEntry(version: Exchange['version']): string {
  return version === 'HTTP/1.1' ? VIA_11 : version === 'HTTP/1.0' ? `1.0 ${PSEUDONYM}` : `2 ${PSEUDONYM}`
}
const VIA_11 = `1.1 ${PSEUDONYM}`

function passes(via: string): number {
  let count = 0
  for (let at = via.indexOf(PSEUDONYM); at !== -1; at = via.indexOf(PSEUDONYM, at + PSEUDONYM.length))
    if (/^[ \t]$/.test(via[at - 1] ?? '') && /^(?:[ \t,]|$)/.test(via[at + PSEUDONYM.length] ?? '')) count++
  return count
}
