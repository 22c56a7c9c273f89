/** An edge without routes but one to a service on this port, and a `respond` at `/here`. Lines go below the route. */
export function routeTo(
  port: number,
  more: { listener?: string; route?: string; upstream?: string } = {},
): string {
  return `version: 1
service: test
listeners:
  - name: in
    role: inbound
    address: 127.0.0.1:0
${indent(more.listener, 4)}    routes:
      - name: here
        match: { path: { exact: /here } }
        respond: { body: here }
      - name: app
        upstream: app
${indent(more.route, 8)}upstreams:
  app:
    endpoints: ["127.0.0.1:${port}"]
${indent(more.upstream, 4)}telemetry: { accessLog: on }
`
}

function indent(lines: string | undefined, columns: number): string {
  if (lines === undefined) return ''
  return lines
    .trim()
    .split('\n')
    .map(line => ' '.repeat(columns) + line + '\n')
    .join('')
}
