/** An edge whose routes ask who is calling: `/` by what the test says, `/open` nobody. What they forward goes to this port. */
export function guarded(
  port: number,
  more: {
    readonly authenticate: string
    readonly authentication: string
    readonly top?: string
    readonly role?: string
  },
): string {
  return `version: 1
service: test
listeners:
  - name: in
    role: ${more.role ?? 'edge'}
    address: 127.0.0.1:0
    authenticate: ${more.authenticate}
    routes:
      - { name: here, match: { path: { exact: /here } }, authenticate: off, respond: { body: here } }
      - { name: open, match: { path: /open }, authenticate: off, upstream: app }
      - { name: app, upstream: app }
authentication:
${more.authentication
  .trim()
  .split('\n')
  .map(line => `  ${line}\n`)
  .join('')}upstreams:
  app:
    endpoints: ["127.0.0.1:${port}"]
telemetry: { accessLog: on }
${more.top ?? ''}`
}
