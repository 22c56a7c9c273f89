import { Outrigger } from '../harness/outrigger.ts'

/**
 * One Outrigger in front of others, or of a server of gRPC. Its configuration differs from number to number by a header,
 * so that a reload has something to do.
 */
export function hop(role: 'edge' | 'inbound' | 'outbound', ports: readonly number[], number = 0): string {
  return `version: 1
service: ${role}
listeners:
  - name: in
    role: ${role}
    address: 127.0.0.1:0
    requestSize: off
    limits: { http2: { streams: 200 } }
    routes:
      - name: users
        match: { grpc: { service: shop.Users } }
        headers: { request: { set: { x-number: "${number}" } } }
        upstream: next
upstreams:
  next:
    endpoints: [${ports.map(port => `"127.0.0.1:${port}"`).join(', ')}]
    protocol: http2
    limits: { inFlight: 20000, pending: 20000 }
admin: { address: 127.0.0.1:0 }
drain: { timeout: 20s }
telemetry: { accessLog: { write: off } }
`
}

/** An edge, a sidecar of who calls, and two sidecars of who is called, each a process of its own. */
export class GrpcChain {
  readonly edge: Outrigger
  readonly outbound: Outrigger
  readonly inbound: readonly [Outrigger, Outrigger]
  readonly #server: number

  private constructor(
    server: number,
    edge: Outrigger,
    outbound: Outrigger,
    inbound: readonly [Outrigger, Outrigger],
  ) {
    this.#server = server
    this.edge = edge
    this.outbound = outbound
    this.inbound = inbound
  }

  /** @param server the port of the server behind it */
  static async start(server: number): Promise<GrpcChain> {
    const one = await Outrigger.start(hop('inbound', [server]))
    const other = await Outrigger.start(hop('inbound', [server]))
    const outbound = await Outrigger.start(hop('outbound', [one.port('in'), other.port('in')]))
    const edge = await Outrigger.start(hop('edge', [outbound.port('in')]))
    return new GrpcChain(server, edge, outbound, [one, other])
  }

  get all(): readonly Outrigger[] {
    return [this.edge, this.outbound, ...this.inbound]
  }

  /** Changes the configuration of every process. Does not wait for its effect. */
  reload(number: number): void {
    const [one, other] = this.inbound
    one.write(hop('inbound', [this.#server], number))
    other.write(hop('inbound', [this.#server], number))
    this.outbound.write(hop('outbound', [one.port('in'), other.port('in')], number))
    this.edge.write(hop('edge', [this.outbound.port('in')], number))
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map(one => one.stop('SIGKILL')))
  }
}
