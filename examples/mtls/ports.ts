import type { Place } from '../quickstart/ports.ts'

/** The ports of the example. With the default base 8000 they are those of the documentation. */
export const PLACES: readonly Place[] = [
  ['USERS_PORT', 12, 'the users service'],
  ['USERS_INBOUND_PORT', 443, 'the sidecar of users, inbound'],
  ['ORDERS_ADMIN_PORT', 1902, "the admin listener of orders' sidecar"],
  ['USERS_ADMIN_PORT', 1903, "the admin listener of users' sidecar"],
  ['ORDERS_OUTBOUND_PORT', 7001, 'the sidecar of orders, outbound'],
]
