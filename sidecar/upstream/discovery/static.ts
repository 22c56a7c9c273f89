import type { Resolver } from './resolver.ts'

/** An address that was written as an address: there is nothing to look up. */
export class StaticResolver implements Resolver {
  readonly addresses: readonly string[]
  readonly error = ''
  constructor(address: string) {
    this.addresses = [address]
  }
  watch(): void {}
  unwatch(): void {}
  close(): void {}
}
