/**
 * How much of a limit one key has used. Pure: whoever asks brings the time, in milliseconds of one clock that does not go
 * back. `quota` is brought too, since it may change while the count stays.
 */
export interface KeyState {
  /** Whether `cost` more may be counted. Changes nothing that can be seen. */
  fits(now: number, quota: number, cost: number): boolean
  /** Counts, whether it fits or not. */
  take(now: number, quota: number, cost: number): void
  /** Takes back what was counted last. */
  giveBack(quota: number, cost: number): void
  /** How much is left; never below zero. */
  remaining(now: number, quota: number): number
  /** Milliseconds until something, of a bucket or of the calendar everything, is left again; 0 where nothing is used. */
  reset(now: number, quota: number): number
  /** Milliseconds until `cost` fits; 0 where it does. */
  wait(now: number, quota: number, cost: number): number
}
