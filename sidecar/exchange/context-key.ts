/**
 * A typed key into the bag of values that filters leave on an exchange for later filters, expressions and logs.
 * Two keys are never equal, whatever their names.
 */
export class ContextKey<T> {
  readonly name: string
  declare readonly type: T
  constructor(name: string) {
    this.name = name
  }
}
