import assert from 'node:assert/strict'
import https from 'node:https'
import { setTimeout as pause } from 'node:timers/promises'
import { CertificateFolder } from '../harness/certificates.ts'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { Outrigger } from '../harness/outrigger.ts'

/** What came of a rotation under load. */
export interface Rotation {
  readonly requests: number
  /** Requests that did not end with 200, by what they ended with. */
  readonly failed: Readonly<Record<string, number>>
  /** Certificates of the front listener that clients saw. */
  readonly certificates: number
  readonly failedHandshakes: string
}

/**
 * R17: an edge and a sidecar that speak mTLS, both of whose certificates are replaced once a second, while clients open
 * a new connection for each request.
 */
export async function rotate(seconds: number): Promise<Rotation> {
  const folder = await CertificateFolder.create()
  const issue = async (): Promise<readonly string[]> =>
    Promise.all([
      folder.write('front', { dns: ['localhost'] }),
      folder.write('edge', { uris: ['spiffe://shop/edge'] }),
      folder.write('users', { uris: ['spiffe://shop/users'] }),
    ])
  const [front, edge, users] = await issue()
  const app = await HttpUpstream.listen((_, response) => response.end('users'))
  const sidecar = await Outrigger.start(`version: 1
service: users
admin: { address: "127.0.0.1:0" }
watch: { poll: 1s }
listeners:
  - name: in
    role: inbound
    address: 127.0.0.1:0
    tls: { certificates: { ${users} }, clients: { ca: "${folder.ca}" } }
    connection: { keepAlive: 1s }
    upstream: app
upstreams: { app: { url: "http://127.0.0.1:${app.port}" } }
`)
  const outer = await Outrigger.start(`version: 1
service: edge
admin: { address: "127.0.0.1:0" }
watch: { poll: 1s }
listeners:
  - { name: in, role: edge, address: "127.0.0.1:0", tls: { certificates: { ${front} } }, upstream: users }
upstreams:
  users:
    endpoints: "127.0.0.1:${sidecar.port('in')}"
    tls: { ca: "${folder.ca}", ${edge}, peers: spiffe://shop/users }
    connection: { keepAlive: 100ms }
telemetry: { accessLog: off }
`)
  try {
    const seen = new Set<string>()
    const failed: Record<string, number> = {}
    let requests = 0
    const until = performance.now() + seconds * 1000
    const client = async (): Promise<void> => {
      while (performance.now() < until) {
        const result = await askOnce(outer.port('in'), folder.authority.cert, seen)
        requests++
        if (result !== '200 users') failed[result] = (failed[result] ?? 0) + 1
        await pause(20)
      }
    }
    const renew = async (): Promise<void> => {
      while (performance.now() < until) {
        await pause(1000)
        await issue()
      }
    }
    await Promise.all([client(), client(), client(), client(), renew()])
    const metrics = await Promise.all([outer, sidecar].map(one => scrape(one.adminPort)))
    const failedHandshakes = metrics
      .flatMap(text => text.match(/^outrigger_tls_handshakes_total\{.*result="(?!ok)[^"]*"\}.*$/gm) ?? [])
      .join('\n')
    return { requests, failed, certificates: seen.size, failedHandshakes }
  } finally {
    await outer.stop('SIGINT')
    await sidecar.stop('SIGINT')
    await app.close()
    folder.remove()
  }
}

async function scrape(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`)
  return response.text()
}

function askOnce(port: number, ca: string, seen: Set<string>): Promise<string> {
  return new Promise(resolve => {
    const request = https.get(
      { port, host: '127.0.0.1', servername: 'localhost', ca, agent: false },
      response => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (body += chunk))
        response.on('end', () => resolve(`${response.statusCode} ${body}`))
        response.on('error', error => resolve(error.message))
      },
    )
    request.on('socket', socket =>
      socket.on('secureConnect', () => {
        assert.ok('getPeerX509Certificate' in socket && typeof socket.getPeerX509Certificate === 'function')
        const certificate: unknown = socket.getPeerX509Certificate()
        assert.ok(typeof certificate === 'object' && certificate !== null && 'serialNumber' in certificate)
        seen.add(String(certificate.serialNumber))
      }),
    )
    request.on('error', error => resolve(error.message))
  })
}
