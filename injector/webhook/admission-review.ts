import type { Tree } from '../workloads.ts'
import type { PatchStep } from './json-patch.ts'
import { isTree } from '../workloads.ts'

const VERSION = 'admission.k8s.io/v1'
/** Pods do not nest as deep by far; what walks them does not have to bear more. */
const MAX_DEPTH = 128
/** The API server cuts warnings that are longer, and drops what is more than 4096 characters of them together. */
const MAX_WARNING = 250
const MAX_WARNINGS = 8

/** What the API server asks: an object that is about to be stored. */
export interface AdmissionRequest {
  readonly uid: string
  /** Such as `Pod` or `apps/Deployment`. */
  readonly kind: string
  readonly subResource: string
  readonly operation: string
  /** Empty for what is in no namespace. */
  readonly namespace: string
  /** Whether nothing will be stored. */
  readonly dryRun: boolean
  readonly object: unknown
}

/** Why a review cannot be answered: a stable code, and a sentence. */
export interface ReviewProblem {
  readonly reason: 'malformed' | 'too_deep' | 'unsupported_version'
  readonly detail: string
}

/** What is answered beside that the object may be stored. */
export interface AdmissionNotes {
  /** What whoever creates the object is shown. */
  readonly warnings: readonly string[]
  /** What the audit log gets, by name; the API server puts the name of the webhook in front. */
  readonly audit: Readonly<Record<string, string>>
}

/** Reads the text of an AdmissionReview. */
export function readReview(text: string): AdmissionRequest | ReviewProblem {
  let review: unknown
  try {
    review = JSON.parse(text)
  } catch {
    return { reason: 'malformed', detail: 'The body is no JSON' }
  }
  if (!isTree(review) || review['kind'] !== 'AdmissionReview')
    return { reason: 'malformed', detail: 'The body is no AdmissionReview' }
  if (review['apiVersion'] !== VERSION)
    return { reason: 'unsupported_version', detail: `Only ${VERSION} is spoken` }
  const { request } = review
  if (!isTree(request)) return { reason: 'malformed', detail: 'The review has no request' }
  const { uid } = request
  if (typeof uid !== 'string' || uid === '' || uid.length > 128)
    return { reason: 'malformed', detail: 'The request has no uid' }
  const kind = isTree(request['kind']) ? request['kind'] : {}
  if (typeof kind['kind'] !== 'string' || typeof request['operation'] !== 'string')
    return { reason: 'malformed', detail: 'The request says no kind or no operation' }
  if (isDeeper(request['object'], MAX_DEPTH))
    return { reason: 'too_deep', detail: `The object nests deeper than ${MAX_DEPTH}` }
  const group = textOf(kind, 'group')
  return {
    uid,
    kind: group === '' ? kind['kind'] : `${group}/${kind['kind']}`,
    subResource: textOf(request, 'subResource'),
    operation: request['operation'],
    namespace: textOf(request, 'namespace'),
    dryRun: request['dryRun'] === true,
    object: request['object'],
  }
}

/** The answer: the object may be stored, with these changes. */
export function reviewAnswer(uid: string, patch: readonly PatchStep[], notes: AdmissionNotes): string {
  const warnings = notes.warnings.slice(0, MAX_WARNINGS).map(plain)
  return JSON.stringify({
    apiVersion: VERSION,
    kind: 'AdmissionReview',
    response: {
      uid,
      allowed: true,
      ...(patch.length === 0
        ? {}
        : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }),
      ...(warnings.length === 0 ? {} : { warnings }),
      auditAnnotations: notes.audit,
    },
  })
}

/** Warnings are headers on their way to the user (RFC 9110 section 5.5): no control characters, and not long. */
function plain(text: string): string {
  const line = text.replaceAll(/[^\x20-\x7E]+/g, ' ')
  return line.length > MAX_WARNING ? `${line.slice(0, MAX_WARNING - 3)}...` : line
}

/** Level by level: a stack would not bear what this looks for. */
function isDeeper(value: unknown, most: number): boolean {
  let level = [value]
  for (let depth = 0; depth < most; depth++) {
    level = level.flatMap(one => (typeof one === 'object' && one !== null ? Object.values(one) : []))
    if (level.length === 0) return false
  }
  return true
}

const textOf = (map: Tree, key: string): string => {
  const value = map[key]
  return typeof value === 'string' ? value : ''
}
