/** One message as a parser read it, in a form in which two parsers' readings can be compared. */
export interface ReadMessage {
  /** Method, target and minor version, or status and minor version. */
  readonly start: string
  /** Names in lower case and values, in order. */
  readonly headers: readonly string[]
  body: string
  trailers: readonly string[]
  complete: boolean
  readonly keepAlive: boolean
  /** Whether what follows is no message of this protocol any more: CONNECT, Upgrade. */
  readonly last: boolean
}

/** What a parser made of some bytes. */
export interface Transcript {
  readonly messages: readonly ReadMessage[]
  /** Why it stopped, or null. */
  readonly error: string | null
  /** Where it stands after the bytes: between messages, in the middle of one, or at its end for good. */
  readonly at: 'boundary' | 'head' | 'body' | 'end'
  /** How many bytes it looked at; it stops after a message with which the connection ends. */
  readonly consumed: number
}
