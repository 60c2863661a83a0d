// Front-channel logout ([0-27]; OpenID Connect Front-Channel Logout 1.0): the issuer's page loads our address in a
// frame, with its name of a session, which ends. No cookie comes along, and none is needed.
import type { Environment } from '../environment.ts'
import { answerPage, html } from '../pages/page.ts'
import { refusalPage } from '../pages/refusal-page.ts'
import { endNamed } from '../sessions/end.ts'
import { sidIndexName } from '../sessions/index-names.ts'
import { SID_LENGTH_MAX } from '../tokens/logout-token.ts'
import { limitedInShares } from './flood.ts'
import { onlyValue } from './form.ts'
import { type FoundRecords, instanceRecords, recordsOfIssuer } from './issuer-records.ts'

/** Whether the address is asked for as an issuer asks. */
export function isFrontChannel({ searchParams }: URL): boolean {
  return searchParams.has('sid')
}

/** The same answer whether there was such a session or not: whoever asks learns nothing. */
export async function frontChannelLogout(
  environment: Environment,
  request: Request,
  requestId: string,
): Promise<Response> {
  const { searchParams } = new URL(request.url)
  const sid = onlyValue(searchParams, 'sid')
  if (sid !== null && sid !== '' && sid.length <= SID_LENGTH_MAX) {
    const name = await sidIndexName('', sid)
    const flood = await limitedInShares(environment, request, { what: 'front-channel', name })
    const found = flood ?? (await recordsMeant(environment, searchParams))
    if (!found.ok) return refusalPage(found, requestId, { frames: 'any' })
    const why = 'the issuer has said so over the front channel'
    await Promise.all(found.records.map(({ id }) => endNamed(environment, id, { sid, sub: null }, why)))
  }
  return answerPage({
    title: 'Signed out',
    body: html`<p>The session has ended.</p>`,
    status: 200,
    requestId,
    frames: 'any',
  })
}

/** Front-Channel Logout 2: `iss` comes with `sid`. Entra leaves it out, and then the instance's issuers are meant. */
async function recordsMeant(environment: Environment, parameters: URLSearchParams): Promise<FoundRecords> {
  if (!parameters.has('iss')) return instanceRecords(environment)
  const iss = onlyValue(parameters, 'iss')
  return iss === null ? { ok: true, records: [] } : recordsOfIssuer(environment, iss)
}
