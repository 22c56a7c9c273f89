import { createPrivateKey, X509Certificate } from 'node:crypto'
import { Authority, type KeyPair } from '../../sidecar/certificates/authority.ts'

/** Clocks of machines differ; a certificate is good a little before it is made. */
const EARLY_MS = 300_000
/** What is good only so much later was made by a clock that is wrong: the API server would take it for none. */
const SKEW_MS = 3_600_000

/**
 * How long certificates are good, in milliseconds. All are renewed at half of it. A certificate and the overlap together
 * are shorter than half the life of an authority, so that at most one authority goes while another comes.
 */
export interface CertificateLives {
  readonly authority: number
  readonly serving: number
  /** How long a new authority is trusted before it signs. */
  readonly overlap: number
}

/** What all replicas serve with and are trusted by. */
export interface CertificateState {
  /** The authority that signs. */
  readonly current: KeyPair
  /** Trusted already: signs next. */
  readonly next: KeyPair | null
  /** Trusted as long as a certificate of it may be served with; its key is gone. */
  readonly previous: { readonly cert: string; readonly until: number } | null
  readonly serving: KeyPair
}

/** What is to be certified. */
export interface CertificateWish {
  /** DNS names of the Service. */
  readonly names: readonly string[]
  readonly lives: CertificateLives
}

/** The certificates by which the API server knows us, PEM. */
export function bundleOf({ current, next, previous }: CertificateState): string {
  return [current.cert, next?.cert ?? '', previous?.cert ?? ''].join('')
}

/** When a certificate ends, on the wall clock in milliseconds. */
export function notAfterOf(cert: string): number {
  return new X509Certificate(cert).validToDate.getTime()
}

/**
 * Renews what is due. A new authority is trusted first, then signs; the old one is trusted until the certificates that
 * it signed have ended: whichever replica serves with whatever it read last, the API server knows it.
 * @param announced whether the API server was told of `next`
 * @param now on the wall clock
 * @param time as `isEarly` has it
 * @returns null where nothing is due
 */
export async function renew(
  state: CertificateState | null,
  wish: CertificateWish,
  announced: boolean,
  now: number,
  time: number = now,
): Promise<CertificateState | null> {
  if (state === null || !isUsable(state, now) || isEarly(state, time)) return begin(state, wish, now)
  let { current, next, previous, serving } = state
  if (next === null && now >= halfOf(current.cert)) next = await newAuthority(wish, now)
  else if (next !== null && announced && now >= madeAt(next.cert) + wish.lives.overlap) {
    previous = { cert: current.cert, until: notAfterOf(serving.cert) }
    current = next
    next = null
    serving = await newServing(current, wish, now)
  }
  if (previous !== null && now >= previous.until) previous = null
  if (now >= halfOf(serving.cert) || !isFor(serving.cert, wish.names))
    serving = await newServing(current, wish, now)
  const isNew =
    current !== state.current ||
    next !== state.next ||
    previous !== state.previous ||
    serving !== state.serving
  return isNew ? { current, next, previous, serving } : null
}

/** The first; or a new one in place of one that is broken or over, which stays trusted if it can still be. */
async function begin(
  old: CertificateState | null,
  wish: CertificateWish,
  now: number,
): Promise<CertificateState> {
  const current = await newAuthority(wish, now)
  const serving = await newServing(current, wish, now)
  const until = old === null ? null : endOf(old.current.cert)
  const previous = old === null || until === null || now >= until ? null : { cert: old.current.cert, until }
  return { current, next: null, previous, serving }
}

/** Whether the keys fit, the authority signed the certificate, and neither is over. */
export function isUsable(state: CertificateState, now: number): boolean {
  return isWhole(state) && [state.current, state.serving].every(({ cert }) => now < notAfterOf(cert))
}

/**
 * Whether they are good only later: whoever made them has a clock that is ahead, and the API server takes them for none.
 * @param time the later one of our clock and of that by which the API server stored them
 */
export function isEarly(state: CertificateState, time: number): boolean {
  return isWhole(state) && [state.current, state.serving].some(({ cert }) => madeAt(cert) > time + SKEW_MS)
}

/**
 * A state in place of another that somebody made by another clock. Both are trusted, since the other replica serves with its
 * own, and nobody knows whose clock is right.
 */
export function besides(state: CertificateState, other: CertificateState): CertificateState {
  if (state.previous !== null || other.current.cert === state.current.cert || !isWhole(other)) return state
  return { ...state, previous: { cert: other.current.cert, until: notAfterOf(other.current.cert) } }
}

function isWhole({ current, next, serving }: CertificateState): boolean {
  try {
    return (
      new X509Certificate(serving.cert).verify(new X509Certificate(current.cert).publicKey) &&
      [current, next, serving].every(pair => pair === null || isPair(pair))
    )
  } catch {
    return false
  }
}

/** Whether a certificate and a key belong together. @throws Error where one of them is none */
export function isPair({ cert, key }: KeyPair): boolean {
  return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))
}

function isFor(cert: string, names: readonly string[]): boolean {
  const certificate = new X509Certificate(cert)
  return names.every(name => certificate.checkHost(name) !== undefined)
}

async function newAuthority({ lives }: CertificateWish, now: number): Promise<KeyPair> {
  const { pair } = await Authority.create({
    commonName: 'outrigger injector',
    notBefore: now - EARLY_MS,
    notAfter: now + lives.authority,
  })
  return pair
}

async function newServing(pair: KeyPair, { names, lives }: CertificateWish, now: number): Promise<KeyPair> {
  const authority = await Authority.load(pair)
  return authority.issue({
    commonName: names[0] ?? '',
    dns: names,
    notBefore: now - EARLY_MS,
    notAfter: now + lives.serving,
  })
}

const madeAt = (cert: string): number => new X509Certificate(cert).validFromDate.getTime() + EARLY_MS

const halfOf = (cert: string): number => (madeAt(cert) + notAfterOf(cert)) / 2

function endOf(cert: string): number | null {
  try {
    return notAfterOf(cert)
  } catch {
    return null
  }
}
