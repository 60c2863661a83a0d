// All that the database holds of an organization, read for its declared file: to write it out, and to compare it
// with one.

import { type MergedOrganization, mergeOrganization } from '../../../policy/layers.ts'
import { normalGroupMappings, normalPatternMappings } from '../../../policy/normal-mappings.ts'
import type { Organization, PolicyDocument } from '../../../policy/schema.ts'
import { mapSorted } from '../../../policy/sorted.ts'
import { readAll } from '../../database/batch.ts'
import type {
  IssuerContent,
  OrganizationContent,
  ProjectContent,
  StoredMapping,
  StoredMappings,
  StoredPattern,
} from '../../database/documents.ts'
import type { Environment } from '../../environment.ts'
import { type OrganizationState, readOrganizationState } from '../organizations/organization-edit.ts'
import { compactIssuers } from './issuers.ts'

export interface DeclaredProjectState {
  /** Of its document; 0 while only the policy names it. */
  version: number
  inPolicy: boolean
  isDeleted: boolean
  displayName: string
  content: ProjectContent | null
}

export interface DeclaredIssuerState {
  version: number
  /** Null where it is deleted, or only the policy has it. */
  settings: Record<string, unknown> | null
}

export interface DeclarationState extends OrganizationState {
  slug: string
  /** Of the newest edit of anything the declaration tells of: its version. */
  seq: number
  /** By slug; also those that are deleted, whose slugs are not used again. */
  projects: Map<string, DeclaredProjectState>
  /** By id within the organization. */
  ownIssuers: Map<string, DeclaredIssuerState>
  /** The layers together; null where there is no such organization. */
  merged: MergedOrganization | null
}

type Rows = {
  newest: { seq: number | null }
  projects: {
    slug: string
    in_policy: number
    deleted_at: number | null
    display_name: string
    version: number
    content: string | null
  }
  issuers: { id: string; version: number; content: string | null }
}

export async function readDeclaration(environment: Environment, slug: string): Promise<DeclarationState> {
  const { DB } = environment
  const [state, rows] = await Promise.all([
    readOrganizationState(environment, slug),
    readAll<Rows>(DB, {
      // "0" is what follows "/" in the order of text.
      newest: DB.prepare(
        `SELECT max(seq) AS seq FROM versions WHERE document = 'organization/' || ?1
          OR document > 'project/' || ?1 || '/' AND document < 'project/' || ?1 || '0'
          OR document > 'issuer/' || ?1 || '/' AND document < 'issuer/' || ?1 || '0'`,
      ).bind(slug),
      projects: DB.prepare(
        `SELECT p.slug, p.in_policy, p.deleted_at, p.display_name, p.version, v.content FROM projects p
          LEFT JOIN versions v ON v.document = 'project/' || p.organization || '/' || p.slug AND v.version = p.version
          WHERE p.organization = ? ORDER BY p.slug`,
      ).bind(slug),
      issuers: DB.prepare(
        `SELECT i.id, i.version, v.content FROM issuers i
          LEFT JOIN versions v ON v.document = 'issuer/' || i.id AND v.version = i.version
          WHERE i.organization = ? ORDER BY i.id`,
      ).bind(slug),
    }),
  ])
  const projects = rows.projects.map((row): [string, DeclaredProjectState] => {
    const isDeleted = row.deleted_at !== null
    const content = row.content === null || isDeleted ? null : (JSON.parse(row.content) as ProjectContent)
    const { version, display_name: displayName } = row
    return [row.slug, { version, inPolicy: row.in_policy !== 0, isDeleted, displayName, content }]
  })
  const ownIssuers = rows.issuers.map(({ id, version, content }): [string, DeclaredIssuerState] => {
    const settings = content === null ? null : (JSON.parse(content) as IssuerContent).settings
    return [id.slice(slug.length + 1), { version, settings }]
  })
  const found = {
    ...state,
    slug,
    seq: rows.newest[0]?.seq ?? 0,
    projects: new Map(projects),
    ownIssuers: new Map(ownIssuers),
  }
  const stored = storedOf(found)
  return { ...found, merged: state.organization ? mergeOf(found, stored) : null }
}

/** What the database keeps of an organization, or will. */
export interface StoredDeclaration {
  organization: OrganizationContent | null
  projects: Record<string, ProjectContent>
  issuers: Record<string, Record<string, unknown>>
}

function storedOf({
  organization,
  projects,
  ownIssuers,
}: Omit<DeclarationState, 'merged'>): StoredDeclaration {
  const contents = [...projects].flatMap(([slug, { content }]): [string, ProjectContent][] => {
    return content === null ? [] : [[slug, content]]
  })
  const issuers = [...ownIssuers].flatMap(([id, { settings }]): [string, Record<string, unknown>][] => {
    return settings === null ? [] : [[id, settings]]
  })
  return {
    organization: organization?.content ?? null,
    projects: Object.fromEntries(contents),
    issuers: Object.fromEntries(issuers),
  }
}

export function mergeOf(
  { instance, slug }: Pick<DeclarationState, 'instance' | 'slug'>,
  stored: StoredDeclaration,
): MergedOrganization | null {
  return mergeOrganization(instance.source, slug, stored)
}

/** The declared file: what the database holds, and nothing of what the policy sets. */
export function declarationOf(state: DeclarationState): Organization {
  const { organization, projects, issuers } = storedOf(state)
  const { roles } = state.instance.merged.policy
  const { displayName, audience, onUnmatched } = organization ?? {}
  const said = Object.entries(projects).filter(([slug, content]) => {
    return state.projects.get(slug)?.inPolicy !== true || !saysNothing(content)
  })
  return {
    ...(displayName === undefined ? {} : { displayName }),
    ...(audience === undefined ? {} : { audience }),
    ...(onUnmatched === undefined ? {} : { onUnmatched }),
    issuers: compactIssuers(issuers) as Organization['issuers'],
    ...plainMappings(organization, roles),
    projects: Object.fromEntries(
      mapSorted(Object.fromEntries(said), (_slug, content) => ({
        ...(content.displayName === undefined ? {} : { displayName: content.displayName }),
        ...plainMappings(content, roles),
      })),
    ),
  }
}

/** Such a document only remains of a project that the policy names. */
export function saysNothing({ displayName, idpGroupMappings, patternMappings }: ProjectContent): boolean {
  return displayName === undefined && idpGroupMappings.length + patternMappings.length === 0
}

/** Without who set them, in normal form once more, since mappings that differed in that alone become one. */
export function plainMappings(
  stored: StoredMappings | null,
  roles: PolicyDocument['roles'],
): Pick<Organization, 'idpGroupMappings' | 'patternMappings'> {
  const plain = ({ managedBy: _managedBy, ...mapping }: StoredMapping | StoredPattern) => mapping
  return {
    idpGroupMappings: normalGroupMappings(
      (stored?.idpGroupMappings ?? []).map(plain) as Organization['idpGroupMappings'],
      roles,
    ),
    patternMappings: normalPatternMappings(
      (stored?.patternMappings ?? []).map(plain) as Organization['patternMappings'],
      roles,
    ),
  }
}
