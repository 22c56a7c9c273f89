/** The words of `by` that name something. An expression makes no name: such a limit says its own. */
const NAMED = ['header', 'cookie', 'query', 'param', 'claim', 'accept'] as const

/**
 * What a limit is called: its `name`, else what it is (`consumer-minute`, `header.x-tenant-hour`). Of what was written,
 * before any schema has read it, since layers merge by it; null where it says too little.
 */
export function limitName(written: unknown): string | null {
  if (!isMap(written)) return null
  const { name, by = 'consumer', per, concurrent } = written
  if (typeof name === 'string') return name
  const end = concurrent === undefined ? per : 'concurrent'
  if (typeof end !== 'string') return null
  const words = (Array.isArray(by) ? by : [by]).map(wordText)
  if (words.includes(null)) return null
  return [...words, end].join('-').replaceAll(/[^A-Za-z0-9._-]/g, '_')
}

function wordText(word: unknown): string | null {
  if (!isMap(word)) return String(word)
  const kind = NAMED.find(key => typeof word[key] === 'string')
  if (kind === undefined) return null
  const name = String(word[kind])
  return `${kind}.${kind === 'header' || kind === 'accept' ? name.toLowerCase() : name}`
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
