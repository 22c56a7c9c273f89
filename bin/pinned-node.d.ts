/** The path of the Node binary to run under, or null where none is new enough. */
export function pinnedNode(): string | null
/** The V8 flags that the serving process is started with. */
export function v8Flags(): string[]
