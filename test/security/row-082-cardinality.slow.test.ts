import { test } from 'node:test'
import { caseCount } from '../fuzz/random-source.ts'
import { strangeNames } from './strange-names.ts'

// A million by `FUZZ_CASES=1000000`.
const CASES = caseCount(200_000)

test(`row 82: ${CASES} random methods and hosts make no new series`, t => strangeNames(t, CASES))
