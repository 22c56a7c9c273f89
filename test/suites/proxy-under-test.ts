import { Outrigger } from '../harness/outrigger.ts'
import { EchoOrigin } from './echo-origin.ts'

/** Outrigger as an edge that passes everything to an echo origin. */
export class ProxyUnderTest {
  readonly port: number
  readonly origin: EchoOrigin
  readonly #outrigger: Outrigger

  private constructor(outrigger: Outrigger, origin: EchoOrigin) {
    this.port = outrigger.port('suites')
    this.origin = origin
    this.#outrigger = outrigger
  }

  static async start(): Promise<ProxyUnderTest> {
    const origin = new EchoOrigin()
    const port = await origin.listen()
    const outrigger = await Outrigger.start(`version: 1
service: suites
listeners:
  - name: suites
    role: edge
    address: 127.0.0.1:0
    upstream: origin
upstreams:
  origin: { url: "http://127.0.0.1:${port}" }
admin: { address: 127.0.0.1:0 }
telemetry: { accessLog: { write: off } }
`)
    return new ProxyUnderTest(outrigger, origin)
  }

  async stop(): Promise<void> {
    await this.#outrigger.stop('SIGKILL')
    await this.origin.close()
  }
}
