import type { HeaderList } from '../exchange/headers.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import type { Channel, ChannelOwner } from '../runtime/channel.ts'
import { linger } from '../runtime/lingering.ts'
import { ByteQueue } from './byte-queue.ts'
import { writeBeginning, writeGoaway, writePing, writeSettingsAck } from './control-frames.ts'
import { FrameReader } from './frame-reader.ts'
import { DEFAULT_WINDOW, ENHANCE_YOUR_CALM, NO_ERROR, PREFACE, PROTOCOL_ERROR } from './frames.ts'
import { GoingAway } from './going-away.ts'
import { HeaderWriter } from './header-writer.ts'
import { Output, type OutputOwner } from './output.ts'
import { PeerSettings } from './peer-settings.ts'
import { ReceivedFrames } from './received-frames.ts'
import { ReceiveWindow } from './receive-window.ts'
import { Scheduler } from './scheduler.ts'
import { SessionClock } from './session-clock.ts'
import { gone, violation } from './session-errors.ts'
import { SessionLimits } from './session-limits.ts'
import type { SessionOwner } from './session-owner.ts'
import type { SessionParts } from './session-settings.ts'
import type { StreamOwner } from './stream-owner.ts'
import { Stream } from './stream.ts'
import { StreamEnds } from './stream-ends.ts'
import { StreamTable } from './stream-table.ts'

/** How many streams a server is given before it says how many it takes; section 6.5.2 asks it for at least as many. */
const FIRST_STREAMS = 100
/** The payload of a PING that asks for a sign of life. */
const SIGN = Buffer.alloc(8)
/** How many bytes of one session go out in a turn before others have theirs. */
const FAIR_BYTES = 262_144

/**
 * One connection of HTTP/2 (RFC 9113), either side: streams, windows, limits, and its beginning and end. It knows nothing
 * of HTTP beyond header blocks. Whatever a peer does wrong ends in a callback, never in an exception.
 */
export class Session implements ChannelOwner, OutputOwner {
  readonly side: 'server' | 'client'
  readonly channel: Channel
  readonly parts: SessionParts
  readonly owner: SessionOwner
  readonly peer = new PeerSettings()
  readonly output: Output
  readonly scheduler: Scheduler
  readonly limits: SessionLimits
  readonly receiveWindow: ReceiveWindow
  /** What we announced. */
  readonly announcedStreams: number
  readonly streamWindow: number
  /** How many frames came. */
  frames = 0
  /** When bytes came last: a tick of the wheel. */
  heardAt: number
  /** Whether the peer's SETTINGS came. */
  settled = false
  /** Whether the session is over, and at most reads on for a while so that its last words arrive. */
  over = false
  readonly table: StreamTable
  readonly ends = new StreamEnds(this)
  readonly #reader: FrameReader
  readonly #writer: HeaderWriter
  readonly clock: SessionClock
  readonly goingAway = new GoingAway(this)
  /** How much of the client's preface came; all of it where we are the client. */
  #preface: number
  /** Whether the peer has said GOAWAY. */
  #left = false
  #told = false
  #opened = 0
  #ended = false

  constructor(channel: Channel, side: 'server' | 'client', parts: SessionParts, owner: SessionOwner) {
    const { settings, wheel, budget } = parts
    this.channel = channel
    this.side = side
    this.parts = parts
    this.owner = owner
    this.announcedStreams = settings.streams
    this.streamWindow = Math.max(settings.streamWindow, DEFAULT_WINDOW)
    this.heardAt = wheel.tickEnd
    this.output = new Output(channel, budget, this)
    this.scheduler = new Scheduler(this.output)
    this.limits = new SessionLimits(settings, wheel.tickEnd)
    this.receiveWindow = new ReceiveWindow(Math.max(settings.window, DEFAULT_WINDOW))
    this.table = new StreamTable(side, this.streamWindow)
    this.#reader = new FrameReader(new ReceivedFrames(this, this.table))
    this.#reader.block.limit = Math.max(this.#reader.block.limit, settings.headerBytes * 2)
    this.#writer = new HeaderWriter(this.output)
    this.clock = new SessionClock(this)
    this.#preface = side === 'client' ? PREFACE.length : 0
  }

  /**
   * Begins: sets itself as the channel's owner and has it read. Server: expects the preface; client: sends it and SETTINGS.
   * @param first what was read already; valid until this returns
   */
  start(first: Buffer | null = null): void {
    this.channel.owner = this
    writeBeginning(this.output, this.side, this.parts.settings)
    if (first !== null) this.onBytes(first, first.length)
    if (!this.channel.closed) this.channel.start()
  }

  /** Open streams. */
  get streams(): number {
    return this.table.size
  }

