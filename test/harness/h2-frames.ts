/** Frame types of RFC 9113 section 6, written down again: a checker does not share its tables with what it checks. */
export const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
} as const

/** Flags of section 6; SETTINGS and PING have ACK where others have END_STREAM. */
export const FLAG = { endStream: 1, ack: 1, endHeaders: 4 } as const

/** Error codes of section 7. */
export const CODE = {
  none: 0,
  protocol: 1,
  internal: 2,
  flow: 3,
  closed: 5,
  size: 6,
  refused: 7,
  cancel: 8,
  compression: 9,
  calm: 11,
} as const

/** A frame's bytes. */
export function frameBytes(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** A field block of literals that touch no table (RFC 7541 section 6.2.2), whatever they say. */
export function literals(fields: readonly string[]): Buffer {
  const parts: Buffer[] = []
  for (let i = 0; i < fields.length; i += 2)
    parts.push(Buffer.from([0]), text(fields[i] ?? ''), text(fields[i + 1] ?? ''))
  return Buffer.concat(parts)
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1')
  return Buffer.concat([integer(7, bytes.length), bytes])
}

/** An integer (RFC 7541 section 5.1) with nothing in front of its prefix. */
function integer(prefix: number, value: number): Buffer {
  const most = 2 ** prefix - 1
  if (value < most) return Buffer.from([value])
  const octets = [most]
  let rest = value - most
  for (; rest >= 128; rest = Math.floor(rest / 128)) octets.push((rest % 128) + 128)
  octets.push(rest)
  return Buffer.from(octets)
}

/** The pseudo fields of a request to `a.example`. */
export function pseudo(method: string, path: string): string[] {
  return [':method', method, ':scheme', 'http', ':path', path, ':authority', 'a.example']
}

/** The payload of SETTINGS: identifier and value in turn. */
export function settingsPayload(pairs: readonly number[]): Buffer {
  const payload = Buffer.alloc((pairs.length / 2) * 6)
  for (let i = 0; i < pairs.length; i += 2) {
    payload.writeUInt16BE(pairs[i] ?? 0, i * 3)
    payload.writeUInt32BE(pairs[i + 1] ?? 0, i * 3 + 2)
  }
  return payload
}

/** Four bytes of each. */
export function uint32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  values.forEach((value, i) => bytes.writeUInt32BE(value, i * 4))
  return bytes
}
