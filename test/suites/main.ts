// Public suites against Outrigger: npm run suites. Each lies in a checkout or is a program of its own, named by a variable; nothing of
// them is part of this tree. Ends with code 1 where a case failed.
import { existsSync } from 'node:fs'
import { grpcInterop } from './grpc-interop.ts'
import { h1spec } from './h1spec.ts'
import { h2spec } from './h2spec.ts'
import { httpd } from './httpd.ts'
import { llhttp } from './llhttp.ts'

const suites = [h1spec, h2spec, grpcInterop, llhttp, httpd]
let passed = 0
let failed = 0
let skipped = 0

for (const { name, variable, source, run } of suites) {
  const folder = process.env[variable]
  if (folder === undefined || !existsSync(folder)) {
    skipped++
    const why = folder === undefined ? `${variable} is not set` : `there is no ${folder}`
    console.log(`${name}: not run: ${why}; comes from ${source}`)
    continue
  }
  const result = await run(folder)
  passed += result.passed
  failed += result.failed.length
  console.log(`${name}: ${result.passed} of ${result.passed + result.failed.length} as they should be`)
  for (const [reason, count] of Object.entries(result.setAside))
    console.log(`  set aside: ${count}: ${reason}`)
  for (const line of result.failed) console.log(`  FAILED ${line}`)
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
process.exitCode = failed > 0 ? 1 : 0
