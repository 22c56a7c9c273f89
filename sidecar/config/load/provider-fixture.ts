import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { loadConfig } from './load.ts'

/**
 * An edge whose identity provider refers to a file: `{ KEY: { file: ./NAME } }`. Its folder goes with the tests of the
 * test file that asks for it.
 */
export class ProviderFile {
  /** The file that is referred to. */
  readonly path: string
  readonly #folder = mkdtempSync(join(tmpdir(), 'outrigger-provider-'))
  readonly #config = join(this.#folder, 'edge.yaml')

  constructor(key: 'jwks' | 'revoked', name: string) {
    after(() => rmSync(this.#folder, { recursive: true }))
    this.path = join(this.#folder, name)
    writeFileSync(
      this.#config,
      `version: 1
service: shop
listeners:
  - { name: web, role: edge, address: ":8080", authenticate: { jwt: main }, respond: {} }
authentication:
  jwt: { main: { issuer: https://id.shop.example, audiences: shop, ${key}: { file: ./${name} } } }
`,
    )
  }

  /** Loads the configuration with this in the file; null: with no file there. */
  load(text: string | null): ReturnType<typeof loadConfig> {
    if (text === null) rmSync(this.path)
    else writeFileSync(this.path, text, { mode: 0o600 })
    return loadConfig([this.#config], { secrets: true, cwd: this.#folder })
  }
}
