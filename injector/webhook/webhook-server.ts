import type { IncomingMessage, ServerResponse } from 'node:http'
import https from 'node:https'
import type { KeyPair } from '../../sidecar/certificates/authority.ts'
import type { Clock } from '../../sidecar/runtime/clock.ts'
import type { Log } from '../../sidecar/telemetry/process-log.ts'
import type { Admission, AdmissionAnswer } from './admission.ts'
import type { WebhookMetrics } from './webhook-metrics.ts'
import { RepetitionLimit } from '../../sidecar/telemetry/repetition.ts'
import { listenOn } from './listen-on.ts'

/** Where reviews go to. */
const PATH = '/inject'

/** What is borne of those who ask. */
export interface WebhookBounds {
  /** Milliseconds for a handshake, and for the head of a request. */
  readonly headMs: number
  /** Milliseconds for a whole request: the API server itself waits 10 s by default. */
  readonly requestMs: number
  /** Bytes of a review. The API server takes no more than 3 MiB in one request, and writes them anew. */
  readonly maxBody: number
  /** Bytes of all reviews that are under way; what is made of them takes some times as many. */
  readonly maxBodies: number
  readonly maxConnections: number
}

const MIB = 1_048_576
const BOUNDS: WebhookBounds = {
  headMs: 5_000,
  requestMs: 10_000,
  maxBody: 4 * MIB,
  maxBodies: 8 * MIB,
  maxConnections: 512,
}
/** The API server keeps idle connections for 90 s: it should be the one that closes. */
const IDLE_MS = 120_000

/** A review of so many bytes, as most are, is not refused for others that are large: `maxConnections` bounds them. */
const SMALL = 65_536

/** Bytes of a body: it is kept in some form until it is answered. */
interface Taken {
  bytes: number
}

/** Why there is no answer to a review: a status of HTTP, a stable code, and a sentence. */
type Refusal = AdmissionAnswer & { readonly reason: string }

const refusal = (status: number, reason: string, text: string): Refusal => ({ status, reason, text })

/** The webhook over HTTPS. */
export class WebhookServer {
  readonly #admission: Pick<Admission, 'review'>
  readonly #metrics: WebhookMetrics
  readonly #clock: Clock
  readonly #bounds: WebhookBounds
  readonly #server: https.Server
  #bodies = 0
  #connections = 0
  #underWay = 0
  #cut = 0
  #isEnding = false

