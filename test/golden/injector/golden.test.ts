import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse, stringify } from 'yaml'
import { mutate } from '../../../injector/mutate.ts'
import { readPod } from '../../../injector/pod.ts'
import { restore } from '../../../injector/restore.ts'
import { readSettings } from '../../../injector/settings.ts'
import { formatConfigErrors } from '../../../sidecar/config/config-error.ts'
import { loadConfig } from '../../../sidecar/config/load/load.ts'

/*
 * Every case is settings and a pod; beside it stands what the injector answers. Each pod is injected again, which
 * changes nothing, and uninjected, which gives back the first; the configuration in each loads.
 * `OUTRIGGER_GOLDEN=write node --test test/golden/injector` writes what is given now.
 */
const here = fileURLToPath(new URL('cases/', import.meta.url))
const write = process.env['OUTRIGGER_GOLDEN'] === 'write'
const folder = mkdtempSync(join(tmpdir(), 'outrigger-golden-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const names = readdirSync(here).filter(name => name.endsWith('.yaml')).map(name => name.slice(0, -5)).toSorted()

for (const name of names) {
  test(name, () => {
    // A case is ours: settings, and a pod.
    const { settings: given, pod } = parse(readFileSync(join(here, `${name}.yaml`), 'utf8')) as Record<string, unknown>
    const settings = readSettings(given)
    assert.ok(typeof settings !== 'string', JSON.stringify(settings))
    const before = JSON.stringify(pod)
    const answer = mutate(pod, settings)
    assert.equal(JSON.stringify(pod), before, 'the pod that was given has changed')
    const text = stringify(answer.report.outcome === 'injected' ? answer : { report: answer.report }, { lineWidth: 0 })
    const path = join(here, `${name}.expected`)
    if (write) writeFileSync(path, text)
    assert.ok(existsSync(path), `${path} is missing: write it with OUTRIGGER_GOLDEN=write and read it`)
    assert.equal(text, readFileSync(path, 'utf8'))
    if (answer.report.outcome === 'skipped') {
      assert.equal(answer.pod, pod)
      return
    }
    const again = mutate(answer.pod, settings)
    assert.deepEqual(again.pod, answer.pod)
    assert.equal(again.report.reason, 'already_injected')
    const injected = readPod(answer.pod)
    assert.ok(typeof injected !== 'string')
    assert.deepEqual(restore(injected), pod)
    assertLoads(injected.metadata?.annotations ?? {})
  })
}

function assertLoads(annotations: Readonly<Record<string, string>>): void {
  const files = ['generated-config', 'config'].flatMap(name => {
    const text = annotations[`outrigger.dev/${name}`]
    if (text === undefined) return []
    const file = join(folder, `${name}.yaml`)
    writeFileSync(file, text)
    return [file]
  })
  const result = loadConfig(files, { secrets: true })
  assert.ok(result.ok, result.ok ? '' : formatConfigErrors(result.errors))
}

test('every reason has a case, and stands in docs/injector.md', () => {
  const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')
  const [, type = ''] = /export type SkipReason =([\s\S]*?)\n\n/.exec(read('injector/report.ts')) ?? []
  const reasons = [...type.matchAll(/'(\w+)'/g)].map(([, reason = '']) => reason)
  assert.ok(reasons.length > 10)
  const page = read('docs/injector.md')
  const answers = names.map(name => readFileSync(join(here, `${name}.expected`), 'utf8')).join('')
  for (const reason of reasons) {
    assert.ok(page.includes(`\`${reason}\``), `${reason} is not in docs/injector.md`)
    assert.match(answers, new RegExp(`^  reason: ${reason}$`, 'm'))
  }
})

test('there are at least 60 cases', () => assert.ok(names.length >= 60))