  /** Client: how many more streams may be opened now; 0 once the session ends. */
  get room(): number {
    if (this.over || this.#left || this.goingAway.begun || !this.table.hasIds) return 0
    const most = this.settled ? this.peer.maxConcurrentStreams : FIRST_STREAMS
    return Math.max(0, most - this.table.size)
  }

  /**
   * Client: a new stream, or null where there is no room. Its id is given with its first header block, which whoever opens
   * it sends at once.
   */
  open(owner: StreamOwner): Stream | null {
    if (this.room === 0) return null
    this.limits.stream()
    this.table.promise()
    this.#opened++
    this.clock.wake()
    return new Stream(this, 0, owner)
  }

  /** Asks the peer for a sign of life, which moves `heardAt`. */
  ping(): void {
    if (!this.over) writePing(this.output, false, SIGN, 0)
  }

  /**
   * Says GOAWAY: open streams go on, and with the last of them the session closes. With NO_ERROR a server says it in two
   * steps (section 6.8), so that no request that is on its way is lost.
   */
  goaway(code: number): void {
    if (this.over) return
    this.goingAway.begin(code, this.parts.wheel.now())
    this.clock.wake()
    this.#tellGoing()
  }

  /** Closes now; every stream hears the error. */
  destroy(error: ProxyError): void {
    if (this.over) return
    this.over = true
    this.#reader.stop()
    writeGoaway(this.output, this.table.lastTaken, NO_ERROR, '')
    this.ends.failAll(() => error)
    this.#tellGoing()
    this.output.write()
    this.channel.destroy()
  }

  // --- the channel ---------------------------------------------------------------------------------------------

  onBytes(buffer: Buffer, length: number): void {
    // Over: what still comes is read, so that our last words arrive, and thrown away.
    if (this.over) return
    this.heardAt = this.now
    let at = 0
    for (; this.#preface < PREFACE.length && at < length; at++) {
      if (buffer[at] !== PREFACE[this.#preface++]) return this.fail(PROTOCOL_ERROR, 'no preface')
    }
    if (at < length) this.#reader.read(buffer, at, length)
  }

  onEnd(): void {
    this.#ended = true
    if (this.over) {
      if (this.output.backlog === 0) this.channel.destroy()
      return
    }
    // A peer that goes with streams open has given them up; one that has none is done.
    this.#lost('ended')
    this.#close()
  }

  onDrain(): void {
    // Writes that waited tell it (`Output`).
  }

  onClose(code: string): void {
    this.#lost(code)
    this.output.close()
    this.clock.stop()
    this.owner.onClose(code)
  }

  onTurn(): void {
    const { output, scheduler } = this
    if (this.side === 'server' && !this.over) this.owner.onRoom()
    for (let written = 0; !this.over;) {
      scheduler.serve()
      if (output.at === 0) return
      written += output.at
      output.write()
      if (!scheduler.waiting || output.backlog > 0) return
      if (written >= FAIR_BYTES) return output.schedule()
    }
  }

  // --- what its parts use --------------------------------------------------------------------------------------

  /** The present, up to a tick of the wheel. */
  get now(): number {
    return this.parts.wheel.tickEnd
  }

  /** Whether a header block is under way. */
  get inHead(): boolean {
    return this.#reader.partial || this.#reader.block.id !== 0
  }

  /** Whether nothing is under way beside streams. */
  get quiet(): boolean {
    return this.settled && !this.inHead && !this.goingAway.waiting && this.output.backlog === 0
  }

  newQueue(): ByteQueue {
    return new ByteQueue(this.parts.budget, this.channel.buffers)
  }

  /** Writes a header block. @returns where its flags stand in the output */
  writeBlock(id: number, list: HeaderList, flags: number, guarded: readonly string[] | null): number {
    return this.#writer.write(id, list, flags, guarded)
  }

  takeSettings(): void {
    this.settled = true
    if (this.peer.leastHeaderTable < Infinity) this.#writer.resize(this.peer.leastHeaderTable)
    this.#writer.resize(this.peer.headerTable)
    if (!this.#mayAnswer()) return
    writeSettingsAck(this.output)
    if (this.side === 'client') this.owner.onRoom()
  }

  /** A PING has to be answered. */
  pong(payload: Buffer, start: number): void {
    if (this.#mayAnswer()) writePing(this.output, true, payload, start)
  }

  takeGoaway(lastId: number, code: number): void {
    this.#left = true
    if (this.side === 'client') {
      this.ends.leaveOut(lastId, code)
      this.#tellGoing()
    }
    this.closeIfDone()
  }

  /** The peer may send as much again on the connection. */
  creditConnection(bytes: number): void {
    this.receiveWindow.owe(bytes)
    // Over the mark of the budget the connection waits for what is queued to be taken.
    if (this.parts.budget.roomy) this.creditNow()
  }

  creditNow(): void {
    const credit = this.receiveWindow.credit()
    if (credit > 0) this.output.windowUpdate(0, credit)
  }

  /** The connection is broken: says why, and ends it. */
  fail(code: number, cause: string): void {
    if (this.over) return
    writeGoaway(this.output, this.table.lastTaken, code, cause)
    const error = violation(this.side, code, cause)
    this.over = true
    this.ends.failAll(() => error)
    this.#close()
  }

  /** Closes where somebody has said GOAWAY and no stream is left. */
  closeIfDone(): void {
    if (this.over || this.table.size > 0) return
    if (this.#left || this.goingAway.refusing) this.#close()
  }

  /** Whether another answer may wait for a peer that perhaps reads none. */
  #mayAnswer(): boolean {
    if (this.limits.answered(this.output.backlog > 0)) return true
    this.fail(ENHANCE_YOUR_CALM, 'answers are not read')
    return false
  }

  /** Nothing new begins here. */
  #tellGoing(): void {
    if (this.#told) return
    this.#told = true
    this.owner.onGoaway()
  }

  /** A stream is gone. */
  onStreamGone(): void {
    if (this.over) return
    if (this.table.size === 0) this.clock.idleSince = this.now
    this.closeIfDone()
    if (this.side === 'client' && !this.over) this.owner.onRoom()
  }

  /** The connection is gone, or as good as that. */
  #lost(cause: string): void {
    this.over = true
    this.#reader.stop()
    this.ends.failAll(stream => {
      // The race of a session that ends while a request is on its way: nothing came since, and it had served before.
      const race = this.side === 'client' && this.#opened > 1 && stream.framesBefore === this.frames
      return gone(stream, cause, race && !stream.headed ? 'reuse_race' : 'no')
    })
  }

  /** Ends the connection so that what was written arrives. */
  #close(): void {
    this.over = true
    this.#reader.stop()
    this.output.write()
    this.#tellGoing()
    if (linger(this.channel, this.#ended, this.parts.lingering)) this.clock.linger()
  }
}
