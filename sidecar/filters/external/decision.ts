import type { HeaderList } from '../../exchange/headers.ts'
import type { Destination } from '../../runtime/destination.ts'

/** What a deciding service is asked about. */
export interface Question {
  readonly requestId: string
  readonly route: string
  readonly method: string
  readonly scheme: string
  /** With the port that the client named. */
  readonly authority: string
  /** In its normal form: what is decided is what goes upstream. */
  readonly path: string
  /** With its `?`; empty where there is none. */
  readonly query: string
  readonly protocol: string
  /** Lower case, one line a name. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** The client's address, and what its certificate says. */
  readonly source: { readonly address: string; readonly port: number; readonly principal: string }
  /** Of the body, in bytes; -1 where it is not known. */
  readonly size: number
  /** Null: it is not for the service to see. */
  readonly body: Buffer | null
}

/** What it said. `headers` are all of its answer; which of them count, the configuration says. */
export type Decision =
  /** `remove`: names of the request's fields that do not go upstream, in lower case. */
  | { readonly kind: 'allow'; readonly headers: HeaderList; readonly remove: readonly string[] }
  | {
      readonly kind: 'deny'
      readonly status: number
      readonly headers: HeaderList
      readonly body: string
    }
  /** Nothing was decided. `status`: what HTTP said, or 0. */
  | { readonly kind: 'failed'; readonly cause: string; readonly status: number }

/** Asks one deciding service over connections that it keeps. */
export interface DecisionClient {
  /**
   * @param target an endpoint of the service
   * @param decided hears once
   * @returns ends it early; afterwards `decided` hears nothing
   */
  ask(target: Destination, question: Question, decided: (decision: Decision) => void): () => void
  /** Closes what is open. */
  close(): void
}

/** More of an answer is not taken, in bytes. */
export const MAX_ANSWER = 64 * 1024
