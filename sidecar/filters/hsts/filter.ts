import type { Exchange } from '../../exchange/exchange.ts'
import { type HeaderList, setHeader } from '../../exchange/headers.ts'
import type { Filter } from '../filter.ts'

/**
 * Tells browsers to come by https from now on (RFC 6797). Only over TLS: on a plain connection the field means nothing
 * and anybody could have put it there (section 7.2).
 *
 * @param value of `strict-transport-security`; takes the place of what the upstream says
 */
export function hstsFilter(value: string): Filter {
  return {
    name: 'hsts',
    onResponse(exchange: Exchange, headers: HeaderList) {
      if (exchange.peer.encrypted) setHeader(headers, 'strict-transport-security', value)
    },
  }
}
