/** A fenced block of a page. */
export interface Block {
  readonly language: string
  readonly text: string
  /** Where its first line stands, from 1. */
  readonly line: number
  /** What a comment directly before it says: `<!-- file: a.yaml; error -->` is `{ file: 'a.yaml', error: '' }`. */
  readonly marks: Readonly<Record<string, string>>
}

/** The fenced blocks of a page. */
export function blocksOf(page: string): Block[] {
  const blocks: Block[] = []
  for (const match of page.matchAll(/(?:^<!-- (.*?) -->\n)?^```(\w+)\n([\s\S]*?)^```$/gm)) {
    const [, comment = '', language = '', text = ''] = match
    const marks: Record<string, string> = {}
    for (const part of comment === '' ? [] : comment.split(';')) {
      const [, name = '', value = ''] = /^\s*(\w+)(?::\s*(.*?))?\s*$/.exec(part) ?? []
      marks[name] = value
    }
    const line = page.slice(0, match.index).split('\n').length + (comment === '' ? 1 : 2)
    blocks.push({ language, text, line, marks })
  }
  return blocks
}

/** The commands of a console block, each with the output shown under it. */
export function commandsOf(text: string): { readonly command: string; readonly output: string }[] {
  return text
    .split(/^\$ /m)
    .slice(1)
    .map(part => {
      const end = part.indexOf('\n')
      return { command: part.slice(0, end), output: part.slice(end + 1) }
    })
}

/** The links of a page, outside of fenced blocks. */
export function linksOf(page: string): { readonly target: string; readonly line: number }[] {
  const plain = page.replace(/^```[\s\S]*?^```$/gm, block => block.replace(/[^\n]/g, ''))
  return [...plain.matchAll(/\[[^\]\n]*\]\(([^)\s]+)\)/g)].map(match => ({
    target: match[1] ?? '',
    line: plain.slice(0, match.index).split('\n').length,
  }))
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(page: string): Set<string> {
  const headings = [...page.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) => title)
  return new Set(
    headings.map(title =>
      title
        .toLowerCase()
        .replace(/[^\w\s-]/g, '')
        .replace(/ /g, '-'),
    ),
  )
}
