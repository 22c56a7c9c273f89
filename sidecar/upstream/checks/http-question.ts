import { NO_BODY, type BodySink, type BodySource } from '../../exchange/body.ts'
import type { OutgoingRequest, ResponseHead, ResponseTaker } from '../../exchange/outgoing.ts'
import type { ProxyError } from '../../exchange/proxy-error.ts'
import type { ReadBuffers } from '../../runtime/read-buffers.ts'

/** More of a body than this is not waited for: the status has said it. */
const MOST_BYTES = 65_536

/** A GET, and whether its response says that the endpoint is well. Whatever sends it, it is answered once. */
export class HttpQuestion implements OutgoingRequest, ResponseTaker {
  readonly method = 'GET'
  readonly target: string
  readonly host: string
  readonly headers = ['user-agent', 'outrigger']
  readonly body = NO_BODY
  readonly tunnel = null
  readonly expectsContinue = false
  readonly #statuses: readonly number[]
  readonly #buffers: ReadBuffers
  readonly #answer: (fault: string) => void

  /**
   * @param statuses that count as well; empty: 200 to 299
   * @param answer why it is not well; empty: it is
   */
  constructor(
    target: string,
    host: string,
    statuses: readonly number[],
    buffers: ReadBuffers,
    answer: (fault: string) => void,
  ) {
    this.target = target
    this.host = host
    this.#statuses = statuses
    this.#buffers = buffers
    this.#answer = answer
  }

  onResponse({ status }: ResponseHead, body: BodySource): void {
    const well = this.#statuses.length === 0 ? status >= 200 && status < 300 : this.#statuses.includes(status)
    // The rest is read, so that the service does not see its answer cut off.
    body.start(new Rest(this.#buffers, () => this.#answer(well ? '' : `status ${status}`)))
  }

  onFailure(error: ProxyError): void {
    this.#answer(faultOf(error))
  }

  onInformational(): void {}
  onRequestSent(): void {}
}

/** Why there was no response, in a few words. */
export function faultOf({ reason, cause }: ProxyError): string {
  if (reason === 'upstream_bad_response') return `bad response: ${cause}`
  return cause === '' || cause === 'ended' ? 'closed' : cause
}

/** What is read of a body that nobody needs. */
class Rest implements BodySink {
  readonly #buffers: ReadBuffers
  readonly #done: () => void
  #bytes = 0

  constructor(buffers: ReadBuffers, done: () => void) {
    this.#buffers = buffers
    this.#done = done
  }

  chunk(bytes: Buffer, owned: boolean): boolean {
    this.#bytes += bytes.length
    if (owned) this.#buffers.release(bytes)
    if (this.#bytes > MOST_BYTES) this.#done()
    return true
  }

  end(): void {
    this.#done()
  }

  /** It broke off, but its status came. */
  abort(): void {
    this.#done()
  }
}
