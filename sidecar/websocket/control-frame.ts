import { randomBytes } from 'node:crypto'
import { CLOSE } from './frame-scanner.ts'

const FIN = 0x80
const MASK = 0x80
/** What of a close frame's payload is left for its reason (RFC 6455 section 5.5). */
const LONGEST_REASON = 123

/**
 * One control frame of ours (RFC 6455 section 5.5).
 * @param payload at most 125 bytes
 * @param masked whether it goes to a server (section 5.3)
 */
export function controlFrame(opcode: number, payload: Uint8Array, masked: boolean): Buffer {
  const from = masked ? 6 : 2
  const frame = Buffer.allocUnsafe(from + payload.length)
  frame[0] = FIN | opcode
  frame[1] = (masked ? MASK : 0) | payload.length
  frame.set(payload, from)
  if (!masked) return frame
  const mask = randomBytes(4)
  mask.copy(frame, 2)
  for (let i = 0; i < payload.length; i++) frame[from + i] = (payload[i] as number) ^ (mask[i & 3] as number)
  return frame
}

/**
 * A close frame.
 * @param code RFC 6455 section 7.4
 * @param reason ASCII, cut where it is too long
 */
export function closeFrame(code: number, reason: string, masked: boolean): Buffer {
  const payload = Buffer.from(`\0\0${reason.slice(0, LONGEST_REASON)}`, 'latin1')
  payload.writeUInt16BE(code, 0)
  return controlFrame(CLOSE, payload, masked)
}
