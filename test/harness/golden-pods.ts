import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'

const FOLDER = path.resolve(import.meta.dirname, '..', 'golden', 'injector', 'cases')

/** A case of the injector's golden tests. */
export interface GoldenPod {
  readonly name: string
  /** After the injector where it was injected, else as it was given. */
  readonly pod: Readonly<Record<string, unknown>>
  readonly given: Readonly<Record<string, unknown>>
  readonly outcome: string
  readonly reason: string
}

/** The golden pods; those that are no pods are left out. */
export function goldenPods(): GoldenPod[] {
  return readdirSync(FOLDER)
    .filter(name => name.endsWith('.yaml'))
    .flatMap(name => {
      const given = (parse(readFileSync(path.join(FOLDER, name), 'utf8')) as { pod: unknown }).pod
      const text = readFileSync(path.join(FOLDER, name.replace(/\.yaml$/, '.expected')), 'utf8')
      const { pod = given, report } = parse(text) as {
        pod?: unknown
        report: { outcome: string; reason: string | null }
      }
      if (report.reason === 'not_a_pod') return []
      const ours = pod as GoldenPod['pod'] // the test of the goldens holds them to be pods
      return [
        {
          name,
          pod: ours,
          given: given as GoldenPod['pod'],
          outcome: report.outcome,
          reason: report.reason ?? '',
        },
      ]
    })
}
