/** Who takes frames. Buffers are valid until the call returns. After `onBroken` and `stop` nothing more comes. */
export interface FrameSink {
  /**
   * A piece of a DATA frame.
   * @param flow what the frame counts against the windows, told with its first piece; -1 with each further one
   * @param padding how much of that is padding
   * @param ended whether the stream ends behind this piece
   */
  onData(
    id: number,
    flow: number,
    padding: number,
    buffer: Buffer,
    start: number,
    end: number,
    ended: boolean,
  ): void
  /** A whole header block. `parent`: the stream that it depends on, or -1. */
  onHeaders(id: number, buffer: Buffer, start: number, end: number, ended: boolean, parent: number): void
  onPriority(id: number, parent: number): void
  onReset(id: number, code: number): void
  onSettings(ack: boolean, buffer: Buffer, start: number, end: number): void
  onPing(ack: boolean, buffer: Buffer, start: number): void
  onGoaway(lastId: number, code: number): void
  onWindowUpdate(id: number, increment: number): void
  /** A frame of a type that is not known. */
  onUnknown(): void
  /** A frame whose length is wrong, which concerns its stream alone. */
  onBadLength(id: number): void
  /** A connection error. */
  onBroken(code: number, cause: string): void
}
