import type { ServerResponse } from 'node:http'

// The few that are used here: `node:http` has them all, and is loaded only when an address is opened.
const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/** Answers with plain text. */
export function answer(response: ServerResponse, status: number, text: string): void {
  send(response, status, 'text/plain; charset=utf-8', text)
}

/** Answers with a problem (RFC 9457), or cuts the answer that has begun so that it does not look whole. */
export function problem(response: ServerResponse, status: number, detail: string): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const body = { type: 'about:blank', title: TITLES[status] ?? 'Error', status, detail }
  send(response, status, 'application/problem+json', `${JSON.stringify(body)}\n`)
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  const body = Buffer.from(text, 'utf8')
  response.writeHead(status, { 'content-type': type, 'content-length': body.length })
  response.end(body)
}
