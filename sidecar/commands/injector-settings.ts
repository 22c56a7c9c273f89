import { readFileSync } from 'node:fs'
import type { Settings } from '../../injector/settings.ts'
import { outriggerVersion } from './version.ts'

/** Options of the commands of the injector; they go before what the file says. */
export interface InjectorOptions {
  /** A file with all settings, as YAML. */
  readonly settings?: string | undefined
  readonly image?: string | undefined
  readonly 'kubernetes-version'?: string | undefined
  readonly 'config-map'?: string | undefined
  /** Of pods that do not say theirs. */
  readonly namespace?: string | undefined
  /** Whether pods are injected where neither they, nor their namespace, nor the file say. */
  readonly inject: 'enabled' | 'disabled'
}

/** Settings, and whether the version of the cluster among them is one that somebody said. */
export interface GivenSettings {
  readonly settings: Settings
  readonly isVersionGiven: boolean
}

/** Reads the settings of the injector, or says what is wrong with them. Loads zod and yaml: only commands call it. */
export async function injectorSettings(options: InjectorOptions): Promise<GivenSettings | string> {
  const { readSettings } = await import('../../injector/settings.ts')
  const { parse } = await import('yaml')
  let file: unknown = {}
  try {
    if (options.settings !== undefined) file = parse(readFileSync(options.settings, 'utf8')) ?? {}
  } catch (error) {
    return `${options.settings}: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}`
  }
  if (typeof file !== 'object' || file === null) return `${options.settings}: it is no map`
  const namespace = 'namespace' in file && typeof file.namespace === 'object' ? file.namespace : {}
  const settings = readSettings({
    image: `outrigger:${outriggerVersion()}`,
    inject: options.inject,
    ...file,
    ...given('image', options.image),
    ...given('kubernetesVersion', options['kubernetes-version']),
    ...given('configMap', options['config-map']),
    namespace: { ...namespace, ...given('name', options.namespace) },
  })
  if (typeof settings === 'string') return settings
  const isVersionGiven = options['kubernetes-version'] !== undefined || 'kubernetesVersion' in file
  return { settings, isVersionGiven }
}

const given = (key: string, value: string | undefined): object =>
  value === undefined ? {} : { [key]: value }
