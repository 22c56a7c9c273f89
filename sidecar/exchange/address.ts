/** In a listener `host` is an IP address (`0.0.0.0` and `::` for all) or `''` for all families; in an endpoint it may be a name; or a Unix socket path. */
export type Address =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }
