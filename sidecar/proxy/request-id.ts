import { randomBytes } from 'node:crypto'

/** Numbers that one random block is good for. */
const BLOCK = 0x1_0000
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/**
 * A source of request ids: 24 hex digits, of which 20 are random and drawn anew after 65,536 ids, and 4 count. Unique
 * for all practical purposes across processes, and nobody who has seen none of a block's ids can guess one. They name
 * requests in logs; they are no secret and grant nothing.
 */
export function requestIds(random: () => string = () => randomBytes(10).toString('hex')): () => string {
  let prefix = ''
  let next = BLOCK
  return () => {
    if (next === BLOCK) {
      prefix = random()
      next = 0
    }
    const number = next++
    return prefix + (HEX[number >> 8] as string) + (HEX[number & 255] as string)
  }
}
