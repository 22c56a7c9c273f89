import type { KeyPair } from '../../sidecar/certificates/authority.ts'

/** Where the certificate comes from that the webhook serves with. */
export interface ServingCertificate {
  /** Whether there is one that the API server can trust. */
  readonly isReady: boolean
  /** Looks whether there is another one, and does what is due. @returns why it could not, or null */
  refresh(): Promise<string | null>
}

/** Takes a certificate into use. @throws Error where it is none */
export type UseCertificate = (pair: KeyPair) => void
