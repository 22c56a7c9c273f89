import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { parseAllDocuments } from 'yaml'
import { programPath } from './needs.ts'

/** A manifest, as far as it is read here. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly [key: string]: unknown
}

/** A value of JSON as tests walk through it. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

const run = promisify(execFile)

/**
 * What `kubectl apply -k` would send, rendered by each kubectl that is here: Debian's 1.20, the oldest that has to read the
 * manifests, and the machine's own where it has another.
 * @returns the manifests by the name of the program
 */
export async function renderings(folder: string): Promise<Map<string, Manifest[]>> {
  const found = new Map<string, Manifest[]>()
  for (const name of ['kubectl-1.20', 'kubectl']) {
    const program = programPath(name)
    if (program === null) continue
    // No cluster is asked: `kustomize` only reads files.
    const { stdout } = await run(program, ['kustomize', folder], { env: { HOME: '/nonexistent' } })
    found.set(name, manifestsOf(stdout))
  }
  return found
}

/** The manifests of a YAML text with any number of documents. */
export function manifestsOf(text: string): Manifest[] {
  return parseAllDocuments(text)
    .map(document => document.toJS({ maxAliasCount: -1 }) as Manifest | null) // the caller's test reads what it needs
    .filter(manifest => manifest !== null)
}

/**
 * What the API's own schema (npm `kubernetes-models`) has against a manifest, a field that it does not know among it.
 * @returns a line each; none where it is valid
 */
export async function schemaErrors(manifest: object): Promise<string[]> {
  const { apiVersion, kind } = manifest as Manifest
  const [version = '', group = 'core'] = apiVersion.split('/').toReversed()
  const name = ['IoK8sApi', group.split('.')[0] ?? '', version].map(capital).join('') + kind
  const { validate } = await validatorOf(name)
  if (validate === undefined) return [`there is no ${kind} in ${apiVersion}`]
  const unread = new Unread()
  if (validate(unread.around(manifest))) return unread.paths().map(path => `${path} is no field of ${kind}`)
  return (validate.errors ?? []).map(
    ({ instancePath, message, keyword }) => `${instancePath} ${message ?? keyword}`,
  )
}

const capital = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1)

interface Validate {
  (data: object): boolean
  errors?:
    readonly { readonly instancePath: string; readonly keyword: string; readonly message?: string }[] | null
}

/** The compiled schema of a kind; the package has a file for each. */
async function validatorOf(name: string): Promise<{ validate?: Validate }> {
  try {
    return (await import(`kubernetes-models/_schemas/${name}`)) as { validate?: Validate }
  } catch {
    return {}
  }
}

/**
 * Remembers which fields of an object nobody has read. A validator of the package looks at every field that its schema has, and
 * accepts all others: those are left here.
 */
class Unread {
  readonly #left = new Set<string>()

  around<T extends object>(value: T, path = ''): T {
    for (const key of Object.keys(value)) this.#left.add(`${path}/${key}`)
    const inner = new Map<string, unknown>()
    return new Proxy(value, {
      get: (target, key, receiver) => {
        const found: unknown = Reflect.get(target, key, receiver)
        if (typeof key === 'symbol' || !Object.hasOwn(target, key)) return found
        this.#left.delete(`${path}/${key}`)
        if (typeof found !== 'object' || found === null) return found
        const known = inner.get(key) ?? this.around(found, `${path}/${key}`)
        inner.set(key, known)
        return known
      },
    })
  }

  paths(): string[] {
    return [...this.#left].toSorted()
  }
}
