// Requests as somebody might make them, for the OpenAPI document and the reference page. The types hold every
// body against its operation's schema.
import type { z } from 'zod'
import type { OPERATIONS, OperationId } from './operations/table.ts'

type Table = typeof OPERATIONS
type WithBody = {
  [Id in OperationId]: z.ZodType extends NonNullable<Table[Id]['body']> ? never : Id
}[OperationId]

const owners = { roleName: 'ORG_OWNER', idpGroups: ['acme-admins'] }
const readers = { roleName: 'GROUP_READ_ONLY', idpGroups: ['payments-readers', 'auditors'] }
const okta = { issuer: 'https://acme.okta.com', preset: 'okta' } as const
const policy = { source: 'version: 1\nissuers:\n  okta:\n    issuer: https://acme.okta.com\n' }
const withdrawn = { kid: 'key-2026-01', reason: 'The private key was in a backup that was lost.' }
const identity = { issuer: 'okta', subject: '00u1a2b3c4' }

export const EXAMPLE_BODIES: { [Id in WithBody]: z.input<NonNullable<Table[Id]['body']>> } = {
  'me.sessions.end': {},
  'sessions.end': identity,
  explain: { principal: identity, permission: 'instance.read' },
  organizationExplain: { principal: identity, project: 'payments', permission: 'project.read' },
  'organizations.create': { slug: 'acme', displayName: 'Acme', idpGroupMappings: [owners] },
  'organizations.update': { idpGroupMappings: [owners] },
  'organizations.apply': {
    idpGroupMappings: [owners],
    projects: { payments: { displayName: 'Payments', idpGroupMappings: [readers] } },
  },
  'projects.create': { slug: 'payments', displayName: 'Payments', idpGroupMappings: [readers] },
  'projects.update': { idpGroupMappings: [readers] },
  'instance.update': { idpGroupMappings: [{ roleName: 'GLOBAL_READ_ONLY', idpGroups: ['auditors'] }] },
  'policy.validate': policy,
  'policy.preview': policy,
  'policy.put': policy,
  'settings.update': { recheckSeconds: 15 },
  'singleSignOn.update': {
    isActive: true,
    inactivityTimeoutSeconds: 86_400,
    logoutRedirectUris: ['https://app.example.com/signed-out'],
  },
  'issuers.create': { id: 'okta', settings: okta },
  'issuers.test': { issuer: okta.issuer },
  'issuers.update': { settings: okta },
  'issuers.withdrawKey': withdrawn,
  'issuers.restoreKey': withdrawn,
  'organizationIssuers.create': { id: 'okta', settings: okta },
  'organizationIssuers.test': { issuer: okta.issuer },
  'organizationIssuers.update': { settings: okta },
  'organizationIssuers.withdrawKey': withdrawn,
  'organizationIssuers.restoreKey': withdrawn,
  'users.create': { displayName: 'Alice Arnold', email: 'alice@example.com', identities: [identity] },
  'users.update': { status: 'inactive' },
  'users.link': identity,
  'members.put': { roles: ['ORG_MEMBER'], projects: { payments: ['GROUP_READ_ONLY'] } },
  'serviceAccounts.create': {
    name: 'deploy',
    authenticationMethod: 'federated',
    subject: 'repo:acme/payments:ref:refs/heads/main',
    roles: ['GROUP_READ_ONLY'],
  },
  'serviceAccounts.update': { roles: ['GROUP_READ_ONLY'] },
  'serviceAccounts.createKey': { expiresAt: '2027-01-01T00:00:00Z' },
}

/** Of what stands in paths, and of what a query needs. */
export const EXAMPLE_PARAMETERS: Record<string, string> = {
  organization: 'acme',
  project: 'payments',
  issuer: 'okta',
  subject: '00u1a2b3c4',
  user: '5f0c1d2e3a4b5c6d',
  serviceAccount: '7a6b5c4d3e2f1a0b',
  key: '9d8e7f6a5b4c3d2e',
  version: '3',
  document: 'organization/acme',
}
