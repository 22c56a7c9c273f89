import type { Place } from '../quickstart/ports.ts'

/** The ports of the example. With the default base 8000 they are those of the documentation. */
export const PLACES: readonly Place[] = [
  ['EDGE_PORT', 0, 'the edge'],
  ['ORDERS_INBOUND_PORT', 1, 'the sidecar of orders, inbound'],
  ['USERS_INBOUND_PORT', 2, 'the sidecar of users, inbound'],
  ['ORDERS_PORT', 11, 'the orders service'],
  ['USERS_PORT', 12, 'the users service'],
  ['EDGE_ADMIN_PORT', 1901, "the edge's admin listener"],
  ['ORDERS_ADMIN_PORT', 1902, "the admin listener of orders' sidecar"],
  ['USERS_ADMIN_PORT', 1903, "the admin listener of users' sidecar"],
  ['ORDERS_OUTBOUND_PORT', 7001, 'the sidecar of orders, outbound'],
]
