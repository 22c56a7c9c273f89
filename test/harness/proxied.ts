import type { TestContext } from 'node:test'
import { routeTo } from './configs.ts'
import type { InProcessOptions } from './in-process.ts'
import { InProcess } from './in-process.ts'
import { RawUpstream, RecordingSink } from './raw-upstream.ts'

/** What of the configuration a test wants otherwise. */
export type More = Parameters<typeof routeTo>[1]

/** A proxy before a recording sink. Both end with the test, which fails where the proxy left something behind. */
export async function withSink(
  t: TestContext,
  more?: More,
  options?: InProcessOptions,
): Promise<{ sink: RecordingSink; proxy: InProcess }> {
  const sink = await RecordingSink.listen()
  return { sink, proxy: await before(t, sink, more, options) }
}

/** A proxy before an upstream that the test drives. Both end with the test. */
export async function withUpstream(
  t: TestContext,
  more?: More,
  options?: InProcessOptions,
): Promise<{ upstream: RawUpstream; proxy: InProcess }> {
  const upstream = await RawUpstream.listen()
  return { upstream, proxy: await before(t, upstream, more, options) }
}

async function before(
  t: TestContext,
  upstream: RawUpstream,
  more?: More,
  options?: InProcessOptions,
): Promise<InProcess> {
  const proxy = await InProcess.start(routeTo(upstream.port, more), options)
  t.after(async () => {
    await upstream.close()
    await proxy.stop()
  })
  return proxy
}
