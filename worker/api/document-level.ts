// Where a document stands: at which level reading and writing it takes which permission, by its kind.
import { type Level, levelOf, SLUG } from '../../policy/level.ts'
import { type DocumentKind, parseDocumentName } from '../database/documents.ts'

/** The global level for what names no document; it is refused later, with the rest of the input. */
export function levelOfDocument(name: string): Level {
  const ref = parseDocumentName(name)
  if (!ref || !('organization' in ref) || ref.organization === null) return { kind: 'global' }
  if (!SLUG.test(ref.organization)) return { kind: 'global' }
  if (ref.kind !== 'project') return levelOf(ref.organization, null)
  return SLUG.test(ref.project) ? levelOf(ref.organization, ref.project) : { kind: 'global' }
}

/** `given`: of a document that gives roles directly, a service account's, the level is its project's. */
export const DOCUMENT_PERMISSIONS: Record<DocumentKind, { read: string; write: string[] }> = {
  policy: { read: 'instance.read', write: ['instance.policy.write'] },
  instance: { read: 'instance.read', write: ['instance.policy.write'] },
  settings: { read: 'instance.read', write: ['instance.settings.write'] },
  organization: {
    read: 'organization.read',
    write: ['organization.update', 'organization.mappings.write'],
  },
  project: { read: 'project.read', write: ['project.write', 'project.mappings.write'] },
  issuer: { read: 'instance.read', write: ['instance.issuers.write'] },
  'issuer-keys': { read: 'instance.read', write: ['instance.issuers.write'] },
  user: { read: 'instance.users.read', write: ['instance.users.write'] },
  'service-account': { read: 'instance.users.read', write: ['instance.users.write'] },
}
export const ORGANIZATION_ISSUER_PERMISSIONS = {
  read: 'organization.read',
  write: ['organization.issuers.write'],
}
