/** One thing that is wrong in a configuration, with the place where it stands. Plain data: it crosses processes and is printed as JSON. */
export interface ConfigError {
  /** As the user named it; empty where the error is about no file. */
  readonly file: string
  /** From 1; 0 where there is no place. */
  readonly line: number
  readonly column: number
  /** What is wrong and what was expected, in one sentence without a final stop. */
  readonly message: string
  /** The nearest valid spelling or what to write instead, where there is one. */
  readonly suggestion?: string
  /** The line as written, cut where it is very long. */
  readonly excerpt?: string
  /** Where in the configuration, e.g. `listeners.0.routes.2.match`. */
  readonly path?: string
}

/** An error as people read it: place, message, the line with a caret, a suggestion. Ends without a line feed. */
export function formatConfigError(error: ConfigError): string {
  const place =
    error.line > 0 ? `${error.file}:${error.line}:${error.column}: ` : error.file && `${error.file}: `
  let text = `${place}${error.message}`
  if (error.excerpt !== undefined && error.line > 0) {
    const number = String(error.line)
    // Tabs stay tabs, so that the caret stands under its character whatever their width.
    const before = error.excerpt.slice(0, error.column - 1).replace(/[^\t]/g, ' ')
    // What stands in a file must not steer the terminal that shows it.
    // eslint-disable-next-line no-control-regex -- the control characters are what is looked for
    const excerpt = error.excerpt.replace(/[\x00-\x08\x0a-\x1f\x7f-\x9f]/g, '?')
    text += `\n  ${number} | ${excerpt}\n  ${' '.repeat(number.length)} | ${before}^`
  }
  if (error.suggestion !== undefined) text += `\n  ${error.suggestion}`
  return text
}

/** Every error, one after the other, and how many there are. */
export function formatConfigErrors(errors: readonly ConfigError[]): string {
  const count = errors.length === 1 ? '1 error' : `${errors.length} errors`
  return `${errors.map(formatConfigError).join('\n\n')}\n\n${count} in the configuration`
}
