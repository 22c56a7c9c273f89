/** How much of its life a client connection has had. */
export class ConnectionAge {
  requests = 0
  /** Whether it is to end, however young it is. */
  over = false
  readonly #end: number

  /**
   * @param now milliseconds of the wheel's clock
   * @param age how old it may become; null: any age. Ten per cent either way, so that connections opened together do
   *   not all close together
   */
  constructor(now: number, age: number | null) {
    this.#end = age === null ? Infinity : now + age * (0.9 + Math.random() * 0.2)
  }

  /** Whether the present request is its last. @param requests how many it may carry; null: any number */
  spent(now: number, requests: number | null): boolean {
    return this.over || now > this.#end || (requests !== null && this.requests >= requests)
  }
}
