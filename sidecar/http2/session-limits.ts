import type { Http2Settings } from './session-settings.ts'

/** Control frames that may come at once, and by the second, beyond what the work below earns. */
const CONTROL_BURST = 1000
const CONTROL_PER_SECOND = 100
const CONTROL_MOST = 10_000
/** What a new stream and a DATA frame with bytes in it, either way, allow in control frames. */
const PER_STREAM = 20
const PER_DATA = 4
/** How many answers to control frames may wait for a peer that does not read. */
const ACKS = 1000
/** What a stream that ends by itself allows in resets: calls have deadlines, and a sidecar's session holds those of many clients. */
const PER_ENDED = 0.5
/** A stream that is reset within this time was opened to be reset. */
const PREMATURE_MS = 1000
const PREMATURE_FROM = 500
/**
 * What we ourselves may reset before the session is left to those who are on it: half of what peers like us put up with,
 * so that all streams that are still open may be reset as well.
 */
const OWN_BURST = 100
const OWN_PREMATURE_FROM = PREMATURE_FROM / 2

/**
 * What a peer may do that costs us more than it (security.md rows 32, 33, 36): resets of streams, whoever said them,
 * and frames that move no bytes. Each check answers whether it is still within bounds. Times are ticks of the wheel.
 */
export class SessionLimits {
  readonly #settings: Http2Settings
  #resets: number
  #resetsAt: number
  #control = CONTROL_BURST
  #controlAt: number
  #streams = 0
  #premature = 0
  #acks = 0
  #own = OWN_BURST
  #ownAt: number
  #ownPremature = 0
  #worn = false

  constructor(settings: Http2Settings, now: number) {
    this.#settings = settings
    this.#resets = settings.resetsBurst
    this.#resetsAt = now
    this.#controlAt = now
    this.#ownAt = now
  }

  /** A stream was opened by the peer or by us. */
  stream(): void {
    this.#streams++
    this.#earn(PER_STREAM)
  }

  /** A DATA frame with bytes in it came or went. */
  data(): void {
    this.#earn(PER_DATA)
  }

  /** A stream ended by itself: whoever lets them end may reset some. */
  ended(): void {
    this.#resets = Math.min(this.#settings.resetsBurst, this.#resets + PER_ENDED)
    this.#own = Math.min(OWN_BURST, this.#own + PER_ENDED)
  }

  /** Client: whether so many streams were reset by us that the peer may soon end the session, and with it everybody's. */
  get worn(): boolean {
    return this.#worn
  }

  /**
   * Client: we reset a stream.
   * @param age milliseconds since it was opened
   */
  resetByUs(now: number, age: number): void {
    const earned = ((now - this.#ownAt) * this.#settings.resetsPerSecond) / 1000
    this.#own = Math.min(OWN_BURST, this.#own + Math.max(earned, 0)) - 1
    this.#ownAt = now
    if (age < PREMATURE_MS) this.#ownPremature++
    const premature = this.#streams > OWN_PREMATURE_FROM && this.#ownPremature * 4 > this.#streams
    if (this.#own < 0 || premature) this.#worn = true
  }

  #earn(frames: number): void {
    this.#control = Math.min(this.#control + frames, CONTROL_MOST)
  }

  /**
   * A stream was reset.
   * @param age milliseconds since it was opened
   */
  reset(now: number, age: number): boolean {
    const { resetsBurst, resetsPerSecond } = this.#settings
    if (now > this.#resetsAt) {
      this.#resets = Math.min(resetsBurst, this.#resets + ((now - this.#resetsAt) * resetsPerSecond) / 1000)
      this.#resetsAt = now
    }
    if (age < PREMATURE_MS) this.#premature++
    if (--this.#resets < 0) return false
    return this.#streams <= PREMATURE_FROM || this.#premature * 2 <= this.#streams
  }

  /** A frame came that moves nothing: SETTINGS, PING, PRIORITY, WINDOW_UPDATE, an empty or an unknown one. */
  control(now: number): boolean {
    if (now > this.#controlAt) {
      this.#earn(((now - this.#controlAt) * CONTROL_PER_SECOND) / 1000)
      this.#controlAt = now
    }
    return --this.#control >= 0
  }

  /** A frame was answered. @param blocked whether the peer takes nothing at the moment */
  answered(blocked: boolean): boolean {
    if (!blocked) this.#acks = 0
    return ++this.#acks <= ACKS
  }
}
