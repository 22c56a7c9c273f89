import type { RequestOptions } from 'node:http'
import { nodeHttp } from '../runtime/node-modules.ts'

/** How long an answer may take, in milliseconds. */
const TIMEOUT_MS = 2_000

/** What an admin listener answered. */
export interface AdminAnswer {
  readonly status: number
  readonly body: string
}

/** Where an admin listener is reached: `host:port` or `unix:/path`; null where the text is neither. */
export function adminTarget(address: string): RequestOptions | null {
  if (address.startsWith('unix:')) return { socketPath: address.slice('unix:'.length) }
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/]*)):(\d{1,5})$/.exec(address)
  if (parts === null) return null
  const port = Number(parts[3])
  if (port < 1 || port > 65_535) return null
  // What listens on all addresses, which the configuration may say as well, is asked on loopback.
  const host = parts[1] ?? parts[2] ?? ''
  if (host === '' || host === '0.0.0.0') return { host: '127.0.0.1', port }
  return { host: host === '::' ? '::1' : host, port }
}

/** Asks a running Outrigger with GET. @returns the whole answer, or in words why there is none within 2 s */
export async function askAdmin(target: RequestOptions, path: string): Promise<AdminAnswer | string> {
  const { request } = nodeHttp()
  return new Promise(resolve => {
    const timer = setTimeout(() => finish(`no answer within ${TIMEOUT_MS} ms`), TIMEOUT_MS)
    const sent = request({ ...target, path, agent: false }, response => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => (body += text))
      response.on('error', (error: NodeJS.ErrnoException) => finish(error.code ?? error.message))
      response.on('end', () => finish({ status: response.statusCode ?? 0, body }))
    })
    const finish = (answer: AdminAnswer | string): void => {
      clearTimeout(timer)
      sent.destroy()
      resolve(answer)
    }
    // Stays when the request is destroyed, so that a late error has a listener.
    sent.on('error', (error: NodeJS.ErrnoException) => finish(error.code ?? error.message))
    sent.end()
  })
}
