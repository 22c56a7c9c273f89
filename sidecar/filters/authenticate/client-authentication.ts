/** Who asks an issuer, as `client_secret_basic` (RFC 6749 section 2.3.1): both are form-encoded first. */
export function clientAuthorization(id: string, secret: string): string {
  const encoded = (text: string): string => new URLSearchParams({ x: text }).toString().slice(2)
  return `Basic ${Buffer.from(`${encoded(id)}:${encoded(secret)}`).toString('base64')}`
}
