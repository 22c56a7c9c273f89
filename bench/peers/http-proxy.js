// node http-proxy.js PORT ORIGIN_PORT
import http from 'node:http'
import httpProxy from 'http-proxy'

const [port, origin] = process.argv.slice(2)
const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 256 })
const proxy = httpProxy.createProxyServer({ target: `http://127.0.0.1:${origin}`, agent, xfwd: true })
proxy.on('error', (error, request, response) => {
  response.writeHead?.(502)
  response.end(error.message)
})
http.createServer((request, response) => proxy.web(request, response)).listen(Number(port), '127.0.0.1')
