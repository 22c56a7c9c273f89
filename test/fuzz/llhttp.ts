import { createRequire } from 'node:module'
import type { ReadMessage, Transcript } from './transcript.ts'

// Node's own parser, llhttp in strict mode, is what `node:http` reads with. It is reached without sockets, which makes
// a hundred thousand cases a matter of seconds. It is not a public module; if it goes, this file fails to load.
interface Parser {
  initialize(kind: number, resource: object, maxHeaderSize: number, lenient: number): void
  execute(bytes: Buffer): number | (Error & { code: string; bytesParsed: number })
  finish(): undefined | (Error & { code: string })
  [callback: number]: (...values: never[]) => unknown
}
interface ParserClass {
  new (): Parser
  readonly REQUEST: number
  readonly RESPONSE: number
  readonly kOnHeaders: number
  readonly kOnHeadersComplete: number
  readonly kOnBody: number
  readonly kOnMessageComplete: number
  readonly kLenientNone: number
}
const http = createRequire(import.meta.url)('node:_http_common') as {
  HTTPParser: ParserClass
  methods: readonly string[]
}

const QUERY = 46
const MAX_HEADER_BYTES = 1_048_576

/** The methods that llhttp knows; it refuses all others. */
export const LLHTTP_METHODS: ReadonlySet<string> = new Set(http.methods)

/** Reads bytes as requests, or as responses to `method`, and says what it saw. */
export class Llhttp {
  readonly #parser = new http.HTTPParser()
  readonly #kind: 'request' | 'response'
  #messages: ReadMessage[] = []
  #current: ReadMessage | null = null
  // llhttp hands headers over early where there are many.
  #early: string[] = []
  #earlyUrl = ''
  #method = 'GET'

  constructor(kind: 'request' | 'response') {
    this.#kind = kind
    const { HTTPParser } = http
    this.#parser[HTTPParser.kOnHeaders] = (headers: string[], url: string) => {
      if (this.#current === null) {
        this.#early.push(...headers)
        this.#earlyUrl += url
      } else this.#current.trailers = [...this.#current.trailers, ...lowered(headers)]
    }
    this.#parser[HTTPParser.kOnHeadersComplete] = (
      _major: number,
      minor: number,
      headers: string[] | undefined,
      method: number,
      url: string | undefined,
      status: number,
      _reason: string,
      upgrade: boolean,
      keepAlive: boolean,
    ) => {
      const all = [...this.#early, ...(headers ?? [])]
      const target = this.#earlyUrl + (url ?? '')
      this.#early = []
      this.#earlyUrl = ''
      const head = this.#kind === 'response' && this.#method === 'HEAD'
      this.#current = {
        start: this.#kind === 'request' ? `${methodName(method)} ${target} ${minor}` : `${status} ${minor}`,
        headers: lowered(all),
        body: '',
        trailers: [],
        complete: false,
        // Decided before it is told that the answer to HEAD needs no end.
        keepAlive: keepAlive || head,
        last: upgrade,
      }
      this.#messages.push(this.#current)
      return head ? 1 : 0
    }
    this.#parser[HTTPParser.kOnBody] = (bytes: Buffer) => {
      if (this.#current !== null) this.#current.body += bytes.toString('latin1')
    }
    this.#parser[HTTPParser.kOnMessageComplete] = () => {
      if (this.#current !== null) this.#current.complete = true
      this.#current = null
    }
  }

  /** @param ended whether the connection ends after the bytes */
  read(bytes: Buffer, method = 'GET', ended = false): Transcript {
    this.#messages = []
    this.#current = null
    this.#early = []
    this.#earlyUrl = ''
    this.#method = method
    const { HTTPParser } = http
    this.#parser.initialize(
      this.#kind === 'request' ? HTTPParser.REQUEST : HTTPParser.RESPONSE,
      {},
      MAX_HEADER_BYTES,
      HTTPParser.kLenientNone,
    )
    const result = this.#parser.execute(bytes)
    if (typeof result !== 'number') {
      return { messages: this.#messages, error: result.code, at: 'end', consumed: result.bytesParsed }
    }
    const error = ended ? this.#parser.finish() : undefined
    return { messages: this.#messages, error: error?.code ?? null, at: 'end', consumed: result }
  }
}

/** The list leaves out the methods of RTSP, which stand before the last one. */
function methodName(number: number): string | undefined {
  return number === QUERY ? 'QUERY' : http.methods[number]
}

function lowered(headers: readonly string[]): string[] {
  return headers.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text.replace(/^[ \t]+|[ \t]+$/g, '')))
}
