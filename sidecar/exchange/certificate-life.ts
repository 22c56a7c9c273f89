/** How long a certificate of ours is good. Milliseconds of wall-clock time. */
export interface CertificateLife {
  /** The file as it was written, for logs and metrics. */
  readonly file: string
  readonly notAfter: number
  /** From when on it should have been renewed: a quarter of its life before its end, at most seven days. */
  readonly renewBy: number
}
