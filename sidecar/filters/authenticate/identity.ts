import { ConsumerDirectory } from './consumers.ts'
import type { IdentitySpec, ProviderSpecs } from './schema.ts'

/** Everything that says who may be calling, compiled: once a configuration, for all its routes. */
export interface Identity {
  readonly providers: ProviderSpecs
  readonly consumers: ConsumerDirectory
}

/** Compiles it, and loads what its providers need. */
export async function compileIdentity(spec: IdentitySpec): Promise<Identity> {
  return { providers: spec.providers, consumers: new ConsumerDirectory(spec) }
}
