import { chmod, unlink } from 'node:fs/promises'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { Address } from '../exchange/address.ts'
import type { Log } from '../telemetry/process-log.ts'
import { problem } from './answer.ts'
import type { Control } from './control.ts'
import { ENDPOINTS } from './endpoints.ts'
import { refuseForeign, refuseWrite } from './guard.ts'
import type { GuardOptions } from './guard.ts'
import { nodeHttp } from '../runtime/node-modules.ts'

const MAX_CONNECTIONS = 64
const HEAD_MS = 5_000
const REQUEST_MS = 10_000
const IDLE_MS = 5_000
const STALLED_MS = 30_000
const BODY_BYTES = 65_536
const CLOSE_MS = 1_000

/**
 * Health, readiness, metrics and control on addresses of their own. Uses `node:http`: it is not the data path, and it
 * must not fail where that does.
 */
export class AdminServer {
  readonly #control: Control
  readonly #log: Log
  readonly #servers: Server[] = []
  readonly #headMs: number

  /** @param headMs how long a connection may take for the head of a request */
  constructor(control: Control, log: Log, headMs = HEAD_MS) {
    this.#control = control
    this.#log = log
    this.#headMs = headMs
  }

  /**
   * Opens one address. May be called for the admin address and for that of the probes.
   * @returns the address with the port that was bound, or one line that says why there is none
   */
  async listen(address: Address, options: GuardOptions): Promise<Address | string> {
    const { createServer } = nodeHttp()
    let bound = address
    const server = createServer(
      {
        headersTimeout: this.#headMs,
        requestTimeout: REQUEST_MS,
        keepAliveTimeout: IDLE_MS,
        connectionsCheckingInterval: this.#headMs / 5,
        maxHeaderSize: 16_384,
      },
      (request, response) => this.#handle(request, response, bound, options),
    )
    server.maxConnections = MAX_CONNECTIONS
    server.setTimeout(STALLED_MS, socket => socket.destroy())
    let code = await bind(server, address)
    if (code === 'EADDRINUSE' && address.kind === 'unix' && (await removeStale(address.path)))
      code = await bind(server, address)
    if (code !== null) return cannotListen(address, options, code)
    server.on('error', error => this.#log.error('The admin listener failed', { error }))
    this.#servers.push(server)
    if (address.kind === 'unix') {
      // Whoever may open the socket may quit the process.
      await chmod(address.path, 0o600)
      return address
    }
    const actual = server.address()
    if (actual !== null && typeof actual === 'object') bound = { ...address, port: actual.port }
    return bound
  }

  /** Stops listening, gives what is under way a second, and closes every connection. */
  async close(): Promise<void> {
    await Promise.all(
      this.#servers.splice(0).map(async server => {
        const closed = new Promise<void>(resolve => server.close(() => resolve()))
        server.closeIdleConnections()
        const timer = setTimeout(() => server.closeAllConnections(), CLOSE_MS)
        await closed
        clearTimeout(timer)
      }),
    )
  }

  #handle(request: IncomingMessage, response: ServerResponse, address: Address, options: GuardOptions): void {
    discardBody(request)
    response.setHeader('cache-control', 'no-store')
    response.setHeader('x-content-type-options', 'nosniff')
    try {
      const done = this.#serve(request, response, address, options)
      if (done instanceof Promise) done.catch((error: unknown) => this.#failed(request, response, error))
    } catch (error) {
      this.#failed(request, response, error)
    }
  }

  #serve(
    request: IncomingMessage,
    response: ServerResponse,
    address: Address,
    options: GuardOptions,
  ): void | Promise<void> {
    const foreign = refuseForeign(request, address, options)
    if (foreign !== null) return problem(response, foreign.status, foreign.detail)
    const target = request.url ?? ''
    const mark = target.indexOf('?')
    const endpoint = ENDPOINTS.get(mark === -1 ? target : target.slice(0, mark))
    if (endpoint === undefined || (options.probes && !endpoint.probe))
      return problem(response, 404, 'There is no such path; GET / lists them')
    if ((request.method === 'GET' || request.method === 'HEAD') && endpoint.read !== null) {
      // What a HEAD would have to count is made in pieces; its answer has no length either way.
      return endpoint.read(this.#control, response)
    }
    if (request.method === 'POST' && endpoint.write !== null && !options.probes) {
      const refusal = refuseWrite(request, address, options)
      if (refusal !== null) {
        if (refusal.status === 401) response.setHeader('www-authenticate', 'Bearer')
        return problem(response, refusal.status, refusal.detail)
      }
      endpoint.write(this.#control, response, new URLSearchParams(mark === -1 ? '' : target.slice(mark + 1)))
      return
    }
    const allowed = [
      endpoint.read === null ? '' : 'GET, HEAD',
      endpoint.write === null || options.probes ? '' : 'POST',
    ]
    response.setHeader('allow', allowed.filter(methods => methods !== '').join(', '))
    return problem(response, 405, 'The path does not have this method')
  }

  #failed(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    // A reader that went away is no failure of ours.
    if (!response.destroyed) this.#log.error('An admin request failed', { path: request.url, error })
    problem(response, 500, 'The request failed; the process log says why')
  }
}

/** No path reads a body. One that comes is read and thrown away, so that the connection can go on, up to a bound. */
function discardBody(request: IncomingMessage): void {
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > BODY_BYTES) request.destroy()
  })
}

/** Begins to listen. Answers the code of the error, or null. */
function bind(server: Server, address: Address): Promise<string | null> {
  return new Promise(resolve => {
    const failed = (error: NodeJS.ErrnoException): void => resolve(error.code ?? error.message)
    server.once('error', failed)
    server.listen(
      address.kind === 'unix'
        ? { path: address.path }
        : address.host === ''
          ? { port: address.port }
          : { port: address.port, host: address.host },
      () => {
        server.off('error', failed)
        resolve(null)
      },
    )
  })
}

/** Removes the socket file of a process that is gone: nobody accepts there any more. */
async function removeStale(path: string): Promise<boolean> {
  const refused = await new Promise<boolean>(resolve => {
    const socket = connect({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })
  if (!refused) return false
  return unlink(path).then(
    () => true,
    () => false,
  )
}

function cannotListen(address: Address, options: GuardOptions, code: string): string {
  const key = options.probes ? 'admin.probes' : 'admin.address'
  const text = addressText(address)
  switch (code) {
    case 'EADDRINUSE':
      return `${key}: ${text} is taken by another process; set ${key} to an address of its own`
    case 'EACCES':
      // A missing folder of a Unix socket comes as the same code.
      return `${key}: no right to listen on ${text}${address.kind === 'unix' ? ', or its folder is missing' : ''}`
    case 'EADDRNOTAVAIL':
      return `${key}: ${text} is not an address of this machine`
    default:
      return `${key}: cannot listen on ${text} (${code})`
  }
}

function addressText(address: Address): string {
  if (address.kind === 'unix') return `unix:${address.path}`
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
}
