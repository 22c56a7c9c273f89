import { ProxyError, type Repeatable } from '../exchange/proxy-error.ts'
import { errorName, REFUSED_STREAM } from './frames.ts'
import type { StreamOwner } from './stream-owner.ts'
import type { Stream } from './stream.ts'

/** What an exchange hears when its stream ends early, by the side that we are. */

/** The peer broke the protocol, on the stream or on the whole session. */
export function violation(side: 'server' | 'client', code: number, cause: string): ProxyError {
  return new ProxyError(side === 'server' ? 'bad_request' : 'upstream_bad_response', '', {
    cause: `${errorName(code)}: ${cause}`,
  })
}

/** The peer sent RST_STREAM. REFUSED_STREAM says that nothing was done (RFC 9113 section 8.7). */
export function resetByPeer(stream: Stream, code: number): ProxyError {
  const repeatable = code === REFUSED_STREAM && !stream.headed ? 'never_processed' : 'no'
  return gone(stream, `RST_STREAM ${errorName(code)}`, repeatable)
}

/** A GOAWAY of the peer leaves the stream out: it did nothing with it. */
export function leftOut(stream: Stream, code: number): ProxyError {
  return gone(stream, `GOAWAY ${errorName(code)}`, 'never_processed')
}

/** The session is gone, or a stream's time is over. */
export function gone(stream: Stream, cause: string, repeatable: Repeatable = 'no'): ProxyError {
  if (stream.side === 'server') return new ProxyError('client_gone', '', { cause })
  return new ProxyError(stream.headed ? 'upstream_aborted' : 'upstream_reset', '', { cause, repeatable })
}

/** Of a stream that nobody owns yet. */
export const NO_STREAM_OWNER: StreamOwner = {
  onHead: () => {},
  onMalformed: () => {},
  onBodyBroken: () => {},
  onSent: () => {},
  onReset: () => {},
  onClosed: () => {},
  onSecond: () => {},
}
