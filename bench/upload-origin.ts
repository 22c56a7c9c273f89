// node upload-origin.ts PORT: takes request bodies and answers 200 where as many bytes came as content-length said.
import http from 'node:http'

const server = http.createServer((request, response) => {
  let bytes = 0
  request.on('data', (part: Buffer) => (bytes += part.length))
  request.on('end', () => {
    response.writeHead(bytes === Number(request.headers['content-length'] ?? bytes) ? 200 : 400)
    response.end(String(bytes))
  })
})
server.listen(Number(process.argv[2]), '127.0.0.1')
