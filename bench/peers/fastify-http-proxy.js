// node fastify-http-proxy.js PORT ORIGIN_PORT
import proxy from '@fastify/http-proxy'
import fastify from 'fastify'

const [port, origin] = process.argv.slice(2)
const server = fastify({ logger: false })
server.register(proxy, {
  upstream: `http://127.0.0.1:${origin}`,
  undici: { connections: 256, pipelining: 1 },
})
await server.listen({ port: Number(port), host: '127.0.0.1' })
