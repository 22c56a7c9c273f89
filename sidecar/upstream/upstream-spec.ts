import type { Address } from '../exchange/address.ts'
import type { CertificateLife } from '../exchange/certificate-life.ts'
import type { KeySource } from '../exchange/request-key.ts'

/** One written endpoint: an address, or a name that is resolved to several. Weights are relative. */
export interface EndpointSpec {
  readonly address: Address
  readonly weight: number
  /** Where it is, for locality preference; empty: not said. */
  readonly zone: string
  /** 0 is used first; a higher one only while those below it cannot take the load. */
  readonly priority: number
}

/** How an endpoint is chosen. */
export interface LoadBalanceSpec {
  readonly policy: 'round-robin' | 'least-request' | 'peak-ewma' | 'random' | 'ring-hash' | 'maglev'
  /** What is hashed by `ring-hash` and `maglev`; the first that the request has. Empty for the others. */
  readonly by: readonly KeySource[]
  /** This process's zone: its endpoints are preferred while they are healthy enough. Empty: none is preferred. */
  readonly zone: string
  /** Milliseconds over which a new or recovered endpoint comes up to its full share; null: at once. */
  readonly slowStart: number | null
  /** Below this share of healthy endpoints (and at least four) health is ignored; 0: never. */
  readonly panicPercent: number
}

/** How an endpoint is asked whether it is well. Milliseconds. */
export interface HealthCheckSpec {
  readonly kind: 'http' | 'grpc' | 'tcp'
  /** `http`: the path asked for; `grpc`: the service, empty for the whole server; `tcp`: empty. */
  readonly target: string
  /** `http`: the Host sent; empty: the upstream's authority. */
  readonly host: string
  /** `http`: statuses that count as well; empty: 200 to 299. */
  readonly statuses: readonly number[]
  /** Between two checks, give or take `JITTER` (a tenth). */
  readonly interval: number
  readonly timeout: number
  /** Failures in a row until it is unhealthy, successes in a row until it is healthy again; the first check decides alone. */
  readonly unhealthyAfter: number
  readonly healthyAfter: number
}

/** When an endpoint is put aside for what its traffic shows. Milliseconds; null: that detector is off. */
export interface OutlierSpec {
  /** Gateway errors in a row (502, 503, 504, no connection, reset, timeout). */
  readonly consecutiveErrors: number | null
  /** Endpoints whose success rate lies `deviations` standard deviations below the mean; needs 5 endpoints with `minimumRequests`. */
  readonly successRate: { readonly deviations: number; readonly minimumRequests: number } | null
  /** Endpoints whose mean latency is `factor` times the median endpoint's or more; needs 3 endpoints with `minimumRequests`. */
  readonly latency: { readonly factor: number; readonly minimumRequests: number } | null
  /** How often success rates and latencies are compared. */
  readonly interval: number
  /** The first ejection; the n-th in a row lasts n times as long, at most `maxEjection`. */
  readonly ejection: number
  readonly maxEjection: number
  /** At most this share of the endpoints, but one may always go, and never the last. */
  readonly maxEjectedPercent: number
}

/** When requests are refused at once because the upstream fails. Milliseconds. */
export interface CircuitBreakerSpec {
  readonly trip:
    | { readonly kind: 'consecutive'; readonly failures: number }
    | {
        readonly kind: 'ratio'
        readonly ratio: number
        readonly window: number
        readonly minimumRequests: number
      }
  readonly openFor: number
  /** Probes let through while half open. */
  readonly halfOpenRequests: number
  /** One breaker for the upstream, or one for each endpoint (an open one is passed over). */
  readonly scope: 'upstream' | 'endpoint'
}

/** How much an upstream is given at one time. */
export interface UpstreamLimits {
  readonly inFlight: number
  readonly pending: number
  /** Open connections to all endpoints together; null: as many as are in flight. */
  readonly connections: number | null
  /** Retries running or waiting, whatever the budget allows; null: the budget alone. */
  readonly retries: number | null
  /** Finds the number in flight that the upstream answers without queueing, between `min` and `inFlight`; null: off. */
  readonly adaptive: { readonly min: number } | null
}

/** How its endpoints prove who they are, and we who we are. PEM text. */
export interface UpstreamTlsSpec {
  /** Authorities of its certificate; null: the system's. */
  readonly ca: string | null
  /** Ours, where it asks for one. */
  readonly cert: string | null
  readonly key: string | null
  /** How long ours is good; null where there is none. */
  readonly life: CertificateLife | null
  /** The name asked for and looked for; empty: the endpoint's, as it was written. */
  readonly serverName: string
  /** Exact SPIFFE IDs or DNS names, one of which it has to prove instead of its host name; empty: the host name. */
  readonly peers: readonly string[]
  /** Of all the above: what has another is reached by other connections. */
  readonly hash: string
}

/** A Service of Kubernetes whose endpoints are watched. */
export interface KubernetesSpec {
  readonly service: string
  /** Empty: the one this process runs in. */
  readonly namespace: string
  /** The name of a port of the Service, or a number at the pods; null: the only one there is. */
  readonly port: string | number | null
  /** Null: what a pod is given. Files are absolute; null: the system's authorities, no token. */
  readonly api: {
    readonly url: string
    readonly caFile: string | null
    readonly tokenFile: string | null
  } | null
}

/** An upstream as the loader resolved it: plain data. */
export interface UpstreamSpec {
  readonly name: string
  /** As they were written; empty where they are discovered. */
  readonly endpoints: readonly EndpointSpec[]
  /** Where its endpoints are found. Absent where they are written. */
  readonly discovery?: KubernetesSpec
  /** The authority of `url` (host, and port where it is not 80), else the upstream's name: what an outbound listener sends as Host. */
  readonly authority: string
  /** Whether `url` says https: such a service chooses what it shows by its own name, so an edge sends that. */
  readonly https: boolean
  /** What `url` puts in front of the path, without a final slash; empty: nothing. */
  readonly basePath: string
  readonly loadBalance: LoadBalanceSpec
  readonly healthCheck: HealthCheckSpec | null
  readonly outlierDetection: OutlierSpec | null
  readonly circuitBreaker: CircuitBreakerSpec | null
  readonly limits: UpstreamLimits
  /** Null: plain. */
  readonly tls: UpstreamTlsSpec | null
  /** Which header tells it, at the start of each connection, whom that is for; null: none. */
  readonly proxyProtocol: 'v1' | 'v2' | null
  /** What is spoken with it by HTTP routes; `http2` is h2c where it is plain. */
  readonly protocol: 'http1' | 'http2'
  readonly connection: {
    readonly connect: number
    readonly keepAlive: number
  }
}
