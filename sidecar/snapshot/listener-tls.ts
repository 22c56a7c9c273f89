import type { CertificateLife } from '../exchange/certificate-life.ts'

/** What a listener shows and asks of its clients when they open TLS. Plain data; PEM text, as the files held it. */
export interface ListenerTls {
  /** By SNI from their names; the first for the rest. */
  readonly certificates: readonly ServerCertificate[]
  /** Who may call: authorities of client certificates. Null: no certificate is asked for. */
  readonly clients: { readonly ca: string; readonly required: boolean } | null
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  /** The value of `strict-transport-security`, or null. */
  readonly hsts: string | null
  /** Of all the above: what has the same hash makes the same handshakes. */
  readonly hash: string
}

/** What the handshakes of an address need of one of its listeners. */
export interface TlsListener {
  readonly hosts: readonly string[]
  readonly tls: ListenerTls | null
}

/** A certificate chain with its private key. */
export interface ServerCertificate extends CertificateLife {
  readonly cert: string
  readonly key: string
  /** DNS names in lower case, `*.x` for wildcards; IP addresses as text. */
  readonly names: readonly string[]
}
