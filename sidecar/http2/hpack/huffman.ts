import { MARKS } from './field-bytes.ts'
import { CODE_BITS, CODES, EOS } from './huffman-code.ts'

// A state is an inner node of the code's tree: where in a code a byte of input begins. There is one node less than there
// are symbols; behind them stands the state of a string that is lost, which leads only to itself.
const LOST = EOS
const NODES = EOS

/**
 * What each byte of input does in each state, at `state << 8 | byte`. No code is shorter than five bits, so that a byte
 * ends two at most. From bit 0: the first symbol ended, the second, how many (2 bits), their marks (2), the next state (9).
 */
const STEPS = new Int32Array((NODES + 1) << 8)

/** States in which a string may end: nothing is open, or at most seven bits that begin EOS (RFC 7541 section 5.2). */
const MAY_END = new Uint8Array(NODES + 1)

/** Built when the first string comes: a process that speaks no HTTP/2 touches none of that memory. */
let built = false

function buildSteps(): void {
  built = true
  // Two branches a node: another node, or less than 0 the complement of a symbol.
  const branches = new Int16Array(NODES * 2)
  let nodes = 1
  for (let symbol = 0; symbol <= EOS; symbol++) {
    const code = CODES[symbol] as number
    let node = 0
    for (let bit = (CODE_BITS[symbol] as number) - 1; bit > 0; bit--) {
      const branch = node * 2 + ((code >>> bit) & 1)
      if (branches[branch] === 0) branches[branch] = nodes++
      node = branches[branch] as number
    }
    branches[node * 2 + (code & 1)] = ~symbol
  }
  for (let depth = 0, node = 0; depth < 8; depth++) {
    MAY_END[node] = 1
    node = branches[node * 2 + 1] as number
  }
  // Half a byte ends one symbol at most. Two of them make a step; steps are built in a third of the time that way.
  const halves = new Int32Array((NODES + 1) << 4).fill(LOST << 20)
  for (let state = 0; state < NODES; state++)
    for (let half = 0; half < 16; half++) halves[(state << 4) | half] = halfStep(branches, state, half)
  for (let state = 0; state <= NODES; state++) {
    for (let byte = 0; byte < 256; byte++) {
      const first = halves[(state << 4) | (byte >> 4)] as number
      const second = halves[((first >> 20) << 4) | (byte & 15)] as number
      const symbols = (first & 0x10000) === 0 ? second & 0xff : (first & 0xff) | ((second & 0xff) << 8)
      const counts = (first & 0x30000) + (second & 0x30000)
      STEPS[(state << 8) | byte] = symbols | counts | ((first | second) & 0xc0000) | (second & (0x1ff << 20))
    }
  }
}

function halfStep(branches: Int16Array, state: number, half: number): number {
  let node = state
  let ended = 0
  for (let bit = 3; bit >= 0; bit--) {
    node = branches[node * 2 + ((half >>> bit) & 1)] as number
    if (node >= 0) continue
    const symbol = ~node
    if (symbol === EOS) return LOST << 20
    ended = symbol | (1 << 16) | ((MARKS[symbol] as number) << 18)
    node = 0
  }
  return ended | (node << 20)
}

/** Bytes that `decodeHuffman` needs to write to, for a string of so many bytes. */
export function huffmanRoom(length: number): number {
  return Math.floor((length * 8) / 5) + 2
}

/**
 * Decodes a Huffman-coded string (RFC 7541 section 5.2) into `out` from 0.
 * @param out has `huffmanRoom(to - from)` bytes
 * @returns the decoded length times four, and in the lower two bits all marks of `field-bytes.ts`; -1 where the string
 * holds EOS, or ends with more than seven bits of padding or with other bits than those of EOS
 */
export function decodeHuffman(bytes: Uint8Array, from: number, to: number, out: Uint8Array): number {
  if (!built) buildSteps()
  let state = 0
  let length = 0
  let marks = 0
  for (let at = from; at < to; at++) {
    const step = STEPS[(state << 8) | (bytes[at] as number)] as number
    // Both are written, whether or not they are there: a branch would cost more.
    out[length] = step
    out[length + 1] = step >> 8
    length += (step >> 16) & 3
    marks |= step
    state = step >> 20
  }
  return MAY_END[state] === 1 ? (length << 2) | ((marks >> 18) & 3) : -1
}

/** How many bytes a byte string takes when it is Huffman-coded. */
export function huffmanLength(text: string): number {
  let bits = 0
  for (let i = 0; i < text.length; i++) bits += CODE_BITS[text.charCodeAt(i)] as number
  return (bits + 7) >> 3
}

/**
 * Writes a byte string Huffman-coded.
 * @param out has room for `huffmanLength(text)` bytes
 * @returns the place behind it
 */
export function encodeHuffman(text: string, out: Uint8Array, at: number): number {
  let place = at
  let pending = 0
  let count = 0
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i)
    let code = CODES[symbol] as number
    let bits = CODE_BITS[symbol] as number
    // Seven bits may be pending, and there is room for 32.
    if (bits > 24) {
      bits -= 8
      pending = (pending << 8) | (code >>> bits)
      out[place++] = pending >>> count
      code &= (1 << bits) - 1
    }
    pending = (pending << bits) | code
    count += bits
    while (count >= 8) {
      count -= 8
      out[place++] = pending >>> count
    }
  }
  if (count > 0) out[place++] = (pending << (8 - count)) | (0xff >> count)
  return place
}
