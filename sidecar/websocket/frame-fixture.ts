/** A frame for tests (RFC 6455 section 5.2). */
export interface TestFrame {
  readonly opcode: number
  readonly payload: Buffer
  /** Whether it is its message's last; it is where this is left out. */
  readonly final?: boolean
  readonly rsv?: number
  /** Four bytes; masked where they are given. */
  readonly mask?: Buffer
}

/** The reference encoder: as plain as the RFC tells it. */
export function encodeFrame({ opcode, payload, final = true, rsv = 0, mask }: TestFrame): Buffer {
  const head: number[] = [(final ? 0x80 : 0) | (rsv << 4) | opcode]
  const masked = mask === undefined ? 0 : 0x80
  if (payload.length < 126) head.push(masked | payload.length)
  else if (payload.length < 65_536) head.push(masked | 126, payload.length >> 8, payload.length & 0xff)
  else {
    const length = Buffer.alloc(8)
    length.writeBigUInt64BE(BigInt(payload.length))
    head.push(masked | 127, ...length)
  }
  const bytes = mask === undefined ? payload : payload.map((byte, i) => byte ^ (mask[i % 4] ?? 0))
  return Buffer.concat([Buffer.from(head), mask ?? Buffer.alloc(0), bytes])
}
