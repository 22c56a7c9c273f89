/** What a valid `traceparent` says (W3C Trace Context, section 3.2). */
export interface TraceContext {
  /** 32 hex digits in lower case, not all zero. */
  readonly traceId: string
  /** 16 hex digits in lower case, not all zero: the caller's span. */
  readonly parentId: string
  /** Whether the caller records this trace. */
  readonly sampled: boolean
  readonly flags: number
}

// Without groups, which would allocate for each request.
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}/
const ZERO_TRACE = '0'.repeat(32)
const ZERO_SPAN = '0'.repeat(16)

/** The trace id of a valid `traceparent`, or empty. */
export function traceIdOf(value: string): string {
  return isTraceparent(value) ? value.slice(3, 35) : ''
}

function isTraceparent(value: string): boolean {
  if (value.length < 55 || value.length > 512 || !TRACEPARENT.test(value)) return false
  if (value.startsWith(ZERO_TRACE, 3) || value.startsWith(ZERO_SPAN, 36) || value.startsWith('ff'))
    return false
  return value.length === 55 || (value[55] === '-' && !value.startsWith('00'))
}

/**
 * Reads a `traceparent`. Null where it is not valid: then the trace starts anew, and `tracestate` is dropped with it
 * (section 4.3). A version above 00 may have more at its end; version ff is none.
 */
export function parseTraceparent(value: string): TraceContext | null {
  if (!isTraceparent(value)) return null
  const flags = Number.parseInt(value.slice(53, 55), 16)
  return { traceId: value.slice(3, 35), parentId: value.slice(36, 52), sampled: (flags & 1) === 1, flags }
}

/** The `traceparent` of a span of ours. Always version 00, whose only flag that we know is `sampled`. */
export function formatTraceparent(context: TraceContext): string {
  return `00-${context.traceId}-${context.parentId}-${context.sampled ? '01' : '00'}`
}

const MEMBER =
  /^(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/
const MAX_MEMBERS = 32

/**
 * Reads the lines of `tracestate` (section 3.3): their members joined into one line, or null where one of them is not
 * valid, a key stands twice, or there are more than 32. An empty result is null too.
 */
export function parseTracestate(lines: readonly string[]): string | null {
  const keys = new Set<string>()
  const members: string[] = []
  for (const line of lines) {
    if (line.length > 16_384) return null
    for (const part of line.split(',')) {
      // Optional white space stands around members; what is left of an empty one is nothing.
      const member = part.replace(/^[ \t]+/, '').replace(/[ \t]+$/, '')
      if (member === '') continue
      if (members.length === MAX_MEMBERS || !MEMBER.test(member)) return null
      const key = member.slice(0, member.indexOf('='))
      if (keys.has(key)) return null
      keys.add(key)
      members.push(member)
    }
  }
  return members.length === 0 ? null : members.join(',')
}
