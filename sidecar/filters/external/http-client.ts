import type http from 'node:http'
import net from 'node:net'
import { nodeHttp } from '../../runtime/node-modules.ts'
import type { Destination } from '../../runtime/destination.ts'
import { type Decision, type DecisionClient, MAX_ANSWER, type Question } from './decision.ts'

/** Connections to one endpoint that are kept while nobody asks. */
const IDLE = 16

/**
 * Asks over HTTP/1.1: the fields of the request, and its body where that was held. 2xx allows, 5xx decides nothing, any other status refuses. A
 * kept connection that the service closed at that moment is the one thing for which it is asked again.
 */
export class HttpDecisions implements DecisionClient {
  readonly #authority: string
  readonly #basePath: string
  readonly #path: string | null
  readonly #agents = new Map<Destination, http.Agent>()

  /** @param path asked with GET; null: the request's own method and path */
  constructor(upstream: { readonly authority: string; readonly basePath: string }, path: string | null) {
    this.#authority = upstream.authority
    this.#basePath = upstream.basePath
    this.#path = path
  }

  ask(target: Destination, question: Question, decided: (decision: Decision) => void): () => void {
    let over = false
    let sent: http.ClientRequest
    const end = (decision: Decision): void => {
      if (over) return
      over = true
      decided(decision)
    }
    const failed = (cause: string): void => end({ kind: 'failed', cause, status: 0 })
    const send = (again: boolean): void => {
      sent = nodeHttp().request({
        agent: this.#agent(target),
        method: this.#path === null ? question.method : 'GET',
        path: this.#basePath + (this.#path ?? question.path + question.query),
        setHost: false,
        headers: this.#fields(question),
        maxHeaderSize: 16 * 1024,
      })
      sent.on('error', (error: NodeJS.ErrnoException) => {
        if (!over && again && sent.reusedSocket && error.code === 'ECONNRESET') send(false)
        else failed(error.code ?? error.message)
      })
      sent.on('response', response => read(response, end))
      sent.on('upgrade', (_response, socket) => {
        socket.destroy()
        failed('it spoke another protocol')
      })
      sent.end(this.#path === null ? question.body : null)
    }
    send(true)
    return () => {
      over = true
      sent.destroy()
    }
  }

  #fields(question: Question): string[] {
    const fields = [
      'host',
      this.#path === null ? question.authority || this.#authority : this.#authority,
      'x-forwarded-method',
      question.method,
      'x-forwarded-uri',
      question.path + question.query,
    ]
    // Its fields are written before anybody knows that there is no body.
    const hasBody = question.body !== null && question.body.length > 0
    if (this.#path === null && (hasBody || !/^(GET|HEAD|OPTIONS|TRACE)$/.test(question.method)))
      fields.push('content-length', String(question.body?.length ?? 0))
    for (const [name, value] of question.headers) if (!OWN.has(name)) fields.push(name, value)
    return fields
  }

  #agent(target: Destination): http.Agent {
    let agent = this.#agents.get(target)
    if (agent === undefined) {
      const { Agent } = nodeHttp()
      agent = new Agent({ keepAlive: true, maxFreeSockets: IDLE })
      agent.createConnection = () => connect(target)
      this.#agents.set(target, agent)
    }
    return agent
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy()
    this.#agents.clear()
  }
}

/** Fields that say something of the message itself, or that are written here. */
const OWN: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-forwarded-method',
  'x-forwarded-uri',
])

/** A connection to an endpoint. */
export function connect(
  { at, tls, preface }: Destination,
  protocol: 'http/1.1' | 'h2' = 'http/1.1',
): net.Socket {
  if (tls !== null) return tls.open(at, protocol, undefined, preface)
  const socket = net.connect({ ...at, autoSelectFamily: false, noDelay: true })
  if (preface !== undefined) socket.write(preface)
  return socket
}

function read(response: http.IncomingMessage, end: (decision: Decision) => void): void {
  const status = response.statusCode ?? 0
  const chunks: Buffer[] = []
  let size = 0
  const fail = (cause: string): void => {
    end({ kind: 'failed', cause, status: 0 })
    response.destroy()
  }
  response.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message))
  response.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size > MAX_ANSWER) fail('the answer is too large')
    else chunks.push(chunk)
  })
  response.on('close', () => {
    if (!response.complete) fail('the answer was cut')
  })
  response.on('end', () => {
    if (!response.complete) return
    const headers = response.rawHeaders.map((text, at) => (at % 2 === 0 ? text.toLowerCase() : text))
    if (status < 200 || status >= 500) end({ kind: 'failed', cause: `status ${status}`, status })
    else if (status >= 200 && status < 300) end({ kind: 'allow', headers, remove: [] })
    else end({ kind: 'deny', status, headers, body: Buffer.concat(chunks).toString('utf8') })
  })
}
