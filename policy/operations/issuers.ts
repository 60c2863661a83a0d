// Issuers of the instance and of organizations: their records, discovery on the spot, and their keys.
import { z } from 'zod'
import { Slug } from '../schema.ts'
import { Issuer } from '../schema-issuer.ts'
import { Locked, nothing, operation, PageQuery, pageOf, Time, WriteQuery } from './common.ts'

export const DiscoveryResult = z
  .strictObject({
    ok: z.boolean(),
    /** The document that answered (decision T1). */
    foundAt: z.string().nullable(),
    jwksUri: z.string().nullable(),
    keys: z.array(
      z.strictObject({ kid: z.string().nullable(), kty: z.string(), algorithms: z.array(z.string()) }),
    ),
    /** Keys that may not be used, and why. */
    left: z.array(z.string()),
    endpoints: z.record(z.string(), z.string()).describe('What else discovery names.'),
    problem: z.string().nullable(),
    /** A mistake that is recognised, and what to do. */
    hint: z.string().nullable(),
  })
  .meta({ id: 'DiscoveryResult' })

export const KeyState = z
  .strictObject({
    source: z.string().nullable().describe('The address of the key set, or "policy" for pinned keys.'),
    discoveredAt: z.string().nullable(),
    fetchedAt: Time.nullable(),
    ageSeconds: z
      .int()
      .nullable()
      .describe('Since they were fetched; null for pinned keys and where there are none.'),
    lastAttemptAt: Time.nullable(),
    lastError: z.string().nullable(),
    keys: z.array(
      z.strictObject({
        kid: z.string().nullable(),
        kty: z.string(),
        algorithms: z.array(z.string()),
        withdrawn: z.boolean(),
      }),
    ),
    withdrawn: z.array(z.string()).describe('Ids of keys that count no more, whether published or not.'),
  })
  .meta({ id: 'KeyState' })

export const IssuerResource = z
  .strictObject({
    id: z.string().describe('Of the record: "okta", or "acme/okta".'),
    organization: Slug.nullable(),
    /** As it was written, without what defaults fill in. */
    issuer: z.record(z.string(), z.unknown()),
    locked: Locked.nullable().describe('Of a record that the policy sets as a whole.'),
    lockedMembers: z
      .record(z.string(), Locked)
      .describe('Members that variables set, by their path: "signIn.clientId". The others can be changed.'),
    clientSecret: z
      .strictObject({ set: z.boolean(), from: z.enum(['database', 'environment']).nullable() })
      .describe('Whether there is one, and which layer has it. The secret itself is never shown.'),
    urls: z
      .strictObject({
        baseUrl: z.string().describe('Of the instance: the first gateway origin.'),
        redirectUris: z.array(z.string()),
        logoutUris: z
          .array(z.string())
          .describe('Front-channel logout, and where to return after signing out.'),
        siteRoots: z.array(z.string()).describe('For identity providers that return to the site itself.'),
        backChannelLogoutUris: z.array(z.string()),
      })
      .describe('What to paste at the identity provider. Of each kind all, one for each gateway host.'),
    version: z.int(),
    createdAt: Time,
    updatedAt: Time,
    discovery: DiscoveryResult.nullable().describe(
      'Of the request that created or changed it; null on a reading.',
    ),
    warnings: z.array(z.string()),
  })
  .meta({ id: 'IssuerResource' })

const IssuerBody = Issuer
const name = { issuer: Slug.describe('The id within its owner.') }
const OfInstance = z.strictObject(name)
const OrganizationParams = z.strictObject({ organization: Slug })
const OfOrganization = z.strictObject({ organization: Slug, ...name })
/** No secret of an identity provider is longer; a private key in PEM would be. */
export const CLIENT_SECRET_LENGTH_MAX = 4000
const ClientSecret = z
  .string()
  .min(1)
  .max(CLIENT_SECRET_LENGTH_MAX)
  .nullable()
  .optional()
  .describe('Kept sealed, and never shown again. null removes it; left out, it stays as it is.')
const CreateIssuer = z
  .strictObject({ id: Slug, settings: IssuerBody, clientSecret: ClientSecret })
  .meta({ id: 'CreateIssuer' })
const UpdateIssuer = z.strictObject({ settings: IssuerBody, clientSecret: ClientSecret }).meta({
  id: 'UpdateIssuer',
  description:
    'Replaces the whole record. With another "issuer", "signIn.endpoints" or "vpcBinding" a secret that is kept has to be given again.',
})
const TestIssuer = z
  .strictObject({ issuer: z.string().min(1).max(2000), vpcBinding: z.string().max(100).optional() })
  .meta({ id: 'TestIssuer' })
export const LockedOut = z
  .strictObject({
    deleted: z.string(),
    principals: z.strictObject({
      total: z.int(),
      items: z.array(
        z.strictObject({
          subject: z.string(),
          displayName: z.string().nullable(),
          email: z.string().nullable(),
        }),
      ),
    }),
    serviceAccounts: z.int(),
    mappings: z.array(z.string()).describe('Mappings that believe only this issuer.'),
  })
  .meta({ id: 'LockedOut', description: 'Who cannot come in any more.' })
const Withdraw = z
  .strictObject({ kid: z.string().min(1).max(200), reason: z.string().max(500).optional() })
  .meta({ id: 'WithdrawKey' })

