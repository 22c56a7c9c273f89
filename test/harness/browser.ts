import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { programPath } from './needs.ts'

/** A headless Chromium that has opened a page. The page says by requests of its own how it went. */
export class Browser {
  readonly #child: ReturnType<typeof spawn>
  readonly #folder: string

  /** Opens a page in a browser of its own, with a profile of its own. @param options more of its command line */
  constructor(url: string, options: readonly string[] = []) {
    this.#folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-browser-'))
    this.#child = spawn(
      programPath('chromium-headless-shell') ?? '',
      [
        '--no-sandbox',
        '--disable-gpu',
        '--no-proxy-server',
        // A debugger that may come keeps it open.
        '--remote-debugging-port=0',
        `--user-data-dir=${this.#folder}`,
        ...options,
        url,
      ],
      // In a group of its own: what is started is a script of the distribution's, which starts the browser.
      { stdio: 'ignore', detached: true },
    )
    process.once('exit', this.#kill)
  }

  readonly #kill = (): void => {
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, 'SIGKILL')
    } catch {
      // It is gone.
    }
  }

  async close(): Promise<void> {
    const gone = once(this.#child, 'close')
    process.off('exit', this.#kill)
    this.#kill()
    await gone
    // Its own children may still be writing.
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
  }
}