  constructor(
    admission: Pick<Admission, 'review'>,
    metrics: WebhookMetrics,
    clock: Clock,
    log: Log,
    bounds: Partial<WebhookBounds> = {},
  ) {
    this.#admission = admission
    this.#metrics = metrics
    this.#clock = clock
    this.#bounds = { ...BOUNDS, ...bounds }
    const { headMs, requestMs, maxConnections } = this.#bounds
    this.#server = https.createServer(
      {
        minVersion: 'TLSv1.2',
        handshakeTimeout: headMs,
        headersTimeout: headMs,
        requestTimeout: requestMs,
        connectionsCheckingInterval: headMs / 5,
        keepAliveTimeout: IDLE_MS,
        maxHeaderSize: 16_384,
      },
      (request, response) => void this.#handle(request, response),
    )
    this.#server.maxConnections = maxConnections
    // Whoever reaches the port may keep connections; the API server has to get one all the same, and comes back by itself.
    this.#server.on('connection', socket => {
      this.#connections++
      socket.once('close', () => this.#connections--)
      if (this.#connections > (maxConnections * 3) / 4) this.#server.closeIdleConnections()
    })
    const repeated = new RepetitionLimit(log, clock)
    this.#server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      socket.destroy()
      metrics.handshakeFailed()
      // Who connects and leaves, as a probe of a port does, has nothing to complain of.
      if (error.code === 'ECONNRESET') return
      repeated.write('handshake', 'warn', 'a handshake failed', { code: error.code ?? error.message })
    })
  }

  /** Takes a certificate into use for new connections; others go on. @throws Error where it is none */
  use({ cert, key }: KeyPair): void {
    this.#server.setSecureContext({ cert, key, minVersion: 'TLSv1.2' })
  }

  /** Begins to listen. @returns the port, or the code of the error */
  listen(port: number, address?: string): Promise<number | string> {
    return listenOn(this.#server, port, address)
  }

  /** From now on every answer closes its connection. */
  announceEnd(): void {
    this.#isEnding = true
  }

  /**
   * Stops listening and finishes what is under way.
   * @param limit milliseconds
   * @returns how many reviews had to be cut
   */
  async close(limit: number): Promise<number> {
    this.#isEnding = true
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()))
    const timer = setTimeout(() => {
      this.#cut += this.#underWay
      this.#server.closeAllConnections()
    }, limit)
    await closed
    clearTimeout(timer)
    return this.#cut
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#underWay++
    response.once('close', () => this.#underWay--)
    const taken = { bytes: 0 }
    try {
      await this.#answer(request, response, taken)
    } finally {
      this.#bodies -= taken.bytes
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse, taken: Taken): Promise<void> {
    const body = refuseHead(request) ?? (await this.#read(request, taken))
    if (body === null) return
    if (typeof body !== 'string') {
      await discard(request, 4 * this.#bounds.maxBody)
      return this.#refuse(response, body)
    }
    const begun = this.#clock.now()
    const answer = await this.#admission.review(body)
    if (answer.reason !== null) return this.#refuse(response, { ...answer, reason: answer.reason })
    this.#metrics.answered((this.#clock.now() - begun) / 1000)
    this.#send(response, 200, 'application/json', answer.text)
  }

  /** Reads the body: null where it never came whole. */
  async #read(request: IncomingMessage, taken: Taken): Promise<string | Refusal | null> {
    const { maxBody, maxBodies } = this.#bounds
    const tooLarge = refusal(413, 'too_large', `A review is at most ${maxBody} bytes long`)
    if (Number(request.headers['content-length'] ?? 0) > maxBody) return tooLarge
    const chunks: Buffer[] = []
    try {
      // A refusal has to be answered, so that the request must not end with the loop.
      const body: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false })
      for await (const chunk of body) {
        taken.bytes += chunk.length
        this.#bodies += chunk.length
        if (taken.bytes > maxBody) return tooLarge
        if (this.#bodies > maxBodies && taken.bytes > SMALL)
          return refusal(503, 'overloaded', 'Too many reviews are under way')
        chunks.push(chunk)
      }
      return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
    } catch (error) {
      if (error instanceof TypeError) return refusal(400, 'malformed', 'The body is no UTF-8')
      // Whoever asked went away, or was too slow.
      this.#metrics.refused('incomplete')
      return null
    }
  }

  #refuse(response: ServerResponse, { status, reason, text }: Refusal): void {
    this.#metrics.refused(reason)
    if (status === 405) response.setHeader('allow', 'POST')
    const problem = { type: 'about:blank', status, reason, detail: text }
    this.#send(response, status, 'application/problem+json', JSON.stringify(problem))
  }

  #send(response: ServerResponse, status: number, type: string, text: string): void {
    if (this.#isEnding) response.setHeader('connection', 'close')
    response.writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(text),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    response.end(text)
  }
}

function refuseHead(request: IncomingMessage): Refusal | null {
  // The API server says its timeout behind the path.
  const path = (request.url ?? '').split('?')[0]
  if (path !== PATH) return refusal(404, 'no_such_path', `Reviews go to ${PATH}`)
  if (request.method !== 'POST') return refusal(405, 'wrong_method', 'Reviews are posted')
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json') return refusal(415, 'wrong_type', 'Reviews are application/json')
  const encoding = request.headers['content-encoding'] ?? 'identity'
  return encoding === 'identity' ? null : refusal(415, 'wrong_type', 'Reviews are not compressed')
}

/**
 * Reads the rest of a body away: who still sends would not read an answer. One that is too long is cut; one that is too
 * slow is cut by the server.
 */
async function discard(request: IncomingMessage, most: number): Promise<void> {
  let length = 0
  try {
    const rest: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: true })
    for await (const chunk of rest) {
      length += chunk.length
      if (length > most) return
    }
  } catch {
    // Nobody is left to answer.
  }
}
