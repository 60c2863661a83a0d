// Who cannot come in any more once an issuer record is gone, and which mappings then believe nobody.
import type { z } from 'zod'
import type { LockedOut } from '../../../policy/operations/issuers.ts'
import type { PolicyDocument } from '../../../policy/schema.ts'
import { readAll } from '../../database/batch.ts'
import { INSTANCE, parseDocumentName, type StoredMappings } from '../../database/documents.ts'
import { nameWithin, organizationOf } from '../../database/issuer-rows.ts'
import type { Environment } from '../../environment.ts'
import type { InstanceInForce } from '../effective.ts'
import { own } from '../people/people.ts'

/** Of principals as many are named, and of mappings. */
const NAMED_MAX = 100

interface Seen {
  subject: string
  display_name: string | null
  email: string | null
}

export async function lockedOutBy(
  { DB: database }: Environment,
  instance: InstanceInForce,
  id: string,
): Promise<z.infer<typeof LockedOut>> {
  const owner = organizationOf(id)
  const found = await readAll<{
    seen: Seen
    total: { total: number }
    accounts: { total: number }
    documents: { document: string; content: string }
  }>(database, {
    seen: database
      .prepare(
        `SELECT subject, display_name, email FROM known_principals WHERE issuer = ?
          ORDER BY last_seen_at DESC LIMIT ${NAMED_MAX}`,
      )
      .bind(id),
    total: database.prepare('SELECT count(*) AS total FROM known_principals WHERE issuer = ?').bind(id),
    accounts: database
      .prepare(
        "SELECT count(*) AS total FROM identities WHERE issuer = ? AND holder LIKE 'service-account/%'",
      )
      .bind(id),
    documents: believingOnly(database, id, owner),
  })
  return {
    deleted: nameWithin(id),
    principals: {
      total: found.total[0]?.total ?? 0,
      items: found.seen.map(({ subject, display_name, email }) => ({
        subject,
        displayName: display_name,
        email,
      })),
    },
    serviceAccounts: found.accounts[0]?.total ?? 0,
    mappings: found.documents
      .flatMap(({ document, content }) => {
        return believing(document, JSON.parse(content) as StoredMappings, instance, id)
      })
      .slice(0, NAMED_MAX),
  }
}

/** Documents in which some mapping names this issuer alone; the database's own, since the policy's name its own. */
function believingOnly(database: D1Database, id: string, owner: string | null): D1PreparedStatement {
  return database
    .prepare(
      `SELECT v.document, v.content FROM (${DOCUMENTS}) d
        JOIN versions v ON v.document = d.document AND v.version = d.version
        WHERE instr(v.content, ?1) > 0 ORDER BY v.document LIMIT ${NAMED_MAX}`,
    )
    .bind(`"issuers":[${JSON.stringify(id)}]`, owner)
}

/** Those in force: all, or one organization's. */
const DOCUMENTS = `
  SELECT 'organization/' || slug AS document, version FROM organizations
    WHERE deleted_at IS NULL AND slug = coalesce(?2, slug)
  UNION ALL SELECT 'project/' || organization || '/' || slug, version FROM projects
    WHERE deleted_at IS NULL AND organization = coalesce(?2, organization)
  UNION ALL SELECT '${INSTANCE}', (SELECT max(version) FROM versions WHERE document = '${INSTANCE}') WHERE ?2 IS NULL`

function believing(
  document: string,
  content: StoredMappings,
  { merged, source }: InstanceInForce,
  id: string,
): string[] {
  const ref = parseDocumentName(document)
  if (ref === null) return []
  const place = placeIn(source.policy, ref)
  const above = ref.kind === 'instance' ? merged.origins.above : place.above
  return (['idpGroupMappings', 'patternMappings'] as const).flatMap((kind) => {
    return content[kind].flatMap(({ issuers }, index) => {
      const only = issuers?.length === 1 && issuers[0] === id
      return only ? [`${place.path}${kind}[${above[kind] + index}]`] : []
    })
  })
}

/** The path of a level, and how many mappings the policy's source has there. */
function placeIn(policy: PolicyDocument, ref: NonNullable<ReturnType<typeof parseDocumentName>>) {
  const none = { idpGroupMappings: [], patternMappings: [] }
  const counted = ({
    idpGroupMappings,
    patternMappings,
  }: {
    idpGroupMappings: unknown[]
    patternMappings: unknown[]
  }) => ({
    idpGroupMappings: idpGroupMappings.length,
    patternMappings: patternMappings.length,
  })
  if (ref.kind === 'organization') {
    return {
      path: `organizations.${ref.organization}.`,
      above: counted(own(policy.organizations, ref.organization) ?? none),
    }
  }
  if (ref.kind === 'project') {
    const project = own(own(policy.organizations, ref.organization)?.projects, ref.project)
    return {
      path: `organizations.${ref.organization}.projects.${ref.project}.`,
      above: counted(project ?? none),
    }
  }
  return { path: '', above: counted(none) }
}
