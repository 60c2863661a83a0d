// An issuer record as the API shows it: as it is written, what variables set of it, and what is doubtful about it.
import type { OutputOf } from '../../../policy/operations/table.ts'
import type { Issuer } from '../../../policy/schema-issuer.ts'
import { organizationOf } from '../../database/issuer-rows.ts'
import type { Environment } from '../../environment.ts'
import type { ReadSettings } from './input.ts'
import { clientSecretState, signInWarnings, urlsOf } from './sign-in.ts'
import { asWritten, type StoredIssuer } from './store.ts'

type Resource = OutputOf<'issuers.get'>

/** What a request that writes has found out besides. */
interface Found extends Pick<ReadSettings, 'discovery' | 'metadata'> {
  /** The client secret that came with it. */
  given: string | null
}

export function resourceOf(
  environment: Environment,
  shownIssuer: Pick<
    StoredIssuer,
    'id' | 'row' | 'version' | 'place' | 'settings' | 'described' | 'hasSecret'
  >,
  found: Found | null = null,
): Resource {
  const { id, row, version, place, settings, described, hasSecret } = shownIssuer
  const time = (at: number | undefined) => new Date(at ?? 0).toISOString()
  const secret = clientSecretState(environment, settings, hasSecret)
  const members = Object.entries(described?.variables ?? {})
  const about = { secret, metadata: found?.metadata ?? null, given: found?.given ?? null }
  return {
    id,
    organization: organizationOf(id),
    issuer: settings === null ? { issuer: '' } : asWritten(settings),
    locked: place === null ? null : { origin: 'policy', place },
    lockedMembers: Object.fromEntries(
      members.map(([member, variable]) => [member, { origin: 'environment', place: variable }]),
    ),
    clientSecret: secret,
    urls: urlsOf(environment),
    version: place === null ? version : 0,
    createdAt: time(row?.created_at),
    updatedAt: time(row?.updated_at),
    discovery: found?.discovery ?? null,
    warnings: settings === null ? [] : [...warningsOf(settings), ...signInWarnings(settings, about)],
  }
}

/** What works and is still worth knowing. */
function warningsOf({ issuer, jwks, audiences }: Issuer): string[] {
  const open = issuer.startsWith('http:') && jwks === undefined
  return [
    ...(open ? ['Its keys are read over an open line, where anyone can change them; use https.'] : []),
    ...(jwks === undefined
      ? []
      : ['Its keys are pinned: when it changes them, its tokens are refused until the new ones stand here.']),
    ...(audiences?.length === 0 ? ['It accepts no audience.'] : []),
  ]
}
