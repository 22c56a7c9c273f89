// What the project had before: a service that knows nothing of a proxy.
import http from 'node:http'

const server = http.createServer((request, response) => {
  const body = JSON.stringify({ path: request.url, requestId: request.headers['x-request-id'] ?? null })
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
  response.end(body)
})
// Longer than the sidecar keeps idle connections, so that it is never the service that closes first.
server.keepAliveTimeout = 75_000
server.listen(Number(process.env.PORT ?? 3000), process.env.HOST ?? '0.0.0.0')
process.once('SIGTERM', () => {
  server.close(() => process.exit(0))
  server.closeIdleConnections()
})
