// How Ops Manager's API writes things, and how those become ours and back: organizations and groups (projects),
// lists, envelopes and errors. Where a thing of ours cannot be said in that shape, it is not touched through it.
import { z } from 'zod'
import type {
  OrganizationResource,
  ProjectResource,
  WrittenMapping,
} from '../../../policy/operations/organizations.ts'
import { problemOf, refusalHeaders } from '../../answers.ts'
import type { Refusal } from '../../refusal.ts'
import { NO_STORE } from '../answers.ts'

/** [4-26] A role, and the groups whose members have it; nothing else. */
export interface OpsManagerMapping {
  idpGroups: string[]
  roleName: string
}

export interface Link {
  href: string
  rel: string
}

export interface OpsManagerOrganization {
  id: string
  idpGroupMappings: OpsManagerMapping[]
  isDeleted: false
  links: Link[]
  name: string
}

export interface OpsManagerGroup {
  id: string
  idpGroupMappings: OpsManagerMapping[]
  links: Link[]
  name: string
  orgId: string
}

export function organizationShape(resource: OrganizationResource, base: string): OpsManagerOrganization {
  const { id, displayName, idpGroupMappings } = resource
  return {
    id,
    idpGroupMappings: plainMappings(idpGroupMappings),
    isDeleted: false,
    links: [self(`${base}/orgs/${id}`)],
    name: displayName,
  }
}

export function groupShape(resource: ProjectResource, orgId: string, base: string): OpsManagerGroup {
  const { id, displayName, idpGroupMappings } = resource
  return {
    id,
    idpGroupMappings: plainMappings(idpGroupMappings),
    links: [self(`${base}/groups/${id}`)],
    name: displayName,
    orgId,
  }
}

export function self(href: string): Link {
  return { href, rel: 'self' }
}

/**
 * Mappings that the shape can say, one for each role. One with conditions, issuers or times would become one without
 * them, so it is left out.
 */
function plainMappings(mappings: readonly WrittenMapping[]): OpsManagerMapping[] {
  const byRole = new Map<string, Set<string>>()
  for (const { roleName, idpGroups } of mappings.filter(isPlain)) {
    const groups = byRole.get(roleName) ?? new Set()
    for (const group of idpGroups) groups.add(group)
    byRole.set(roleName, groups)
  }
  return [...byRole].map(([roleName, groups]) => ({ idpGroups: [...groups].sort(), roleName }))
}

function isPlain({
  roleName: _role,
  idpGroups: _groups,
  managedBy: _managedBy,
  ...rules
}: WrittenMapping): boolean {
  return Object.keys(rules).length === 0
}

/** The whole list to write: what was said in place of what the shape says, and what it cannot say as it is. */
export function mappingsToWrite(
  written: readonly OpsManagerMapping[],
  current: readonly WrittenMapping[],
): WrittenMapping[] {
  // Groups that the file gives the role are the file's; they would only stand there twice.
  const ofFile = new Set(
    current
      .filter((mapping) => isPlain(mapping) && mapping.managedBy === 'file')
      .flatMap(({ roleName, idpGroups }) => idpGroups.map((group) => `${roleName} ${group}`)),
  )
  const own = written.flatMap(({ roleName, idpGroups }): WrittenMapping[] => {
    const left = idpGroups.filter((group) => !ofFile.has(`${roleName} ${group}`))
    return left.length === 0 && idpGroups.length > 0 ? [] : [{ roleName, idpGroups: left }]
  })
  return [...own, ...current.filter((mapping) => !isPlain(mapping) && mapping.managedBy !== 'file')]
}

const Mapping = z.strictObject({ idpGroups: z.array(z.string()), roleName: z.string() })
/** What a reading gives besides, there or here; whoever sends it back means nothing by it. */
const ECHOED = [
  'id',
  'links',
  'isDeleted',
  'activeAgentCount',
  'hostCounts',
  'lastActiveAgent',
  'publicApiEnabled',
  'replicaSetCount',
  'shardCount',
  'tags',
]
const shape = {
  name: z.string().trim().min(1).max(200).optional(),
  idpGroupMappings: z.array(Mapping).optional(),
  // LDAP is not here: an empty list says nothing, another one would be lost.
  ldapGroupMappings: z.array(z.never()).optional(),
  ...Object.fromEntries(ECHOED.map((name) => [name, z.unknown().optional()])),
}
export const WrittenOrganization = z.strictObject(shape)
export const WrittenGroup = z.strictObject({ ...shape, orgId: z.string().optional() })
export type Written = { name?: string; idpGroupMappings?: OpsManagerMapping[]; orgId?: string }

export interface OpsManagerError {
  status: number
  errorCode: string
  detail: string
  parameters?: string[]
  headers?: Record<string, string>
}

export const REASON_PHRASES: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  428: 'Precondition Required',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/** Codes of Ops Manager where it has one that means the same; ours in capitals where not. */
const CODES: Partial<Record<Refusal['reason'], string>> = {
  input_invalid: 'INVALID_ATTRIBUTE',
  permission_missing: 'USER_UNAUTHORIZED',
  grant_not_allowed: 'USER_UNAUTHORIZED',
  grant_to_self: 'USER_UNAUTHORIZED',
  set_elsewhere: 'ATTRIBUTE_READ_ONLY',
  fault: 'UNEXPECTED_ERROR',
}

export function errorOf(refusal: Refusal, kind: 'ORG' | 'GROUP', requestId: string): OpsManagerError {
  const problem = problemOf(refusal, requestId)
  const { reason, status, title, detail } = problem
  const specific: Partial<Record<Refusal['reason'], string>> = {
    not_found: `${kind}_NOT_FOUND`,
    already_exists: `${kind}_ALREADY_EXISTS`,
    name_taken: `${kind}_ALREADY_EXISTS`,
  }
  const errors = (refusal.members?.errors ?? []) as { path: string }[]
  return {
    status,
    errorCode:
      status === 401 ? 'USER_UNAUTHORIZED' : (specific[reason] ?? CODES[reason] ?? reason.toUpperCase()),
    // What is there and may not be seen is said in the words of what is not there.
    detail: reason === 'not_found' ? title : `${title} ${detail}`,
    parameters: errors.map(({ path }) => path),
    headers: refusalHeaders(problem),
  }
}

export interface Form {
  pretty: boolean
  envelope: boolean
}

export function respondShape(
  status: number,
  body: object | null,
  { pretty, envelope }: Form,
  headers: Record<string, string> = {},
): Response {
  if (body === null && !envelope)
    return new Response(null, { status: 204, headers: { ...NO_STORE, ...headers } })
  // A list is an envelope already; a single thing is put into one.
  const enveloped = body !== null && 'results' in body ? { ...body, status } : { status, content: body ?? {} }
  const shown = envelope ? enveloped : body
  return new Response(`${JSON.stringify(shown, null, pretty ? 2 : undefined)}\n`, {
    status: envelope ? 200 : status,
    headers: { ...NO_STORE, 'content-type': 'application/json', ...headers },
  })
}

export function respondError(
  { status, errorCode, detail, parameters = [], headers = {} }: OpsManagerError,
  form: Form,
): Response {
  const reason = REASON_PHRASES[status] ?? ''
  const body = { detail, error: status, errorCode, parameters, reason }
  return respondShape(status, body, form, { ...headers, 'content-type': 'application/json' })
}
