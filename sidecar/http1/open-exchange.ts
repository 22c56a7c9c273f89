import type { BodySource } from '../exchange/body.ts'
import { Exchange, type Peer, type Responder } from '../exchange/exchange.ts'
import type { RequestHead } from './message.ts'

/** What every exchange of a connection gets from it. */
export interface ExchangeParts {
  readonly body: BodySource
  readonly responder: Responder
  readonly peer: Peer
  readonly entry: string
}

/** The exchange of a request head; of null, for what is answered without having been one. */
export function openExchange(
  head: RequestHead | null,
  parts: ExchangeParts,
  connectHost: string | null,
  startedAt: number,
): Exchange {
  return new Exchange({
    method: head?.method ?? '',
    target: head?.target ?? '',
    version: head?.minor === 0 ? 'HTTP/1.0' : 'HTTP/1.1',
    headers: head?.headers ?? [],
    body: parts.body,
    tunnel: head?.upgrade[0] ?? null,
    expectsContinue: head?.expectsContinue ?? false,
    connectHost,
    peer: parts.peer,
    responder: parts.responder,
    entry: parts.entry,
    startedAt,
  })
}