/** The same operations for both owners. */
function issuerOperationsOf<Collection extends z.ZodObject, Single extends z.ZodObject>(
  owner: { path: string; level: 'instance' | 'organization'; read: string; write: string; tag: string },
  collection: Collection,
  single: Single,
) {
  const { path, level, tag } = owner
  const one = `${path}/{issuer}`
  return {
    list: operation({
      method: 'GET',
      path,
      tag,
      summary: 'List issuers',
      level,
      permission: owner.read,
      params: collection,
      query: PageQuery,
      body: null,
      output: pageOf(IssuerResource),
      status: 200,
    }),
    create: operation({
      method: 'POST',
      path,
      tag,
      summary: 'Create an issuer; discovery runs on the spot',
      level,
      permission: owner.write,
      params: collection,
      query: WriteQuery,
      body: CreateIssuer,
      output: IssuerResource,
      status: 201,
      write: { kind: 'create', dryRun: true },
    }),
    test: operation({
      method: 'POST',
      path: `${path}:test`,
      tag,
      summary: 'Run discovery for an address, and save nothing',
      level,
      permission: owner.write,
      params: collection,
      query: nothing,
      body: TestIssuer,
      output: DiscoveryResult,
      status: 200,
    }),
    get: operation({
      method: 'GET',
      path: one,
      tag,
      summary: 'Get an issuer',
      level,
      permission: owner.read,
      params: single,
      query: nothing,
      body: null,
      output: IssuerResource,
      status: 200,
    }),
    update: operation({
      method: 'PUT',
      path: one,
      tag,
      summary: 'Change an issuer; pin its keys or bind it to a VPC service',
      level,
      permission: owner.write,
      params: single,
      query: WriteQuery,
      body: UpdateIssuer,
      output: IssuerResource,
      status: 200,
      write: { kind: 'update', dryRun: true },
    }),
    delete: operation({
      method: 'DELETE',
      path: one,
      tag,
      summary: 'Delete an issuer; a dry run shows who would be locked out',
      level,
      permission: owner.write,
      params: single,
      query: WriteQuery,
      body: null,
      output: LockedOut,
      status: 200,
      write: { kind: 'delete', dryRun: true },
    }),
    keys: operation({
      method: 'GET',
      path: `${one}/keys`,
      tag,
      summary: "Get the state of an issuer's keys",
      level,
      permission: owner.read,
      params: single,
      query: nothing,
      body: null,
      output: KeyState,
      status: 200,
    }),
    refreshKeys: operation({
      method: 'POST',
      path: `${one}/keys:refresh`,
      tag,
      summary: 'Fetch the keys now',
      level,
      permission: owner.write,
      params: single,
      query: nothing,
      body: null,
      output: KeyState,
      status: 200,
      write: { kind: 'act', dryRun: false },
    }),
    withdrawKey: operation({
      method: 'POST',
      path: `${one}/keys:withdraw`,
      tag,
      summary: 'Withdraw a key: what it signed counts no more',
      level,
      permission: owner.write,
      params: single,
      query: nothing,
      body: Withdraw,
      output: KeyState,
      status: 200,
      write: { kind: 'act', dryRun: false },
    }),
    restoreKey: operation({
      method: 'POST',
      path: `${one}/keys:restore`,
      tag,
      summary: 'Let a withdrawn key count again',
      level,
      permission: owner.write,
      params: single,
      query: nothing,
      body: Withdraw,
      output: KeyState,
      status: 200,
      write: { kind: 'act', dryRun: false },
    }),
  }
}

const ofInstance = issuerOperationsOf(
  {
    path: '/issuers',
    level: 'instance',
    read: 'instance.read',
    write: 'instance.issuers.write',
    tag: 'Issuers of the instance',
  },
  nothing,
  OfInstance,
)
const ofOrganization = issuerOperationsOf(
  {
    path: '/organizations/{organization}/issuers',
    level: 'organization',
    read: 'organization.read',
    write: 'organization.issuers.write',
    tag: 'Issuers of organizations',
  },
  OrganizationParams,
  OfOrganization,
)

export const issuerOperations = {
  'issuers.list': ofInstance.list,
  'issuers.create': ofInstance.create,
  'issuers.test': ofInstance.test,
  'issuers.get': ofInstance.get,
  'issuers.update': ofInstance.update,
  'issuers.delete': ofInstance.delete,
  'issuers.keys': ofInstance.keys,
  'issuers.refreshKeys': ofInstance.refreshKeys,
  'issuers.withdrawKey': ofInstance.withdrawKey,
  'issuers.restoreKey': ofInstance.restoreKey,
  'organizationIssuers.list': ofOrganization.list,
  'organizationIssuers.create': ofOrganization.create,
  'organizationIssuers.test': ofOrganization.test,
  'organizationIssuers.get': ofOrganization.get,
  'organizationIssuers.update': ofOrganization.update,
  'organizationIssuers.delete': ofOrganization.delete,
  'organizationIssuers.keys': ofOrganization.keys,
  'organizationIssuers.refreshKeys': ofOrganization.refreshKeys,
  'organizationIssuers.withdrawKey': ofOrganization.withdrawKey,
  'organizationIssuers.restoreKey': ofOrganization.restoreKey,
}
