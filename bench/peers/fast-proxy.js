// node fast-proxy.js PORT ORIGIN_PORT
import http from 'node:http'
import fastProxy from 'fast-proxy'

const [port, origin] = process.argv.slice(2)
const peer = fastProxy({
  base: `http://127.0.0.1:${origin}`,
  keepAlive: true,
  http: { maxFreeSockets: 256, maxSockets: 1024 },
})
http
  .createServer((request, response) => peer.proxy(request, response, request.url, {}))
  .listen(Number(port), '127.0.0.1')
