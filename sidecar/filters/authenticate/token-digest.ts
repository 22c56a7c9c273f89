import { hash } from 'node:crypto'
import type { Peer } from '../../exchange/exchange.ts'

/** A longer token is digested each time. */
const LONGEST_KEPT = 4096

/**
 * The SHA-256 of a token in base64url: by it tokens are kept, so that two never share an entry, whatever they say. The
 * last token of a connection is remembered with it, since most bring the same one again, and comparing costs less than
 * digesting. What came over one connection is never compared with what comes over another.
 */
export function tokenDigest(peer: Peer, token: string): string {
  const last = peer.token
  if (last !== undefined && last.text === token) return last.digest
  const digest = hash('sha256', token, 'base64url')
  // A copy: the token is a part of its head, which would stay with it.
  if (token.length <= LONGEST_KEPT)
    peer.token = { text: Buffer.from(token, 'latin1').toString('latin1'), digest }
  return digest
}
