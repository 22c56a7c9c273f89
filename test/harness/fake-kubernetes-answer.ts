import type http from 'node:http'

/** A `Status` that says what went wrong. */
export function status(code: number, reason: string, message: string): unknown {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, reason, code }
}

/** Answers JSON. */
export function send(response: http.ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
}

/** Answers a `Status`. */
export function fail(response: http.ServerResponse, code: number, reason: string, message: string): void {
  send(response, code, status(code, reason, message))
}

/** JSON, or null. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
