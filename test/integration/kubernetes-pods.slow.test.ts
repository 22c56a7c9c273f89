import { testIstioPods } from './istio-pods.ts'

testIstioPods([
  ['1.30', [], { classic: 70, nothing_to_pass: 13 }],
  ['1.32', [], { native: 70, nothing_to_pass: 13 }],
  ['1.28', ['users'], { classic: 81, job_needs_native_sidecar: 2 }],
])
