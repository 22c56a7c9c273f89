// The orders service. It knows the customers by id only and asks the users service for their names, through its own
// sidecar: a plain HTTP call to a local port, with the service's name as Host. In memory; run by start.ts.
import http from 'node:http'
import { Refusal, serve, type ServiceRequest } from './json-service.ts'

interface Order {
  readonly id: string
  readonly userId: string
  readonly item: string
  readonly quantity: number
}

const outbound = { host: '127.0.0.1', port: Number(process.env['ORDERS_OUTBOUND_PORT'] ?? 15001) }
const connections = new http.Agent({ keepAlive: true })

const orders = new Map<string, Order>([
  ['1', { id: '1', userId: '1', item: 'tea', quantity: 2 }],
  ['2', { id: '2', userId: '3', item: 'chalk', quantity: 12 }],
])

serve('orders', Number(process.env['ORDERS_PORT'] ?? 8011), {
  '/orders': {
    GET: () => ({ status: 200, body: { orders: [...orders.values()] } }),
    POST: async request => {
      const { userId, item, quantity } = await request.json()
      if (typeof userId !== 'string' || typeof item !== 'string' || item === '')
        throw new Refusal(422, 'userId and item have to be text')
      if (typeof quantity !== 'number' || !Number.isInteger(quantity) || quantity < 1)
        throw new Refusal(422, 'quantity has to be a whole number above zero')
      const name = await customerName(userId, request)
      if (name === null) throw new Refusal(422, `no user ${userId}`)
      const order: Order = { id: String(orders.size + 1), userId, item, quantity }
      orders.set(order.id, order)
      return { status: 201, body: { ...order, customer: name }, headers: { location: `orders/${order.id}` } }
    },
  },
  '/orders/{id}': {
    GET: async request => {
      const order = orders.get(request.id)
      if (order === undefined) throw new Refusal(404, `no order ${request.id}`)
      return { status: 200, body: { ...order, customer: await customerName(order.userId, request) } }
    },
  },
})

/** The user's name, or null where users does not know the id. Anything else from users is a 502 of ours. */
function customerName(userId: string, request: ServiceRequest): Promise<string | null> {
  // What ties the hops of one request together in logs and traces travels on; nothing else of the client's does.
  const headers: http.OutgoingHttpHeaders = { host: 'users', accept: 'application/json' }
  for (const name of ['x-request-id', 'traceparent', 'tracestate']) {
    const value = request.headers[name]
    if (value !== undefined) headers[name] = value
  }
  return new Promise((resolve, reject) => {
    const unavailable = (why: string): void => reject(new Refusal(502, `users cannot be asked: ${why}`))
    const call = http.get(
      { ...outbound, path: `/users/${encodeURIComponent(userId)}`, headers, agent: connections },
      response => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => (text += part))
        response.on('error', error => unavailable(error.message))
        response.on('end', () => {
          if (response.statusCode === 404) return resolve(null)
          if (response.statusCode !== 200) return unavailable(`status ${response.statusCode}`)
          const user: unknown = JSON.parse(text)
          if (typeof user === 'object' && user !== null && 'name' in user) resolve(String(user.name))
          else unavailable('the answer has no name')
        })
      },
    )
    call.on('error', error => unavailable(error.message))
  })
}
