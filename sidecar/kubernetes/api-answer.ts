import type http from 'node:http'
import { isObject, textOf } from './api-object.ts'

/** What came of a request. */
export interface ApiAnswer {
  /** 0: none came. */
  readonly status: number
  /** JSON; null where there is none. */
  readonly body: unknown
  /** Why it is no success: what the server said, or what failed on the way. Empty for 2xx. */
  readonly error: string
}

/**
 * Reads a JSON answer, at most so many bytes.
 * @param answered called once or more; only the first call counts
 */
export function readAnswer(
  response: http.IncomingMessage,
  most: number,
  answered: (answer: ApiAnswer) => void,
): void {
  const status = response.statusCode ?? 0
  const parts: Buffer[] = []
  let size = 0
  response.on('data', (part: Buffer) => {
    size += part.length
    if (size <= most) {
      parts.push(part)
      return
    }
    answered(noAnswer(`the answer is longer than ${most} bytes`))
    response.destroy()
  })
  response.on('error', error => answered(noAnswer(causeOf(error))))
  response.on('close', () => answered(noAnswer('the answer was cut')))
  response.on('end', () => {
    if (response.complete) answered(answerOf(status, Buffer.concat(parts).toString('utf8')))
  })
}

/** That no answer came, and why. */
export function noAnswer(error: string): ApiAnswer {
  return { status: 0, body: null, error }
}

/** What failed on the way, in a word where there is one. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}

/** What a `Status` object says, in a line. */
export function reasonOf(body: unknown): string {
  if (!isObject(body)) return ''
  const text = textOf(body['message']) || textOf(body['reason'])
  // It goes into logs of ours, and may hold what somebody else wrote.
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 300)
}

function answerOf(status: number, text: string): ApiAnswer {
  const good = status >= 200 && status < 300
  let body: unknown = null
  try {
    if (text !== '') body = JSON.parse(text)
  } catch {
    if (good) return noAnswer('the answer is no JSON')
  }
  return { status, body, error: good ? '' : `${status} ${reasonOf(body)}`.trimEnd() }
}
