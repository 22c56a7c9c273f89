/** The content type of what `Exposition` writes (Prometheus text format, version 0.0.4). */
export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** The kinds of metric that are written. */
export type MetricType = 'counter' | 'gauge' | 'histogram'

/** One value of a metric at the time of a scrape. Label names are ours; label values may be any text. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** The two lines that stand before the samples of a metric. */
export function header(name: string, type: MetricType, help: string): string {
  return `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${type}\n`
}

/** A label value as it stands between the quotes: backslash, quote and line feed escaped. */
export function escapeLabel(value: string): string {
  if (!/[\\"\n]/.test(value)) return value
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

/** A number as the format writes it. */
export function formatValue(value: number): string {
  if (value === Infinity) return '+Inf'
  if (value === -Infinity) return '-Inf'
  return String(value)
}

/** One line with its labels. */
export function sampleLine(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  let text = ''
  for (const label in labels)
    text += `${text === '' ? '' : ','}${label}="${escapeLabel(labels[label] ?? '')}"`
  return text === '' ? `${name} ${formatValue(value)}\n` : `${name}{${text}} ${formatValue(value)}\n`
}

/** A whole metric of few samples. Of two samples with the same labels only the first is written. */
export function family(name: string, type: MetricType, help: string, samples: Iterable<Sample>): string {
  let text = header(name, type, help)
  const seen = new Set<string>()
  for (const sample of samples) {
    const line = sampleLine(name, sample.labels, 0)
    if (seen.has(line)) continue
    seen.add(line)
    text += sampleLine(name, sample.labels, sample.value)
  }
  return text
}

/** Longest time in milliseconds for which rendering holds the event loop at a stretch. */
export const SLICE_MS = 5
/** Characters after which a piece is passed on, whatever the time. */
const CHUNK = 65_536

/**
 * Passes blocks of text on in pieces, and lets the event loop turn whenever a slice of time is used up: a scrape of
 * thousands of series must not make requests wait.
 * @param blocks made one at a time; one block should take well below a millisecond
 * @param write takes a piece; rendering waits for the promise, where it answers one
 * @param now monotonic milliseconds
 */
export async function writeInSlices(
  blocks: Iterable<string>,
  write: (chunk: string) => void | Promise<void>,
  now: () => number,
): Promise<void> {
  let text = ''
  let started = now()
  for (const block of blocks) {
    text += block
    if (text.length < CHUNK && now() - started < SLICE_MS) continue
    const chunk = text
    text = ''
    await write(chunk)
    // Passing a piece on counts too: that is when the text is put together and encoded.
    if (now() - started < SLICE_MS) continue
    await new Promise(setImmediate)
    started = now()
  }
  if (text !== '') await write(text)
}
