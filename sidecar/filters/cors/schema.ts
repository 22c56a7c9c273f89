/** Who may call from a browser (Fetch standard, section 3.2). Plain data, as the loader resolved it. */
export interface CorsPolicy {
  /** Exact origins (`https://shop.example`, with a port where it is not the scheme's own), `https://*.shop.example` for one label or more below, or `*`. */
  readonly origins: readonly string[]
  /** Methods a preflight may ask for, upper case; `*`: whatever is asked. */
  readonly methods: readonly string[]
  /** Request fields a preflight may ask for, lower case; `*`: whatever is asked. */
  readonly headers: readonly string[]
  /** Response fields a script may read, besides those that it always may. */
  readonly expose: readonly string[]
  /** Whether cookies and credentials may be sent. Never together with the origin `*`. */
  readonly credentials: boolean
  /** Seconds a browser may keep the answer to a preflight. */
  readonly maxAge: number
}
