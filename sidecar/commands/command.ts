/** Where a command writes. Text ends with its own line feeds. */
export interface CommandOutput {
  stdout(text: string): void
  stderr(text: string): void
}

/** One command of `outrigger`: one file beside this. */
export interface Command {
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  /** What `--help` prints, with a final line feed. */
  readonly help: string
  /**
   * @param args what follows the command's name
   * @returns the exit code: 0, 1 configuration, 2 usage, 3 cannot listen, 4 drained but something was cut
   */
  run(args: string[], io: CommandOutput): Promise<number>
}
