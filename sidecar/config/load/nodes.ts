/** Text, a number, a boolean or nothing. */
export interface ScalarNode {
  readonly kind: 'scalar'
  /** The character of the file at which it begins. */
  readonly offset: number
  readonly value: string | number | boolean | null
  /** Written without quotes and not as a block. */
  readonly plain: boolean
  /** As it is written, where the value is not text. */
  readonly written: string | null
  readonly anchor: string | null
  /** Whether a tag (`!name`) stands before it. */
  readonly tagged: boolean
}

/** Keys with their values, as they are written: a key may stand twice. */
export interface MapNode {
  readonly kind: 'map'
  readonly offset: number
  readonly pairs: readonly PairNode[]
  readonly anchor: string | null
  readonly tagged: boolean
}

/** Values in their order. */
export interface ListNode {
  readonly kind: 'list'
  readonly offset: number
  readonly items: readonly (Node | null)[]
  readonly anchor: string | null
  readonly tagged: boolean
}

/** The name of a value that is written elsewhere. */
export interface AliasNode {
  readonly kind: 'alias'
  readonly offset: number
  /** The anchor that it names. */
  readonly name: string
}

/** A key with its value. Null where nothing stands. */
export interface PairNode {
  readonly key: Node | null
  readonly value: Node | null
}

/** What is written at a place of a YAML document, before it is given a meaning. */
export type Node = ScalarNode | MapNode | ListNode | AliasNode
