/** A table of figures: texts stand left, numbers right. */
export interface Table {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** What has to be said with it: who is missing, what was wrong. */
  readonly notes: readonly string[]
}

/** The table as Markdown, aligned so that it reads well as plain text too. */
export function markdown(table: Table): string {
  const { title, columns, rows, notes } = table
  const widths = columns.map((column, index) =>
    Math.max(column.length, 3, ...rows.map(row => (row[index] ?? '').length)),
  )
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, index) => (index === 0 ? (cells[index] ?? '').padEnd(width) : (cells[index] ?? '').padStart(width))).join(' | ')} |`
  const rule = `| ${widths.map((width, index) => (index === 0 ? '-'.repeat(width) : '-'.repeat(width - 1) + ':')).join(' | ')} |`
  return [
    `### ${title}`,
    '',
    line(columns),
    rule,
    ...rows.map(line),
    '',
    ...notes.flatMap(note => [`- ${note}`]),
    ...(notes.length > 0 ? [''] : []),
  ].join('\n')
}

/** A number with so many digits after the point; a dash where there is none. */
export function digits(value: number, after = 0): string {
  return Number.isFinite(value) ? value.toFixed(after) : '-'
}

/** `1.23 x` of the reference; a dash where either is missing. */
export function ratio(value: number, reference: number | undefined): string {
  return reference === undefined || !Number.isFinite(value / reference)
    ? '-'
    : `${(value / reference).toFixed(2)} x`
}
