/**
 * MurmurHash3 (x86, 32 bit, seed 0) over the UTF-16 code units of a text, low byte first. The same on every machine, so
 * that all replicas send a key to one place. Not a secret: who may choose the text may choose the hash.
 *
 * @returns an unsigned 32-bit integer
 */
export function hash32(text: string): number {
  const { length } = text
  let hash = 0
  let at = 0
  for (; at + 1 < length; at += 2) {
    hash ^= scrambled(text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16))
    hash = (hash << 13) | (hash >>> 19)
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0
  }
  if (at < length) hash ^= scrambled(text.charCodeAt(at))
  return mix32(hash ^ (length * 2))
}

/**
 * Murmur's finalizer: a bijection of 32-bit integers in which every bit of what goes in turns about half of what comes
 * out. Makes a row of unrelated numbers of one hash and a counter.
 */
export function mix32(value: number): number {
  let mixed = value
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

function scrambled(block: number): number {
  const turned = Math.imul(block, 0xcc9e2d51)
  return Math.imul((turned << 15) | (turned >>> 17), 0x1b873593)
}
