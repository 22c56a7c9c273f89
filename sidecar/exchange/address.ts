/** In a listener `host` is an IP address (`0.0.0.0` and `::` for all) or `''` for all families; in an endpoint it may be a name; or a Unix socket path. */
export type Address =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }

/** One end of a connection. */
export interface SocketEnd {
  /** IP address as text, IPv4-mapped IPv6 as IPv4; empty on a Unix socket. */
  readonly address: string
  readonly port: number
}
