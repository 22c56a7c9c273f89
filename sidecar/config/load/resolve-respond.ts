import type { WrittenRespond } from './action-schema.ts'
import type { ConfigPath, Resolution } from './resolution.ts'
import { nodeHttp } from '../../runtime/node-modules.ts'

/** An answer of our own, as it goes out. */
export interface ResolvedRespond {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** An answer with its status checked and its body as text. */
export function resolveRespond(
  written: WrittenRespond | undefined,
  path: ConfigPath,
  resolution: Resolution,
): ResolvedRespond {
  const { status = 200, headers = {}, body } = written ?? {}
  if (nodeHttp().STATUS_CODES[status] === undefined) {
    resolution.fault([...path, 'status'], `${status} is no status that HTTP knows`)
  }
  if (body !== undefined && (status === 204 || status === 304)) {
    resolution.fault([...path, 'body'], `a response of status ${status} has no body`)
  }
  if (body === undefined || body === '') return { status, headers, body: '' }
  const isText = typeof body === 'string'
  // A body without a type would be guessed at by browsers.
  const type = isText ? 'text/plain; charset=utf-8' : 'application/json'
  const typed = Object.hasOwn(headers, 'content-type') ? headers : { 'content-type': type, ...headers }
  return { status, headers: typed, body: isText ? body : JSON.stringify(body) }
}
