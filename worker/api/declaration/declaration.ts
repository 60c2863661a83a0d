// Handlers of whole organizations as declared files: written out in one form, so that applying what was exported
// changes nothing; and applied, in one edit, with progress for whoever asks for lines.
import { waitUntil } from 'cloudflare:workers'
import { LINES_MEDIA_TYPE } from '../../../policy/client.ts'
import { problemOf } from '../../answers.ts'
import { refuse } from '../../refusal.ts'
import { NO_STORE, notFound } from '../answers.ts'
import type { Answered, Call, SomeHandlers } from '../call.ts'
import { slugTaken } from '../organizations/organization-edit.ts'
import { checkMatch, write } from '../write.ts'
import { planDeclaration } from './plan.ts'
import type { Progress } from './projects.ts'
import { declarationOf, readDeclaration } from './state.ts'

export const declarationHandlers = {
  'organizations.export': async ({ environment, params }) => {
    const state = await readDeclaration(environment, params.organization)
    if (!state.organization) return notFound('organization', params.organization)
    return { ok: true, body: declarationOf(state), version: state.seq }
  },

  'organizations.apply': async (call) => {
    const accept = call.request.headers.get('accept') ?? ''
    if (!accept.includes(LINES_MEDIA_TYPE)) return apply(call, async () => {})
    return { ok: true, body: inLines(call) }
  },
} satisfies SomeHandlers

async function apply(
  call: Call<'organizations.apply'>,
  progress: Progress,
): Promise<Answered<'organizations.apply'>> {
  const { environment, params } = call
  const { organization: slug } = params
  await progress('read', 0, 1)
  const state = await readDeclaration(environment, slug)
  if (!state.organization && state.used) return slugTaken('an organization', slug)
  const mismatch = checkMatch(call, state.seq)
  if (mismatch) return mismatch
  const plan = await planDeclaration(call, state, progress)
  if (!plan.ok) return plan
  await progress(call.wishes.dryRun ? 'preview' : 'write', 0, plan.documents.length)
  const answered = await write(call, plan)
  if (!answered.ok || answered.body instanceof Response || !('seq' in answered.body)) return answered
  // The ETag of what there is now.
  return { ...answered, version: answered.body.seq ?? state.seq }
}

/** A refusal that comes late is the last line; the status has gone out before. */
function inLines(call: Call<'organizations.apply'>): Response {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const writer = writable.getWriter()
  const encoder = new TextEncoder()
  // Whoever goes away in the middle hears no more; what was begun is finished all the same.
  const say = (line: object) => {
    return writer.write(encoder.encode(`${JSON.stringify(line)}\n`)).catch(() => {})
  }
  const run = async () => {
    const answered = await apply(call, (stage, done, total) =>
      say({ progress: { stage, done, total } }),
    ).catch((error: unknown) => {
      console.error(`request ${call.requestId}:`, error)
      return refuse('fault', 'It has been logged under the request id.')
    })
    await say(answered.ok ? { result: answered.body } : { problem: problemOf(answered, call.requestId) })
    await writer.close().catch(() => {})
  }
  waitUntil(run())
  return new Response(readable, { headers: { ...NO_STORE, 'content-type': LINES_MEDIA_TYPE } })
}
