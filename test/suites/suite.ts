/** A public suite that is run against Outrigger from a checkout of its own. */
export interface Suite {
  readonly name: string
  /** The environment variable that names the folder of the checkout (of h2spec: the program), and where to get it. */
  readonly variable: string
  readonly source: string
  readonly run: (folder: string) => Promise<SuiteResult>
}

export interface SuiteResult {
  readonly passed: number
  /** A line for each case that went wrong. */
  readonly failed: readonly string[]
  /** Cases that are not held against Outrigger, counted by the reason. */
  readonly setAside: Readonly<Record<string, number>>
}

/** Counts cases as they are judged. */
export class Tally {
  #passed = 0
  readonly #failed: string[] = []
  readonly #setAside: Record<string, number> = {}

  /** `problem` is null for a case that went as it should. */
  judge(name: string, problem: string | null): void {
    if (problem === null) this.#passed++
    else this.#failed.push(`${name}: ${problem}`)
  }

  setAside(reason: string): void {
    this.#setAside[reason] = (this.#setAside[reason] ?? 0) + 1
  }

  result(): SuiteResult {
    return { passed: this.#passed, failed: this.#failed, setAside: this.#setAside }
  }
}
