import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CgroupMemory } from './cgroup-memory.ts'

const MIB = 1_048_576

function on(files: Record<string, string>): CgroupMemory {
  return new CgroupMemory(file => files[file] ?? null)
}

test('version 2: what is used without pages of files, once it is near the limit', () => {
  const files = {
    '/proc/self/cgroup': '0::/\n',
    '/sys/fs/cgroup/memory.max': `${100 * MIB}\n`,
    '/sys/fs/cgroup/memory.current': `${50 * MIB}\n`,
    '/sys/fs/cgroup/memory.stat': `anon 1\nfile ${90 * MIB}\nshmem 7\ninactive_file ${20 * MIB}\nactive_file ${5 * MIB}\n`,
  }
  const memory = on(files)
  assert.equal(memory.limit, 100 * MIB)
  assert.equal(memory.share, 0.5)
  files['/sys/fs/cgroup/memory.current'] = `${95 * MIB}\n`
  assert.equal(memory.share, 0.7)
})

test('the smallest limit from the own group up to the root', () => {
  const memory = on({
    '/proc/self/cgroup': '1:name=systemd:/\n0::/a.slice/b.service\n',
    '/sys/fs/cgroup/a.slice/b.service/memory.max': 'max\n',
    '/sys/fs/cgroup/a.slice/memory.max': `${200 * MIB}`,
    '/sys/fs/cgroup/memory.max': `${900 * MIB}`,
    '/sys/fs/cgroup/a.slice/memory.current': `${20 * MIB}`,
  })
  assert.equal(memory.limit, 200 * MIB)
  assert.equal(memory.share, 0.1)
})

test('version 1, in a group of its own and in a container that sees it as the root', () => {
  for (const [membership, folder] of [
    ['9:cpu:/\n4:memory:/app\n0::/\n', '/sys/fs/cgroup/memory/app'],
    ['4:cpu,memory:/docker/abc\n', '/sys/fs/cgroup/memory'],
  ] as const) {
    const memory = on({
      '/proc/self/cgroup': membership,
      [`${folder}/memory.limit_in_bytes`]: `${100 * MIB}`,
      [`${folder}/memory.usage_in_bytes`]: `${90 * MIB}`,
      [`${folder}/memory.stat`]: `inactive_file 1\ntotal_inactive_file ${10 * MIB}\ntotal_active_file 0\n`,
    })
    assert.equal(memory.limit, 100 * MIB)
    assert.equal(memory.share, 0.8)
  }
})

test('no limit, no such system, nonsense', () => {
  for (const text of ['max', '9223372036854771712', '0', 'x', '']) {
    const memory = on({ '/sys/fs/cgroup/memory.max': text, '/sys/fs/cgroup/memory.current': '1' })
    assert.equal(memory.limit, null, text)
    assert.equal(memory.share, null)
  }
  assert.equal(on({}).limit, null)
  assert.equal(on({ '/sys/fs/cgroup/memory.max': '100' }).share, null)
})
