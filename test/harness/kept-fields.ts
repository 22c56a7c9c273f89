import assert from 'node:assert/strict'

type Tree = Readonly<Record<string, unknown>>

/** What may be another in a container, and how it is looked at then. */
const MOVED: Readonly<Record<string, (before: unknown, after: unknown, path: string) => void>> = {
  readinessProbe: assertProbe,
  livenessProbe: assertProbe,
  startupProbe: assertProbe,
  lifecycle: (before, after, path) => {
    for (const hook of ['postStart', 'preStop'])
      assertProbe(at(before, hook), at(after, hook), `${path}.${hook}`)
  },
  ports: assertPorts,
  env: assertVariables,
}

/**
 * Holds a pod to what it was before the injector: each field is there with its value, or is one of those that docs/injector.md says move: where
 * probes and hooks ask, names of ports, and PORT.
 */
export function assertKept(before: unknown, after: unknown): void {
  assertSame(before, after, '')
}

function assertSame(before: unknown, after: unknown, path: string): void {
  if (isTree(before)) {
    assert.ok(isTree(after), `${path} is lost`)
    for (const [key, value] of Object.entries(before)) {
      const inner = `${path}.${key}`
      // An empty map or list that the injector fills was nothing.
      if (value === null && ['.metadata', '.metadata.annotations', '.spec.securityContext'].includes(inner))
        continue
      assert.ok(Object.hasOwn(after, key), `${inner} is lost`)
      if (/^\.spec\.(?:containers|initContainers|volumes)$/.test(inner)) assertNamed(value, after[key], inner)
      else assertSame(value, after[key], inner)
    }
  } else if (Array.isArray(before)) {
    assert.ok(
      Array.isArray(after) && (after.length === before.length || path === '.spec.securityContext.sysctls'),
      path,
    )
    for (const [index, item] of before.entries()) assertSame(item, after[index], `${path}.${index}`)
  } else assert.deepEqual(after, before, path)
}

/** Each of a list of things with names, in the order they had. */
function assertNamed(before: unknown, after: unknown, path: string): void {
  const was = listOf(before)
  const is = listOf(after)
  const names = was.map(({ name }) => name)
  const left = is.filter(({ name }) => names.includes(name))
  assert.deepEqual(
    left.map(({ name }) => name),
    names,
    path,
  )
  for (const [index, item] of was.entries()) {
    const now = left[index] ?? {}
    for (const [key, value] of Object.entries(item)) {
      const inner = `${path}.${String(item['name'])}.${key}`
      const moved = path === '.spec.volumes' ? undefined : MOVED[key]
      if (moved === undefined) assertSame(value, now[key], inner)
      else moved(value, now[key], inner)
    }
  }
}

/** A probe asks the same in the same rhythm, elsewhere. */
function assertProbe(before: unknown, after: unknown, path: string): void {
  if (!isTree(before)) return assert.deepEqual(after, before, path)
  assert.ok(isTree(after), `${path} is lost`)
  for (const [key, value] of Object.entries(before)) {
    const moves = {
      httpGet: ['path', 'port', 'host', 'scheme'],
      tcpSocket: ['port', 'host'],
      grpc: ['port'],
    }[key]
    if (moves === undefined || !isTree(value)) {
      assertSame(value, after[key], `${path}.${key}`)
      continue
    }
    const rest = Object.fromEntries(Object.entries(value).filter(([name]) => !moves.includes(name)))
    assertSame(rest, after[key], `${path}.${key}`)
  }
}

/** A port keeps its number; only its name may be the sidecar's now. */
function assertPorts(before: unknown, after: unknown, path: string): void {
  if (!Array.isArray(before)) return assert.deepEqual(after ?? null, before, path)
  const now = listOf(after)
  assert.equal(now.length, before.length, path)
  for (const [index, port] of listOf(before).entries()) {
    const { name: _, ...rest } = port
    assertSame(rest, now[index], `${path}.${index}`)
  }
}

/** Variables stand first in their order; PORT may say another number. */
function assertVariables(before: unknown, after: unknown, path: string): void {
  if (before === null) return
  const now = listOf(after)
  for (const [index, variable] of listOf(before).entries()) {
    const { value: _, ...rest } = variable
    assertSame(variable['name'] === 'PORT' ? rest : variable, now[index], `${path}.${index}`)
  }
}

const at = (value: unknown, key: string): unknown => (isTree(value) ? value[key] : undefined)

const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const listOf = (value: unknown): Tree[] => (Array.isArray(value) ? value.filter(isTree) : [])
