import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { CertificateFolder } from '../harness/certificates.ts'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { type Suite, Tally } from './suite.ts'

/** Some cases look at how a body is sent by small windows, so there has to be one. */
const BODY = 'a body of some length'

/** summerwind/h2spec in its strict mode: HTTP/2 and HPACK, in the clear (prior knowledge) and over TLS (ALPN). */
export const h2spec: Suite = {
  name: 'h2spec',
  variable: 'H2SPEC_BIN',
  source: 'github.com/summerwind/h2spec, its binary',
  run: async binary => {
    const tally = new Tally()
    const upstream = await HttpUpstream.listen((request, response) => {
      request.resume()
      request.on('end', () => response.end(BODY))
    })
    const certificates = await CertificateFolder.create()
    const certificate = await certificates.write('a', { dns: ['localhost'], addresses: ['127.0.0.1'] })
    const proxy = await Outrigger.start(`version: 1
service: suites
listeners:
  - { name: clear, role: edge, address: "127.0.0.1:0", upstream: origin }
  - { name: secure, role: edge, address: "127.0.0.1:0", tls: { certificates: [{ ${certificate} }] }, upstream: origin }
upstreams:
  origin: { endpoints: ["127.0.0.1:${upstream.port}"] }
admin: { address: 127.0.0.1:0 }
telemetry: { accessLog: { write: off } }
`)
    try {
      for (const [listener, ...options] of [['clear'], ['secure', '-t', '-k']] as const)
        readReport(await report(binary, proxy.port(listener), options), listener, tally)
    } finally {
      await proxy.stop('SIGKILL')
      await upstream.close()
      certificates.remove()
    }
    return tally.result()
  },
}

/** Runs the suite. @returns its report, in the form of JUnit */
async function report(binary: string, port: number, options: readonly string[]): Promise<string> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-h2spec-'))
  const file = path.join(folder, 'report.xml')
  try {
    await new Promise((resolve, reject) => {
      const names = ['-h', '127.0.0.1', '-p', String(port), '-S', '-o', '2', '-j', file, ...options]
      const child = spawn(path.resolve(binary), names, { stdio: 'ignore', timeout: 300_000 })
      child.once('error', reject)
      child.once('close', resolve)
    })
    return readFileSync(file, 'utf8')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function readReport(xml: string, listener: string, tally: Tally): void {
  let cases = 0
  for (const [, attributes = '', rest = ''] of xml.matchAll(
    /<testcase ([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g,
  )) {
    cases++
    const name = `${listener} ${attributeOf(attributes, 'package')}: ${attributeOf(attributes, 'classname')}`
    if (rest.includes('<skipped')) tally.setAside('the suite skips it')
    else
      tally.judge(name, /<(?:failure|error)/.test(rest) ? rest.replaceAll(/<[^>]*>|\s+/g, ' ').trim() : null)
  }
  if (cases === 0) tally.judge(listener, 'the suite reported no case')
}

function attributeOf(attributes: string, name: string): string {
  return new RegExp(`${name}="([^"]*)"`).exec(attributes)?.[1] ?? ''
}
