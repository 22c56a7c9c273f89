/**
 * A value that came, in whole or in part, from a reference (`${env:NAME}`, `${file:/path}`). It is text until the key
 * that it stands under says what type it has, and it is shown as it was written, never as what it is.
 */
export class Referenced {
  readonly text: string
  readonly written: string
  /** False: references were left alone (`check --no-secrets`), and any value may stand here. */
  readonly resolved: boolean
  /** The text where braces mean something: those that a reference brought are plain ones. */
  readonly template: string
  constructor(text: string, written: string, resolved: boolean, template: string = text) {
    this.text = text
    this.written = written
    this.resolved = resolved
    this.template = template
  }
}
