// The orders service: JSON over HTTP for its callers, gRPC where it asks users for a name, through its own sidecar.
// In memory; run by start.ts.
import * as grpc from '@grpc/grpc-js'
import { Refusal, serve } from '../quickstart/json-service.ts'
import { channelTo, getUser } from './client.ts'

const orders = new Map([
  ['1', { id: '1', userId: '1', item: 'tea', quantity: 2 }],
  ['2', { id: '2', userId: '9', item: 'chalk', quantity: 12 }],
])
const users = channelTo(Number(process.env['ORDERS_OUTBOUND_PORT'] ?? 15001), 'users')

serve('orders', Number(process.env['ORDERS_PORT'] ?? 8011), {
  '/orders/{id}': {
    GET: async ({ id }) => {
      const order = orders.get(id)
      if (order === undefined) throw new Refusal(404, `no order ${id}`)
      return { status: 200, body: { ...order, customer: await customerName(order.userId) } }
    },
  },
})

/** The user's name; null where users does not know the id. */
async function customerName(id: string): Promise<string | null> {
  try {
    return (await getUser(users, id, { deadline: Date.now() + 2000 })).name
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    if (error.code === grpc.status.NOT_FOUND) return null
    throw new Refusal(502, `users cannot be asked: ${error.message}`)
  }
}
