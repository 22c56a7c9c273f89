import { spawn } from 'node:child_process'
import path from 'node:path'
import { ProxyUnderTest } from './proxy-under-test.ts'
import { Tally, type Suite } from './suite.ts'

/** uNetworking/h1spec: requests in pieces, malformed ones, and bodies that are echoed. */
export const h1spec: Suite = {
  name: 'h1spec',
  variable: 'H1SPEC_DIR',
  source: 'github.com/uNetworking/h1spec',
  run: async folder => {
    const proxy = await ProxyUnderTest.start()
    try {
      return readReport(await runSuite(path.resolve(folder), proxy.port))
    } finally {
      await proxy.stop()
    }
  },
}

function runSuite(folder: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const script = path.join(import.meta.dirname, 'h1spec-run.ts')
    const child = spawn(process.execPath, [script, folder, String(port)], { timeout: 60_000 })
    let report = ''
    child.stdout.on('data', (part: Buffer) => (report += part.toString()))
    child.stderr.on('data', (part: Buffer) => (report += part.toString()))
    child.once('error', reject)
    child.once('close', () => resolve(report))
  })
}

/** Reads the suite's own lines: a mark and a description for each case, and `N out of M tests passed.` at the end. */
function readReport(report: string): ReturnType<Tally['result']> {
  const tally = new Tally()
  const [, passed, all] = /(\d+) out of (\d+) tests passed/.exec(report) ?? []
  for (const line of report.split('\n')) {
    if (line.startsWith('✅ ')) tally.judge(line, null)
    else if (line.startsWith('❌ ')) tally.judge('h1spec', line.slice(2))
    else if (line.startsWith('Error in test')) tally.judge('h1spec', line)
  }
  const result = tally.result()
  if (Number(all) !== result.passed + result.failed.length || Number(passed) !== result.passed)
    tally.judge('the suite', `did not end as expected:\n${report.slice(-2000)}`)
  return tally.result()
}
