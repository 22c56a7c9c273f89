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

/** The name as a string that the engine internalised: free of the head it was cut from, and compared by pointer. */
function internalised(name: string): string {
  return Object.keys({ [name]: 0 })[0] as string
}

/**
 * Field names as lower-case strings shared between messages, found without making a string first. Known names come from
 * a frozen table, in any spelling of upper and lower case; others are learnt up to `LEARNT_NAMES`, and forgotten
 * together when that is reached.
 */
export class HeaderNames {
  readonly #known: (string | undefined)[] = new Array<string | undefined>(KNOWN_SLOTS).fill(undefined)
  #learnt: (string | undefined)[] = new Array<string | undefined>(LEARNT_SLOTS).fill(undefined)
  #learntCount = 0

  constructor() {
    for (const name of KNOWN) {
      let slot = hashOf(name, 0, name.length) & (KNOWN_SLOTS - 1)
      while (this.#known[slot] !== undefined) slot = (slot + 1) & (KNOWN_SLOTS - 1)
      this.#known[slot] = name
    }
  }

  /** How many names are learnt at the moment. */
  get learntCount(): number {
    return this.#learntCount
  }

  /**
   * The field name that begins at `from`, in lower case: all token characters up to the first other one, and `''` where
   * there is none. It is as long as what it was read from, so the caller goes on at `from + name.length`.
   * @param text a byte string
   */
  intern(text: string, from: number): string {
    const end = text.length
    let hash = 0
    let to = from
    while (to < end) {
      const lower = TOKEN_LOWER[text.charCodeAt(to)] as number
      // Also false for what lies beyond 0xff, which is not in the table.
      if (!(lower > 0)) break
      hash = (Math.imul(hash, 31) + lower) | 0
      to++
    }
    const length = to - from
    if (length === 0) return ''
    const known = this.#known
    hash ^= hash >>> 15
    let slot = hash & (KNOWN_SLOTS - 1)
    for (;;) {
      const name = known[slot]
      if (name === undefined) break
      if (name.length === length && matches(text, from, name)) return name
      slot = (slot + 1) & (KNOWN_SLOTS - 1)
    }
    return this.#learn(text, from, to, hash)
  }

  #learn(text: string, from: number, to: number, hash: number): string {
    const length = to - from
    if (length > LONGEST_LEARNT) return text.slice(from, to).toLowerCase()
    let slot = hash & (LEARNT_SLOTS - 1)
    for (let tries = 0; tries < TRIES; tries++) {
      const name = this.#learnt[slot]
      if (name === undefined) {
        if (this.#learntCount >= LEARNT_NAMES) {
          this.#learnt = new Array<string | undefined>(LEARNT_SLOTS).fill(undefined)
          this.#learntCount = 0
        }
        this.#learntCount++
        return (this.#learnt[slot] = internalised(text.slice(from, to).toLowerCase()))
      }
      if (name.length === length && matches(text, from, name)) return name
      slot = (slot + 1) & (LEARNT_SLOTS - 1)
    }
    return text.slice(from, to).toLowerCase()
  }
}

function hashOf(text: string, from: number, to: number): number {
  let hash = 0
  for (let i = from; i < to; i++)
    hash = (Math.imul(hash, 31) + (TOKEN_LOWER[text.charCodeAt(i)] as number)) | 0
  return hash ^ (hash >>> 15)
}

/** Whether the text at `from` is the lower-case `name` but for case. All characters there are known to be of tokens. */
function matches(text: string, from: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    if (TOKEN_LOWER[text.charCodeAt(from + i)] !== name.charCodeAt(i)) return false
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
