import { NO_BODY, type BodyLength, type BodySink, type BodySource } from '../exchange/body.ts'
import type { HeaderList } from '../exchange/headers.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import type { Session } from './session.ts'

/** One stream: two messages, one each way. Its own object is the sink of what is sent. (Skeleton.) */
export class Stream implements BodySink {
  readonly session: Session
  /** Client: 0 until the first header block is sent. */
  id = 0
  /** Body bytes that came and that were given to the output. */
  bytesIn = 0
  bytesOut = 0
  /** When a byte of a body moved last, either way: a tick of the wheel. */
  movedAt = 0

  constructor(session: Session) {
    this.session = session
  }

  /** What the peer sends behind its header block. */
  get body(): BodySource {
    return NO_BODY
  }

  /** Whether the peer's message is complete. */
  get received(): boolean {
    return false
  }

  /** Whether it is we who do not read: the body's taker wants no more, or nobody takes it yet. */
  get stopped(): boolean {
    return false
  }

  /** Whether bytes wait that the peer does not take. */
  get stalled(): boolean {
    return false
  }

  /**
   * What the header block says of the body's length, told from `onHead`: DATA has to sum up to it.
   * @param bodyless the length is only declared (HEAD, 304): no byte may come
   * @returns false where the message has ended already with another length: it is malformed
   */
  expect(length: BodyLength, bodyless = false): boolean {
    void length
    void bodyless
    return true
  }

  /** Fails the body with `request_too_large` when it passes this many bytes. */
  limitBody(bytes: number): void {
    void bytes
  }

  /** Sends a header block: pseudo fields first, names in lower case, values byte strings. `end`: nothing follows. */
  headers(list: HeaderList, end: boolean): void {
    void list
    void end
  }

  /** Sends a body and its trailers behind the header block. Where it aborts, the stream is reset and `onReset` told. */
  pump(body: BodySource): void {
    void body
  }

  /** Ends the stream with RST_STREAM; both bodies are given up (the sink of the incoming one hears `abort`). No callback of the owner follows. */
  reset(code: number): void {
    void code
  }

  chunk(): boolean {
    return true
  }

  end(trailers: HeaderList | null): void {
    void trailers
  }

  abort(error: ProxyError): void {
    void error
  }
}
