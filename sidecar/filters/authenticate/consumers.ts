import type { Caller } from '../../exchange/caller.ts'
import { compileCallerCondition } from '../../exchange/expression/expression.ts'
import type { ApiKeyDigest, ConsumerSpec, IdentitySpec, PlanSpec } from './schema.ts'

/** An entry of `consumers` as callers share it. */
export interface Consumer {
  readonly name: string
  readonly groups: readonly string[]
  /** Its own, which goes before what plans say; null: none. */
  readonly plan: string | null
}

/** A plan, and who has it besides those that are given it by name. */
interface Plan {
  readonly name: string
  fits(caller: Caller): boolean
}

/** A stored key and whose it is. */
export interface StoredKey extends ApiKeyDigest {
  readonly digest: Buffer
  readonly consumer: Consumer
}

/** Hex digits of a digest by which a stored key is looked up; what is left is compared in constant time. */
const PREFIX = 8

/**
 * Who calls, by what a credential says: the entries of `consumers` by digest, by provider and subject, by SPIFFE ID; and
 * the plan of each. Compiled once a configuration.
 */
export class ConsumerDirectory {
  /** Of consumers and plans: equal digests, equal directories. */
  readonly digest: string
  readonly #keys = new Map<string, StoredKey[]>()
  readonly #subjects = new Map<string, Map<string, Consumer>>()
  readonly #spiffe = new Map<string, Consumer>()
  readonly #consumers = new Map<string, Consumer>()
  readonly #plans: readonly Plan[]

  constructor({ consumers, plans, digest }: IdentitySpec) {
    this.digest = digest
    this.#plans = plans.map(compilePlan)
    for (const spec of consumers) this.#add(spec)
  }

  #add(spec: ConsumerSpec): void {
    const groups = Object.freeze([...spec.groups])
    const consumer = Object.freeze({ name: spec.name, groups, plan: spec.plan })
    this.#consumers.set(spec.name, consumer)
    for (const key of spec.apiKeys) {
      const stored = { ...key, digest: Buffer.from(key.sha256, 'hex'), consumer }
      const prefix = key.sha256.slice(0, PREFIX)
      const others = this.#keys.get(prefix)
      if (others === undefined) this.#keys.set(prefix, [stored])
      else others.push(stored)
    }
    for (const { provider, subject } of [...spec.jwt, ...spec.basic]) {
      const subjects = this.#subjects.get(provider) ?? new Map<string, Consumer>()
      this.#subjects.set(provider, subjects.set(subject, consumer))
    }
    for (const id of spec.spiffe) this.#spiffe.set(id, consumer)
  }

  /** The stored keys that may have this digest, in hex. */
  keysLike(sha256: string): readonly StoredKey[] {
    return this.#keys.get(sha256.slice(0, PREFIX)) ?? []
  }

  bySubject(provider: string, subject: string): Consumer | undefined {
    return this.#subjects.get(provider)?.get(subject)
  }

  bySpiffe(id: string): Consumer | undefined {
    return this.#spiffe.get(id)
  }

  /** For what only names a consumer: `explain --as`. */
  byName(name: string): Consumer | undefined {
    return this.#consumers.get(name)
  }

  /** A caller with its plan: its own, else the first that fits in the order written. */
  #planned(caller: Caller): Caller {
    if (caller.plan !== null) return Object.freeze(caller)
    const plan = this.#plans.find(one => one.fits(caller))
    return Object.freeze(plan === undefined ? caller : { ...caller, plan: plan.name })
  }

  /** The caller of a credential: the entry that it names, or whoever the provider says it is. */
  caller(
    consumer: Consumer | undefined,
    credential: Omit<Caller, 'name' | 'known' | 'plan'> & { readonly subject: string | null },
  ): Caller {
    const { subject, groups, ...rest } = credential
    if (consumer !== undefined) {
      return this.#planned({
        ...rest,
        name: consumer.name,
        known: true,
        groups: consumer.groups,
        plan: consumer.plan,
      })
    }
    const name = `${credential.provider}/${subject ?? '-'}`
    return this.#planned({ ...rest, name, known: false, groups, plan: null })
  }
}

function compilePlan({ name, groups, when }: PlanSpec): Plan {
  const condition = when === null ? null : compileCallerCondition(when)
  return {
    name,
    fits: caller => caller.groups.some(group => groups.includes(group)) || condition?.(caller) === true,
  }
}
