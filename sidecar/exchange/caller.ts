import { ContextKey } from './context-key.ts'

/** The name of who is calling, left by what authenticated the request; absent while nobody is known. */
export const CALLER = new ContextKey<string>('caller')
