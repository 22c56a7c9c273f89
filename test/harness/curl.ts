import { execFile } from 'node:child_process'
import { programPath } from './needs.ts'

/** What one run of curl gave. */
export interface CurlResult {
  /** curl's exit code; 0 where the transfer was whole. */
  readonly code: number
  /** Of the last response; 0 where none came. */
  readonly status: number
  /** Of the last response, names in lower case; lines of one name joined with `, `. */
  readonly headers: Readonly<Record<string, string>>
  /** The head lines of every response, as they came. */
  readonly heads: string
  readonly body: Buffer
  /** What curl said about the transfer, with `-v`. */
  readonly said: string
}

const TIMEOUT_S = 20

/**
 * Runs curl without a progress meter and without anything that the machine's environment or `.curlrc` would add. Every
 * test that asks for it has `needs('curl')`.
 */
export function curl(...args: readonly string[]): Promise<CurlResult> {
  // With -v the heads stand on stderr, so that the body is byte for byte what came.
  const own = ['-q', '-sSv', '--max-time', String(TIMEOUT_S)]
  const options = { encoding: 'buffer', maxBuffer: 64 * 1024 * 1024, env: {} } as const
  return new Promise((resolve, reject) => {
    execFile(programPath('curl') ?? 'curl', [...own, ...args], options, (error, body, stderr) => {
      const said = stderr.toString('latin1')
      if (error !== null && typeof error.code !== 'number') {
        reject(new Error(`curl: ${error.message}`))
        return
      }
      // The status of an execFile error is its exit code.
      const code = error === null ? 0 : Number(error.code)
      resolve({ code, body, said, ...lastHead(said) })
    })
  })
}

function lastHead(said: string): Pick<CurlResult, 'status' | 'headers' | 'heads'> {
  const lines = said.split(/\r?\n/).flatMap(line => (line.startsWith('< ') ? [line.slice(2)] : []))
  let status = 0
  let headers: Record<string, string> = {}
  for (const line of lines) {
    const code = /^HTTP\/(?:1\.[01]|2) (\d{3})/.exec(line)?.[1]
    if (code !== undefined) {
      status = Number(code)
      headers = {}
      continue
    }
    const colon = line.indexOf(':')
    if (colon < 1) continue
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  return { status, headers, heads: lines.join('\n') }
}
