import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Node } from './nodes.ts'
import { parsePlainYaml } from './plain-yaml.ts'
import { parseWholeYaml } from './whole-yaml.ts'

const DEPTH = 64
const root = join(import.meta.dirname, '..', '..', '..')

/** Fails where the plain reader reads a text in another way than the whole one. @returns whether it read it at all */
function agrees(text: string): boolean {
  const plain = parsePlainYaml(text, DEPTH)
  if (plain === null) return false
  const { content, problems } = parseWholeYaml(text, DEPTH + 1)
  assert.deepEqual(
    problems.map(problem => problem.message),
    [],
    JSON.stringify(text),
  )
  assert.deepEqual(plain, content, JSON.stringify(text))
  return true
}

function yamlFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => /\.ya?ml$/.test(name) && !name.includes('node_modules'))
    .map(name => join(folder, name))
}

test('every configuration of the tree means the same to both readers, and the plain one reads most', () => {
  const files = ['config', 'examples', 'test/golden'].flatMap(folder => yamlFiles(join(root, folder)))
  const read = files.filter(file => agrees(readFileSync(file, 'utf8')))
  assert.ok(read.length > files.length * 0.6, `${read.length} of ${files.length}`)
})

/** What a line may consist of: the marks of YAML and what stands between them. */
const piece = fc.constantFrom(
  ...[
    'a',
    'b',
    'on',
    'off',
    'true',
    'False',
    'null',
    '~',
    '1',
    '-1',
    '1.50',
    '0x1f',
    '0o7',
    '1e3',
    '.5',
    '01',
  ],
  ...[
    '10s',
    '127.0.0.1',
    ':8080',
    '/x/{id}',
    '^a$',
    'é',
    '.inf',
    '<<',
    '=',
    '+1',
    '-.5',
    'a b',
    'a#b',
    'a:b',
  ],
  ...[
    ': ',
    ':',
    '- ',
    '-',
    ' ',
    '  ',
    '    ',
    '\n',
    '\n',
    '\n  ',
    '\n    ',
    '\n- ',
    ' #',
    '# x',
    '{',
    '}',
    '[',
    ']',
  ],
  ...[
    '{ ',
    ' }',
    '[ ',
    ' ]',
    ', ',
    ',',
    '"',
    "'",
    '"x"',
    "'y'",
    "'it''s'",
    '"\\\\d"',
    '"\\n"',
    '"a: b"',
    '"#"',
  ],
  ...[
    '? ',
    '!t ',
    '&n ',
    '*n',
    '|',
    '>',
    '%',
    '@',
    '`',
    '---',
    '...',
    '\t',
    '\r\n',
    '\u00a0',
    '\u2028',
    '\ufeff',
  ],
)

test('of any pieces of YAML what the plain reader reads is what the whole reader reads', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), pieces => void agrees(pieces.join(''))),
    {
      numRuns: 6000,
    },
  )
})

const word = fc.constantFrom('a', 'b', 'name', '"c d"', "'e'", '/x', 'x-y', 'k.l', 'on', 'é', '$r', '10s')
const scalar = fc.oneof(
  word,
  fc.constantFrom('true', '7', '1.5', 'a b', '"{id}"', '10s', '-3', "'a''b'", '"\\"q\\""', 'a-b#c', 'x:y'),
)
const flow: fc.Arbitrary<string> = fc.letrec<{ flow: string }>(tie => ({
  flow: fc.oneof(
    { maxDepth: 3 },
    scalar,
    fc.array(tie('flow'), { maxLength: 3 }).map(items => `[${items.join(', ')}]`),
    fc
      .array(fc.tuple(word, tie('flow')), { maxLength: 3 })
      .map(pairs => `{ ${pairs.map(([key, value]) => `${key}: ${value}`).join(', ')} }`),
  ),
})).flow

/** Lines of a map or a list by indentation, each indented already as far as its own block wants. */
const block: fc.Arbitrary<string[]> = fc.letrec<{ block: string[] }>(tie => {
  const value = fc.oneof({ maxDepth: 4 }, flow, tie('block'))
  const comment = fc.constantFrom('', '', '', ' # why', '\n', '\n# apart')
  const pair = fc
    .tuple(word, comment, value, fc.constantFrom(2, 2, 2, 1, 3, 0))
    .map(([key, after, inside, deeper]) =>
      typeof inside === 'string'
        ? [`${key}: ${inside}${after}`]
        : [`${key}:${after}`, ...indented(inside, deeper)],
    )
  const item = fc
    .tuple(value, fc.integer({ min: 1, max: 3 }))
    .map(([inside, gap]) =>
      typeof inside === 'string'
        ? [`-${' '.repeat(gap)}${inside}`]
        : [`-${' '.repeat(gap)}${inside[0]}`, ...indented(inside.slice(1), gap + 1)],
    )
  const several = (one: fc.Arbitrary<string[]>): fc.Arbitrary<string[]> =>
    fc.array(one, { minLength: 1, maxLength: 4 }).map(lines => lines.flat())
  return { block: fc.oneof(several(pair), several(item)) }
}).block

function indented(lines: readonly string[], by: number): string[] {
  return lines.flatMap(line => line.split('\n')).map(line => ' '.repeat(by) + line)
}

test('of documents by indentation it reads most, and all of them alike', () => {
  let read = 0
  const runs = 1500
  fc.assert(
    fc.property(block, lines => {
      if (agrees(`${lines.join('\n')}\n`)) read++
    }),
    { numRuns: runs },
  )
  assert.ok(read > runs / 4, `${read} of ${runs}`)
})

/** Puts a piece at a place given as a fraction, over some characters. */
function changed(text: string, at: number, cut: number, put: string): string {
  const place = Math.floor(at * text.length)
  return text.slice(0, place) + put + text.slice(place + cut)
}

const fraction = fc.double({ min: 0, max: 1, noNaN: true })

test('a document that is changed at a place or two is still the same to both', () => {
  const edge = readFileSync(join(root, 'config', 'edge.yaml'), 'utf8')
  assert.ok(agrees(edge))
  const text = fc.oneof(
    { arbitrary: fc.constant(edge), weight: 1 },
    { arbitrary: block.map(lines => lines.join('\n')), weight: 4 },
  )
  const change = fc.tuple(fraction, fc.nat(3), piece)
  fc.assert(
    fc.property(text, fc.array(change, { minLength: 1, maxLength: 2 }), (before, changes) => {
      agrees(changes.reduce((now, [at, cut, put]) => changed(now, at, cut, put), before))
    }),
    { numRuns: 800 },
  )
})

test('what it does not read is for the whole reader', () => {
  const left = [
    '',
    'a',
    'a:',
    'a: b: c',
    'a: &x b',
    'a: *x',
    'a: !t b',
    'a: |\n b',
    'a: b\n  c',
    '- ',
    'a: {\n}',
  ]
  for (const text of left) assert.equal(parsePlainYaml(text, DEPTH), null, text)
  assert.equal(parsePlainYaml(`${'- '.repeat(70)}a`, DEPTH), null)
  const simple = parsePlainYaml('a: { b: [1, on] } # c\n', DEPTH)
  assert.equal((simple as Extract<Node, { kind: 'map' }>).pairs.length, 1)
})
