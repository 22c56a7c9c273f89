import { scalar, Wrong } from './scalars.ts'
import { didYouMean } from './suggestion.ts'

/** What a word in `statuses` stands for: statuses of HTTP. */
const STATUS_WORDS: Readonly<Record<string, readonly number[]>> = {
  '5xx': Array.from({ length: 100 }, (_, at) => 500 + at),
  'gateway-error': [502, 503, 504],
}

/** The statuses of gRPC that may be tried again, by their names. */
const GRPC_STATUSES: Readonly<Record<string, number>> = {
  cancelled: 1,
  'deadline-exceeded': 4,
  'resource-exhausted': 8,
  internal: 13,
  unavailable: 14,
}

/** In a list: what the role has by default. */
export const BY_ROLE = 'default'

const WORDS = [BY_ROLE, ...Object.keys(STATUS_WORDS), ...Object.keys(GRPC_STATUSES)]

/** What may stand in `statuses`: a number, or a word. */
export const retryStatus = scalar<number | string>(
  { anyOf: [{ type: 'integer', minimum: 400, maximum: 599 }, { enum: WORDS }] },
  503,
  (value, shown) => {
    const number = typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : value
    if (typeof number === 'number')
      return Number.isInteger(number) && number >= 400 && number <= 599
        ? number
        : new Wrong(`expected a whole number from 400 to 599, got ${shown}`)
    if (typeof value === 'string' && WORDS.includes(value)) return value
    return new Wrong(
      `expected a status or one of ${WORDS.map(word => `\`${word}\``).join(', ')}, got ${shown}`,
      typeof value === 'string' ? didYouMean(value, WORDS) : undefined,
    )
  },
)

/** The statuses of HTTP in a list, without a word for what the role has. */
export function httpStatuses(written: readonly (number | string)[], byRole: readonly number[]): number[] {
  const all = written.flatMap(one =>
    typeof one === 'number' ? [one] : one === BY_ROLE ? byRole : (STATUS_WORDS[one] ?? []),
  )
  return [...new Set(all)]
}

/** The statuses of gRPC in a list. */
export function grpcStatuses(written: readonly (number | string)[]): number[] {
  return [...new Set(written.flatMap(one => GRPC_STATUSES[one] ?? []))]
}
