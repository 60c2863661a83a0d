// Back-channel logout ([4-33] to [4-35]; OpenID Connect Back-Channel Logout 1.0): an issuer says, server to server,
// whose sessions with it have ended, and those here end with them. What the token says is tokens/logout-token.ts's.
import type { IssuerRecord } from '../../policy/compiled.ts'
import type { Environment } from '../environment.ts'
import { digestOf } from '../opaque.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'
import { endNamed } from '../sessions/end.ts'
import { type CompactToken, parseCompact, TOKEN_BYTES_MAX } from '../tokens/compact.ts'
import { isForClient, type LogoutToken, verifyLogoutToken } from '../tokens/logout-token.ts'
import { limitedInShares } from './flood.ts'
import { onlyValue, readForm } from './form.ts'
import { recordsOfIssuer } from './issuer-records.ts'

/** The token, and what else an issuer may send with it. */
const FORM_BYTES_MAX = TOKEN_BYTES_MAX + 4096

/** Answers only after the sessions have ended for good. */
export async function backChannelLogout(environment: Environment, request: Request): Promise<Response> {
  const done = await endByToken(environment, request)
  return done.ok ? new Response(null, { status: 200, headers: NO_STORE }) : answerInvalid(done)
}

/** Back-Channel Logout 2.8: 400 whatever it was; 429 is ours. */
function answerInvalid({ reason, detail, check }: Refusal): Response {
  const problem = { error: 'invalid_request', error_description: detail, reason, check }
  return Response.json(problem, { status: reason === 'too_many_requests' ? 429 : 400, headers: NO_STORE })
}
const NO_STORE = { 'cache-control': 'no-store' }

type Done = { ok: true } | Refusal

async function endByToken(environment: Environment, request: Request): Promise<Done> {
  const read = await readForm(request, FORM_BYTES_MAX)
  if (!read.ok) return read
  const token = onlyValue(read.form, 'logout_token')
  if (token === null) {
    return refuse('logout_token_invalid', 'The form has not exactly one "logout_token".', { check: 'form' })
  }
  const flood = await limitedInShares(environment, request, {
    what: 'back-channel',
    name: await digestOf(token),
  })
  if (flood) return flood
  const parsed = parseCompact(token)
  if (!parsed.ok) return parsed
  const verified = await verifyForRecords(environment, parsed)
  if (!verified.ok) return verified
  return endOnce(environment, verified.tokens)
}

/** What a token says to a record that it is meant for. */
interface Verified {
  record: IssuerRecord
  said: LogoutToken
}

/**
 * Several records may have the `iss` and the client: organizations that share an issuer. The token counts for each
 * whose keys it verifies with, and ends what that one vouches for, nothing else.
 */
async function verifyForRecords(
  environment: Environment,
  parsed: CompactToken,
): Promise<{ ok: true; tokens: Verified[] } | Refusal> {
  const { iss, aud } = parsed.claims
  if (typeof iss !== 'string') {
    return refuse('claim_missing', 'It has no "iss" claim that is a string.', { check: 'iss' })
  }
  const found = await recordsOfIssuer(environment, iss)
  if (!found.ok) return found
  if (found.records.length === 0) {
    return refuse('issuer_unknown', `Nobody signs in with an issuer ${shown(iss)}.`, { check: 'iss' })
  }
  const meant = found.records.filter((record) => isForClient(record, parsed.claims))
  if (meant.length === 0) {
    const detail = `Its "aud" is ${shown(aud)}, which is another client of the issuer than Postern.`
    return refuse('audience_mismatch', detail, { check: 'aud' })
  }
  const judged = await Promise.all(
    meant.map(async (record) => ({ record, said: await verifyLogoutToken(environment, record, parsed) })),
  )
  const tokens = judged.flatMap(({ record, said }) => (said.ok ? [{ record, said }] : []))
  const refused = judged.flatMap(({ said }) => (said.ok ? [] : [said]))[0]
  return tokens.length === 0 && refused ? refused : { ok: true, tokens }
}

/** Back-Channel Logout 2.6 (8): a `jti` counts once, for each record that it is meant for. */
async function endOnce(environment: Environment, tokens: readonly Verified[]): Promise<Done> {
  const used = await Promise.all(
    tokens.map(async ({ record: { id }, said }) => {
      const name = `jti:${await digestOf(JSON.stringify([id, said.jti]))}`
      const once = environment.SINGLE_USE.getByName(name)
      if (!(await once.use(said.validUntil * 1000))) return false
      try {
        await endNamed(environment, id, said, 'the issuer has said so over the back channel')
      } catch (error) {
        // The issuer may try again, and that is no replay.
        await once.forget()
        throw error
      }
      return true
    }),
  )
  if (used.includes(true)) return { ok: true }
  return refuse('logout_token_invalid', 'Its "jti" has been used already.', { check: 'jti' })
}
