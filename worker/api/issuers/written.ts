// What a change of an issuer record keeps: beside members that variables set, which stay as the database had them, and
// with the client secret, which is in no document.

import { issuerOfDocument } from '../../../policy/addresses.ts'
import { type EnvironmentIssuer, isSetBy } from '../../../policy/environment-issuer.ts'
import type { Issuer } from '../../../policy/schema-issuer.ts'
import { SignIn } from '../../../policy/schema-sign-in.ts'
import { forgetSecret, keepSecret } from '../../database/issuer-secrets.ts'
import type { Environment } from '../../environment.ts'
import type { Refusal } from '../../refusal.ts'
import { seal } from '../../sealing.ts'
import { CLIENT_SECRET_PURPOSE } from '../../signin/client-secret.ts'
import { refuseInput, setElsewhere } from '../answers.ts'
import { movesSecret } from './input.ts'
import { asWritten, type StoredIssuer } from './store.ts'

/** Null when nothing is changed that a variable sets. What is left out, and a default, says nothing of it. */
export function lockedRefusal(
  { described, settings }: Pick<StoredIssuer, 'described' | 'settings'>,
  written: Issuer,
  clientSecret: string | null | undefined,
): Refusal | null {
  if (described === null || settings === null) return null
  const { variables } = described
  const locked = (member: string) => setElsewhere(member, { place: variables[member] as string })
  const address = issuerOfDocument(written.issuer) ?? written.issuer
  if (![written.issuer, address, `${address}/`].includes(settings.issuer)) return locked('issuer')
  const [now, before] = [written.signIn, settings.signIn]
  const plain = SignIn.parse({ clientId: 'none' })
  for (const name of ['clientId', 'authMethod', 'scopes'] as const) {
    const member = `signIn.${name}`
    if (!isSetBy(described, member) || now === undefined) continue
    const said = JSON.stringify(now[name])
    if (said !== JSON.stringify(before?.[name]) && said !== JSON.stringify(plain[name])) return locked(member)
  }
  const claim = typeof written.groups === 'object' ? written.groups.claim : written.groups
  if (isSetBy(described, 'groups.claim') && claim !== undefined) {
    const known = typeof settings.groups === 'object' ? settings.groups.claim : undefined
    if (JSON.stringify(claim) !== JSON.stringify(known)) return locked('groups.claim')
  }
  if (isSetBy(described, 'clientSecret')) {
    if (clientSecret !== undefined) return locked('clientSecret')
    // It would be sent where the database says, and was given for where the variables say.
    if (now?.endpoints !== undefined && !keepsEndpoints(now, before)) return locked('clientSecret')
  }
  return null
}

function keepsEndpoints({ endpoints }: SignIn, before: SignIn | undefined): boolean {
  return JSON.stringify(endpoints) === JSON.stringify(before?.endpoints)
}

/**
 * What the database keeps. Of members that variables set, what it had before: what they say would come into force
 * unseen once they go. Only what no record can be without is taken from them.
 */
export function toKeep(
  written: Issuer,
  { described, own }: Pick<StoredIssuer, 'described' | 'own'>,
): Record<string, unknown> {
  const content = asWritten(written)
  if (described === null) return content
  const before = own === null ? {} : asWritten(own)
  const put = (members: Record<string, unknown>, name: string, value: unknown) => {
    if (value === undefined) delete members[name]
    else members[name] = value
  }
  content.issuer = before.issuer ?? described.issuer
  if (written.signIn !== undefined) {
    const signIn = { ...(content.signIn as Record<string, unknown>) }
    const old = (before.signIn ?? {}) as Record<string, unknown>
    for (const name of ['clientId', 'authMethod', 'scopes'] as const) {
      if (isSetBy(described, `signIn.${name}`)) put(signIn, name, old[name])
    }
    signIn.clientId ??= described.clientId
    if (isSetBy(described, 'clientSecret')) put(signIn, 'clientSecretFrom', old.clientSecretFrom)
    content.signIn = signIn
  }
  if (isSetBy(described, 'groups.claim') && typeof content.groups === 'object') {
    const groups = { ...(content.groups as Record<string, unknown>) }
    put(groups, 'claim', ((before.groups ?? {}) as Record<string, unknown>).claim)
    put(content, 'groups', Object.keys(groups).length > 0 ? groups : before.groups)
  }
  return content
}

/** What becomes of the client secret by a change. */
export interface SecretChange {
  ok: true
  statements: D1PreparedStatement[]
  /** Members of the audit event, besides those of the record. */
  before: Record<string, string>
  after: Record<string, string>
  hasSecret: boolean
}

/** `given`: undefined keeps it, null removes it. A secret that is kept never goes to another place than before. */
export async function secretChange(
  environment: Environment,
  { id, hasSecret, own }: Pick<StoredIssuer, 'id' | 'hasSecret' | 'own'>,
  settings: Issuer,
  given: string | null | undefined,
  at: number,
): Promise<SecretChange | Refusal> {
  const none = { ok: true as const, statements: [], before: {}, after: {}, hasSecret }
  if (given === undefined) {
    if (!hasSecret || own === null || !movesSecret(settings, own)) return none
    const message =
      'must be given again, or be null to remove it: the one that is kept was given for another "issuer", other endpoints or another binding'
    return refuseInput([{ path: 'clientSecret', message }])
  }
  if (given === null) return hasSecret ? removal(environment, id) : none
  const sealed = await seal(environment, CLIENT_SECRET_PURPOSE, id, given)
  return {
    ok: true,
    statements: [keepSecret(environment.DB, id, sealed, at)],
    before: { clientSecret: hasSecret ? 'set' : 'not set' },
    after: { clientSecret: hasSecret ? 'set anew' : 'set' },
    hasSecret: true,
  }
}

export function removal({ DB }: Pick<Environment, 'DB'>, id: string): SecretChange {
  return {
    ok: true,
    statements: [forgetSecret(DB, id)],
    before: { clientSecret: 'set' },
    after: { clientSecret: 'removed' },
    hasSecret: false,
  }
}

/** As an input has it, with what variables set taken out where the API would not take it. */
export function withoutSecretName(written: Issuer, described: EnvironmentIssuer | null): Issuer {
  if (described === null || !isSetBy(described, 'clientSecret') || written.signIn === undefined)
    return written
  const { clientSecretFrom, ...signIn } = written.signIn
  return clientSecretFrom === 'OIDC_CLIENT_SECRET' ? { ...written, signIn } : written
}
