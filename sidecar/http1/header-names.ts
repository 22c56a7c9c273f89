/**
 * Lower case of every token character (RFC 9110 section 5.6.2) by its code, and 0 for all other codes up to 0xff.
 */
export const TOKEN_LOWER: Uint8Array = new Uint8Array(256)
for (const char of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") {
  TOKEN_LOWER[char.charCodeAt(0)] = char.charCodeAt(0)
  TOKEN_LOWER[char.toUpperCase().charCodeAt(0)] = char.charCodeAt(0)
}

// What clients, services and proxies commonly send. Literals are internalised by the engine, so that comparing one of
// them with a literal elsewhere compares two pointers.
const KNOWN: readonly string[] = [
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'accept-patch',
  'accept-post',
  'accept-ranges',
  'access-control-allow-credentials',
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-allow-origin',
  'access-control-expose-headers',
  'access-control-max-age',
  'access-control-request-headers',
  'access-control-request-method',
  'access-control-request-private-network',
  'age',
  'allow',
  'alt-svc',
  'alt-used',
  'authorization',
  'baggage',
  'cache-control',
  'cache-status',
  'cdn-loop',
  'clear-site-data',
  'connection',
  'content-digest',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-md5',
  'content-range',
  'content-security-policy',
  'content-security-policy-report-only',
  'content-type',
  'cookie',
  'cross-origin-embedder-policy',
  'cross-origin-opener-policy',
  'cross-origin-resource-policy',
  'date',
  'deprecation',
  'digest',
  'dnt',
  'early-data',
  'etag',
  'expect',
  'expires',
  'forwarded',
  'from',
  'grpc-accept-encoding',
  'grpc-encoding',
  'grpc-message',
  'grpc-status',
  'grpc-timeout',
  'host',
  'http2-settings',
  'idempotency-key',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'keep-alive',
  'last-event-id',
  'last-modified',
  'link',
  'location',
  'max-forwards',
  'nel',
  'origin',
  'permissions-policy',
  'pragma',
  'prefer',
  'preference-applied',
  'priority',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'proxy-status',
  'range',
  'ratelimit-limit',
  'ratelimit-remaining',
  'ratelimit-reset',
  'referer',
  'referrer-policy',
  'report-to',
  'retry-after',
  'save-data',
  'sec-ch-ua',
  'sec-ch-ua-mobile',
  'sec-ch-ua-platform',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
  'sec-fetch-user',
  'sec-gpc',
  'sec-websocket-accept',
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-protocol',
  'sec-websocket-version',
  'server',
  'server-timing',
  'set-cookie',
  'strict-transport-security',
  'sunset',
  'te',
  'timing-allow-origin',
  'traceparent',
  'tracestate',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'upgrade-insecure-requests',
  'user-agent',
  'vary',
  'via',
  'warning',
  'www-authenticate',
  'x-api-key',
  'x-content-type-options',
  'x-correlation-id',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-frame-options',
  'x-powered-by',
  'x-real-ip',
  'x-request-id',
  'x-requested-with',
]

/** How many names beyond the known ones are kept before all of them are dropped and learnt anew. */
export const LEARNT_NAMES = 512
const LONGEST_LEARNT = 64

// Slots are a power of two and at most a quarter full, with at most four tries a look-up: who floods us with names that
// fall into one place only gets names that are not shared, not longer searches.
const KNOWN_SLOTS = 1024
const LEARNT_SLOTS = 2048
const TRIES = 4

/**
 * The same text as the engine's internalised string, which is free of the head it was cut from, and equal to others of
 * its kind by pointer.
 */
export function internalised(name: string): string {
  return Object.keys({ [name]: 0 })[0] as string
}

class Entry {
  readonly name: string
  readonly bytes: Uint8Array
  constructor(name: string) {
    this.name = internalised(name)
    this.bytes = new Uint8Array(name.length)
    for (let i = 0; i < name.length; i++) this.bytes[i] = name.charCodeAt(i)
  }
}

function slots(count: number): (Entry | null)[] {
  return new Array<Entry | null>(count).fill(null)
}

/**
 * Field names as lower-case strings shared between messages, found without making a string first. Known names come from
 * a frozen table, in any spelling of upper and lower case; others are learnt up to `LEARNT_NAMES`, and forgotten
 * together when that is reached.
 */
export class HeaderNames {
  readonly #known = slots(KNOWN_SLOTS)
  #learnt = slots(LEARNT_SLOTS)
  #learntCount = 0

  constructor() {
    for (const name of KNOWN) {
      const entry = new Entry(name)
      let hash = 0
      for (const byte of entry.bytes) hash = mix(hash, byte)
      let slot = finish(hash) & (KNOWN_SLOTS - 1)
      while (this.#known[slot] !== null) slot = (slot + 1) & (KNOWN_SLOTS - 1)
      this.#known[slot] = entry
    }
  }

  /** How many names are learnt at the moment. */
  get learntCount(): number {
    return this.#learntCount
  }

  /**
   * The field name that begins at `from`, in lower case: all token characters up to the first other byte, and `''` where
   * there is none. It is as long as what it was read from, so the caller goes on at `from + name.length`.
   * @param bytes hold a byte that is not of a token at or after `from`
   */
  intern(bytes: Uint8Array, from: number): string {
    let hash = 0
    let to = from
    for (;;) {
      const lower = TOKEN_LOWER[bytes[to] as number] as number
      // Also false beyond the bytes.
      if (!(lower > 0)) break
      hash = mix(hash, lower)
      to++
    }
    const length = to - from
    if (length === 0) return ''
    hash = finish(hash)
    for (let slot = hash & (KNOWN_SLOTS - 1); ; slot = (slot + 1) & (KNOWN_SLOTS - 1)) {
      const entry = this.#known[slot]
      if (entry === null || entry === undefined) return this.#learn(bytes, from, length, hash)
      if (entry.bytes.length === length && matches(bytes, from, entry.bytes, length)) return entry.name
    }
  }

  #learn(bytes: Uint8Array, from: number, length: number, hash: number): string {
    let free = -1
    for (let tries = 0; tries < TRIES; tries++) {
      const slot = (hash + tries) & (LEARNT_SLOTS - 1)
      const entry = this.#learnt[slot]
      if (entry === null || entry === undefined) {
        free = slot
        break
      }
      if (entry.bytes.length === length && matches(bytes, from, entry.bytes, length)) return entry.name
    }
    let name = ''
    for (let i = from; i < from + length; i++)
      name += String.fromCharCode(TOKEN_LOWER[bytes[i] as number] as number)
    if (free < 0 || length > LONGEST_LEARNT) return name
    if (this.#learntCount >= LEARNT_NAMES) {
      this.#learnt = slots(LEARNT_SLOTS)
      this.#learntCount = 0
    }
    const entry = new Entry(name)
    this.#learnt[free] = entry
    this.#learntCount++
    return entry.name
  }
}

function mix(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + byte) | 0
}

function finish(hash: number): number {
  return hash ^ (hash >>> 15)
}

/** Whether the bytes at `from` are those of a lower-case name but for case. */
function matches(bytes: Uint8Array, from: number, name: Uint8Array, length: number): boolean {
  for (let i = 0; i < length; i++) {
    if (TOKEN_LOWER[bytes[from + i] as number] !== name[i]) return false
  }
  return true
}

/** The names of this process. */
export const headerNames: HeaderNames = new HeaderNames()

/** Whether a text is a token (RFC 9110 section 5.6.2): a method, a field name, an option. */
export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (!((TOKEN_LOWER[text.charCodeAt(i)] as number) > 0)) return false
  return text.length > 0
}
