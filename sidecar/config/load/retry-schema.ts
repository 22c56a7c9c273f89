import { fieldName, parseMethod, TOKEN } from './match-schema.ts'
import { duration, durationOrOff, sizeOrNone } from './quantities.ts'
import { BY_ROLE, retryStatus } from './retry-status.ts'
import { integer, isOff, percent, scalar, text, Wrong } from './scalars.ts'
import { list, option, orOff, required, section, shorter } from './shape.ts'
import { expandRetry, expandTimeout } from './shorthands.ts'

const SWITCH = { type: 'boolean' }

const headerOrOff = scalar<string | null>(
  { anyOf: [{ type: 'string', pattern: TOKEN.source }, { const: false }] },
  null,
  (value, shown) => {
    if (isOff(value)) return null
    if (typeof value !== 'string') return new Wrong(`expected a header name or \`off\`, got ${shown}`)
    return TOKEN.test(value) ? value.toLowerCase() : new Wrong(`${shown} is no header name`)
  },
)

/** How long things may take. */
export const timeout = shorter(
  expandTimeout,
  orOff(
    section('a timeout', {
      total: option(
        durationOrOff,
        "from the request's last byte to the response's head, tries and pauses included",
        '15s',
      ),
      perTry: option(durationOrOff, "one try, from its connection to the response's head", false),
      firstByte: option(
        durationOrOff,
        "one try, from the request's last byte to the first byte of the response",
        false,
      ),
      idle: option(durationOrOff, "how long each side may be silent after the response's head", '5m'),
      stream: option(durationOrOff, "from the response's head to its end; a tunnel's whole life", false),
      header: option(
        headerOrOff,
        'a request header with the milliseconds that the caller still waits: it shortens `total` and goes on reduced',
        false,
      ),
    }),
  ),
  [{ type: 'string', pattern: '^\\d+(ms|s|m|h|d)$' }, SWITCH],
)

const count = integer(0, 10)

const methodOrDefault = text('a method', { samples: ['GET', 'POST', BY_ROLE] }, 'GET', (value, shown) =>
  value === BY_ROLE ? value : parseMethod(value, shown),
)

/** When requests are tried again. */
export const retry = shorter(
  expandRetry,
  orOff(
    section('a retry', {
      count: option(count, 'how often a request is tried again', 1),
      statuses: option(
        list(retryStatus),
        'statuses that are tried again for `methods`: numbers, `5xx`, `gateway-error` (502, 503, 504), names of gRPC where the headers say one. `default`: inbound none, else gateway-error',
      ),
      methods: option(
        list(methodOrDefault),
        'methods that are tried again although the upstream may have processed the first. `default`: inbound none, else the idempotent ones (GET, HEAD, OPTIONS, PUT, DELETE)',
      ),
      headers: option(
        list(fieldName),
        'response headers by which a service says that a request of `methods` may be tried again, whatever the status',
      ),
      backoff: option(
        section('a backoff', {
          from: option(duration, 'the first bound', '25ms'),
          to: option(duration, 'the last bound', '250ms'),
        }),
        'the pause before a retry is drawn between 0 and a bound that doubles',
      ),
      budget: option(
        section('a budget', {
          percent: option(percent, 'share of the first attempts in flight', 20),
          min: option(integer(0, 100_000), 'retries that are always allowed', 3),
        }),
        'how many retries may run or wait at one time: the larger of the two',
      ),
      replay: option(
        sizeOrNone(64 * 1024 * 1024),
        "how much of a request's body is kept for another try; a larger one is not repeated",
        '64KiB',
      ),
      hedge: option(
        orOff(
          section('a hedge', {
            after: required(duration, "how long the first try may go without a response's head"),
          }),
        ),
        'tries an idempotent request a second time beside the first',
        false,
      ),
    }),
  ),
  [count, SWITCH],
)
