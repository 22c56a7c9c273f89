import { STATIC_NAMES } from './static-table.ts'

// A power of two. Each name has one place, and takes it from who was there before: a flood of names costs nothing but
// that names are not shared.
const SLOTS = 512
const LONGEST = 64

// Names that come early on a connection, and then stay in its table as they are.
const COMMON: readonly string[] = [
  ':protocol',
  'access-control-allow-credentials',
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-expose-headers',
  'access-control-max-age',
  'access-control-request-headers',
  'access-control-request-method',
  'baggage',
  'content-security-policy',
  'forwarded',
  'grpc-accept-encoding',
  'grpc-encoding',
  'grpc-message',
  'grpc-status',
  'grpc-status-details-bin',
  'grpc-timeout',
  'idempotency-key',
  'origin',
  'priority',
  'sec-ch-ua',
  'sec-ch-ua-mobile',
  'sec-ch-ua-platform',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
  'sec-fetch-user',
  'sec-websocket-extensions',
  'sec-websocket-protocol',
  'sec-websocket-version',
  'te',
  'traceparent',
  'tracestate',
  'trailer',
  'upgrade-insecure-requests',
  'x-api-key',
  'x-content-type-options',
  'x-correlation-id',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-frame-options',
  'x-real-ip',
  'x-request-id',
  'x-requested-with',
]

/**
 * Field names as strings shared between messages and connections, found without making a string first. From the
 * second time on they are the engine's internalised strings, which are compared with a literal by pointer.
 */
export class NameCache {
  readonly #names: string[] = new Array<string>(SLOTS).fill('')
  /** Which are internalised. One that never comes again is not, for that takes longer than all the rest. */
  readonly #internalised = new Uint8Array(SLOTS)

  constructor() {
    for (const name of [...STATIC_NAMES, ...COMMON]) {
      const bytes = Buffer.from(name, 'latin1')
      this.find(bytes, 0, bytes.length)
      this.find(bytes, 0, bytes.length)
    }
  }

  /** The bytes from `from` up to `to` as a byte string that is no view of them. */
  find(bytes: Buffer, from: number, to: number): string {
    const length = to - from
    if (length > LONGEST) return bytes.toString('latin1', from, to)
    let hash = 0
    for (let at = from; at < to; at++) hash = (Math.imul(hash, 31) + (bytes[at] as number)) | 0
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1)
    const name = this.#names[slot] as string
    if (name.length !== length || !matches(name, bytes, from)) {
      this.#internalised[slot] = 0
      return (this.#names[slot] = bytes.toString('latin1', from, to))
    }
    if (this.#internalised[slot] === 1) return name
    this.#internalised[slot] = 1
    return (this.#names[slot] = Object.keys({ [name]: 0 })[0] as string)
  }
}

function matches(name: string, bytes: Buffer, from: number): boolean {
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) !== bytes[from + i]) return false
  return true
}
