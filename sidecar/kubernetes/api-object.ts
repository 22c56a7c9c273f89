/** JSON as the API server sent it: not to be believed before it was looked at. */
export type ApiObject = Readonly<Record<string, unknown>>

/** What every object of the API says of itself; empty where it does not. */
export interface ObjectMeta {
  readonly name: string
  readonly namespace: string
  readonly uid: string
  readonly resourceVersion: string
}

/** Whether a value is an object with keys, and no list. */
export function isObject(value: unknown): value is ApiObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An object's metadata. */
export function metaOf(object: unknown): ObjectMeta {
  const metadata = isObject(object) && isObject(object['metadata']) ? object['metadata'] : {}
  return {
    name: textOf(metadata['name']),
    namespace: textOf(metadata['namespace']),
    uid: textOf(metadata['uid']),
    resourceVersion: textOf(metadata['resourceVersion']),
  }
}

/** A text, or the empty one. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** A list, or the empty one. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
