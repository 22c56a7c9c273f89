// The scrape job and the alert rules of examples/kubernetes.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { parse, stringify } from 'yaml'
import { needs, programPath } from '../harness/needs.ts'

const run = promisify(execFile)
const EXAMPLE = path.resolve(import.meta.dirname, '..', '..', 'examples', 'kubernetes')

test('the Prometheus rules are those of the page, and fire when they should', needs('promtool'), async () => {
  const file = (name: string): string => path.join(EXAMPLE, 'prometheus', name)
  assert.deepEqual(parse(readFileSync(file('rules.yml'), 'utf8')), {
    groups: [
      {
        name: 'api-gateway',
        rules: [
          {
            alert: 'HighErrorRate',
            expr: 'rate(gateway_requests_total{status_code=~"5.."}[5m]) > 0.1',
            for: '2m',
            labels: { severity: 'warning' },
            annotations: { summary: 'High error rate detected' },
          },
          {
            alert: 'GatewayDown',
            expr: 'up{job="api-gateway"} == 0',
            for: '1m',
            labels: { severity: 'critical' },
            annotations: { summary: 'API Gateway is down' },
          },
        ],
      },
    ],
  })
  const promtool = programPath('promtool') ?? ''
  assert.match((await run(promtool, ['test', 'rules', file('rules.test.yml')])).stdout, /SUCCESS/)
})

test('the scrape job is called as the rules call it', needs('promtool'), async t => {
  // Debian's Prometheus is built without discovery in Kubernetes: all but that key is checked.
  const config = parse(readFileSync(path.join(EXAMPLE, 'prometheus', 'prometheus.yml'), 'utf8')) as {
    scrape_configs: ({ job_name: string; kubernetes_sd_configs?: unknown } & Record<string, unknown>)[]
    rule_files: string[]
  }
  assert.deepEqual(
    config.scrape_configs.map(({ job_name }) => job_name),
    ['api-gateway'],
  )
  for (const scrape of config.scrape_configs) {
    assert.deepEqual(scrape.kubernetes_sd_configs, [{ role: 'pod' }])
    delete scrape.kubernetes_sd_configs
    scrape['static_configs'] = [{ targets: ['127.0.0.1:9902'] }]
  }
  const folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-prometheus-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  for (const name of config.rule_files)
    writeFileSync(path.join(folder, name), readFileSync(path.join(EXAMPLE, 'prometheus', name)))
  writeFileSync(path.join(folder, 'prometheus.yml'), stringify(config))
  const { stdout } = await run(programPath('promtool') ?? '', [
    'check',
    'config',
    path.join(folder, 'prometheus.yml'),
  ])
  assert.match(stdout, /SUCCESS: 2 rules found/)
})
