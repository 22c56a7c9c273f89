// Reads the request cases of llhttp: Markdown files whose fenced blocks hold, in pairs, the bytes of a request
// (```http, with escapes) and what llhttp's parser reported (```log, a line an event with its offset).

/** One case: the bytes to send, and what a strict llhttp makes of them. */
export interface LlhttpCase {
  readonly name: string
  readonly bytes: Buffer
  readonly messages: readonly LlhttpMessage[]
  /** Why llhttp refuses it; null: it accepts everything. */
  readonly error: string | null
}

/** One message of a case as llhttp saw it. */
export interface LlhttpMessage {
  readonly method: string
  readonly target: string
  readonly protocol: string
  readonly version: string
  readonly hasHost: boolean
  /** Where the first field line begins, or the empty line; null where the request line was not accepted. */
  readonly fieldsAt: number | null
  readonly headComplete: boolean
  readonly complete: boolean
}

const HEADING = /^#{2,6}\s+(.*)$/
const META = /^<!--\s*meta=(\{.*\})\s*-->$/

/** All cases of one file that are about the strict parser; those of its lenient modes and of its API are left out. */
export function readLlhttpCases(markdown: string): readonly LlhttpCase[] {
  const cases: LlhttpCase[] = []
  let name = ''
  let meta: Readonly<Record<string, unknown>> = {}
  let request: string | null = null
  const lines = markdown.split('\n')
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? ''
    const heading = HEADING.exec(line)?.[1]
    if (heading !== undefined) name = heading
    const json = META.exec(line.trim())?.[1]
    // The file says what the object holds; only known keys are looked at.
    if (json !== undefined) meta = JSON.parse(json) as Readonly<Record<string, unknown>>
    if (!line.startsWith('```')) continue
    const end = lines.findIndex((candidate, index) => index > at && candidate.startsWith('```'))
    const block = lines.slice(at + 1, end).join('\n') + '\n'
    at = end
    if (line === '```http') request = block
    else if (line === '```log' && request !== null) {
      if (meta['type'] === 'request' && meta['pause'] === undefined && meta['skipBody'] === undefined)
        cases.push(readCase(name, request, block))
      request = null
    }
  }
  return cases
}

function readCase(name: string, request: string, log: string): LlhttpCase {
  const messages: Mutable[] = []
  let message = emptyMessage()
  let error: string | null = null
  let fieldName = ''
  for (const line of log.split('\n')) {
    const [, offset, event = ''] = /^off=(\d+) (.*)$/.exec(line) ?? []
    const at = Number(offset)
    if (event === 'message begin') messages.push((message = emptyMessage()))
    else if (event === 'version complete') message.versionEnd = at
    else if (event.startsWith('headers complete')) {
      message.headComplete = true
      message.fieldsAt ??= message.versionEnd + 2
    } else if (event === 'message complete') message.complete = true
    else if (event === 'header_field complete') {
      if (fieldName.toLowerCase() === 'host' && !message.headComplete) message.hasHost = true
      fieldName = ''
    } else if (event.startsWith('error ')) error = /reason="(.*)"/.exec(event)?.[1] ?? event
    else {
      const [, kind, value = ''] = /span\[(\w+)\]="(.*)"$/.exec(event) ?? []
      if (kind === 'method') message.method += value
      else if (kind === 'url') message.target += value
      else if (kind === 'protocol') message.protocol += value
      else if (kind === 'version') message.version += value
      else if (kind === 'header_field') {
        if (!message.headComplete && fieldName === '') message.fieldsAt ??= message.versionEnd + 2
        fieldName += value
      }
    }
  }
  return { name, bytes: unescape(request), messages, error }
}

type Mutable = { -readonly [Key in keyof LlhttpMessage]: LlhttpMessage[Key] } & { versionEnd: number }

function emptyMessage(): Mutable {
  return {
    method: '',
    target: '',
    protocol: '',
    version: '',
    hasHost: false,
    fieldsAt: null,
    headComplete: false,
    complete: false,
    versionEnd: 0,
  }
}

/** The bytes that a block stands for, by the rules of llhttp's own runner, in its order. */
function unescape(block: string): Buffer {
  const text = block
    .replace(/\n$/, '')
    .replace(/\\(\r\n|\r|\n)/g, '')
    .replace(/\r\n|\r|\n/g, '\r\n')
    .replaceAll('\\r', '\r')
    .replaceAll('\\n', '\n')
    .replaceAll('\\t', '\t')
    .replaceAll('\\f', '\f')
    .replace(/\\x([0-9a-fA-F]+)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replace(/\\([0-7]{1,3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
  return Buffer.from(text, 'utf8')
}
