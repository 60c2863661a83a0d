// A request for every operation of the table that goes well when the caller may make it. What can be asked as a
// dry run is, by those who add it; what cannot is asked of something made to be thrown away.
import { type Level, levelOf } from '../../policy/level.ts'
import type { Operation } from '../../policy/operations/common.ts'
import { OPERATIONS, type OperationId } from '../../policy/operations/table.ts'
import { ACME, acmeTokenOf, groupOf, INSTANCE, tokenOf } from './api-callers.ts'
import { type Fixture, inAcme, inPayments, makeAccount, makeUser, type Trial } from './api-fixture.ts'

export interface TrialRow {
  id: OperationId
  /** What is special about it, of several for one operation. */
  variant: string
  make: (fixture: Fixture) => Promise<Trial>
  /** When it has gone well once it cannot again: the next caller gets a new one. */
  consumes?: true
  /** It gives a role: the rules of granting say no to some who have the permission. */
  gives?: true
  /** For operations whose level and permission depend on the document asked about. */
  asks?: { level: Level; permissions: string[] }
  /** What of the answer depends on who asks. */
  shows?: (body: Record<string, unknown>) => string
}

type Rows = { [Id in OperationId]: Omit<TrialRow, 'id'>[] }
type Make = TrialRow['make']

const plain = (trial: Trial = {}) => [{ variant: '', make: async () => trial }]
const made = (make: Make, more: Partial<TrialRow> = {}) => [{ variant: '', make, ...more }]

const user: Make = async ({ user }) => ({ params: { user } })
const account: Make = async (fixture) => ({ params: { ...inPayments, serviceAccount: fixture.account } })
const groups = (role: string, group = 'somebody') => [{ roleName: role, idpGroups: [group] }]

/** Of a reading: with the version read, and a body. */
function changing(read: OperationId, params: Record<string, string>, body: unknown): Make {
  return async (fixture) => ({ params, body, ifMatch: await fixture.version(read, { params }) })
}

/** The request changes a user made for it. */
function ofNewUser(trial: (id: string, fixture: Fixture) => Trial, given?: object, issuer = 'callers'): Make {
  return async (fixture) => {
    const id = await makeUser(fixture, fixture.fresh('user'), given, issuer)
    const ifMatch = await fixture.version('users.get', { params: { user: id } })
    return { ifMatch, ...trial(id, fixture) }
  }
}

/** A key that was withdrawn for it. */
function restoring(withdraw: OperationId, params: Record<string, string>): Make {
  return async (fixture) => {
    const trial = { params, body: { kid: fixture.fresh('key') } }
    await fixture.make(withdraw, trial)
    return trial
  }
}

const organizationNames = (body: Record<string, unknown>) => {
  const slugs = (body.items as { slug: string }[]).map(({ slug }) => slug)
  return slugs.sort().join(' ') || 'none'
}

const rows: Rows = {
  'me.get': plain(),
  'me.explain': plain({ query: { organization: ACME, permission: 'organization.read' } }),
  explain: made(async () => ({
    body: { token: tokenOf('explained', [groupOf(INSTANCE, 'GLOBAL_READ_ONLY')]) },
  })),
  organizationExplain: made(async () => ({
    params: inAcme,
    body: { token: acmeTokenOf('explained', [groupOf(ACME, 'ORG_MEMBER')]) },
  })),
  'organizations.list': [{ variant: '', make: async () => ({}), shows: organizationNames }],
  'organizations.create': [
    { variant: '', make: async (fixture) => ({ body: { slug: fixture.fresh('organization') } }) },
    {
      variant: 'with an owner',
      make: async (fixture) => ({
        body: { slug: fixture.fresh('organization'), idpGroupMappings: groups('ORG_OWNER') },
      }),
      gives: true,
    },
  ],
  'organizations.get': plain({ params: inAcme }),
  'organizations.update': [
    { variant: 'its name', make: changing('organizations.get', inAcme, { displayName: 'Acme Limited' }) },
    {
      variant: 'its mappings',
      make: async (fixture) => {
        const { idpGroupMappings } = await fixture.make('organizations.get', { params: inAcme })
        const more = groups('ORG_OWNER', 'more-owners')
        const body = { idpGroupMappings: [...(idpGroupMappings as object[]), ...more] }
        return changing('organizations.get', inAcme, body)(fixture)
      },
      gives: true,
    },
  ],
  'organizations.delete': made(async (fixture) => ({
    params: inAcme,
    query: { confirm: ACME },
    ifMatch: await fixture.version('organizations.get', { params: inAcme }),
  })),
  'organizations.export': plain({ params: inAcme }),
  'organizations.apply': made(async (fixture) => {
    const body = await fixture.make('organizations.export', { params: inAcme })
    const ifMatch = await fixture.version('organizations.export', { params: inAcme })
    return { params: inAcme, body, ifMatch }
  }),
  'projects.list': [{ variant: '', make: async () => ({ params: inAcme }), shows: organizationNames }],
  'projects.create': [
    { variant: '', make: async (fixture) => ({ params: inAcme, body: { slug: fixture.fresh('project') } }) },
    {
      variant: 'with an owner',
      make: async (fixture) => ({
        params: inAcme,
        body: { slug: fixture.fresh('project'), idpGroupMappings: groups('GROUP_OWNER') },
      }),
      gives: true,
    },
  ],
  'projects.get': plain({ params: inPayments }),
  'projects.update': [
    { variant: 'its name', make: changing('projects.get', inPayments, { displayName: 'Payments!' }) },
    {
      variant: 'its mappings',
      make: async (fixture) => {
        const { idpGroupMappings } = await fixture.make('projects.get', { params: inPayments })
        const more = groups('GROUP_OWNER', 'more-owners')
        const body = { idpGroupMappings: [...(idpGroupMappings as object[]), ...more] }
        return changing('projects.get', inPayments, body)(fixture)
      },
      gives: true,
    },
  ],
  'projects.delete': made(async (fixture) => ({
    params: inPayments,
    query: { confirm: inPayments.project },
    ifMatch: await fixture.version('projects.get', { params: inPayments }),
  })),
  'instance.get': plain(),
  'instance.update': made(
    changing('instance.get', {}, { idpGroupMappings: groups('GLOBAL_READ_ONLY', 'auditors') }),
    { gives: true },
  ),
  'roles.list': plain(),
  'policy.get': plain(),
  'policy.validate': made(async ({ policySource }) => ({ body: { source: policySource } })),
  'policy.preview': made(async ({ policySource }) => ({ body: { source: policySource } })),
  'policy.put': made(async (fixture) => {
    return changing(
      'policy.get',
      {},
      { source: `${fixture.policySource}\n# ${fixture.fresh('put')}\n` },
    )(fixture)
  }),
  'settings.get': plain(),
  'settings.update': made(changing('settings.get', {}, { knownPrincipalDays: 60 }), { consumes: true }),
  'publication.get': plain(),

  'issuers.list': plain(),
  'issuers.create': made(async (fixture) => ({
    body: {
      id: fixture.fresh('issuer'),
      settings: { issuer: `${fixture.partner.url}/${fixture.fresh('iss')}` },
    },
  })),
  'issuers.test': made(async ({ main }) => ({ body: { issuer: main.url } })),
  'issuers.get': plain({ params: { issuer: 'partner' } }),
  'issuers.update': made(async (fixture) => {
    const body = { settings: { issuer: fixture.partner.url, leewaySeconds: 30 } }
    return changing('issuers.get', { issuer: 'partner' }, body)(fixture)
  }),
  'issuers.delete': plain({ params: { issuer: 'partner' }, query: { confirm: 'partner' } }),
  'issuers.keys': plain({ params: { issuer: 'partner' } }),
  'issuers.refreshKeys': plain({ params: { issuer: 'partner' } }),
  'issuers.withdrawKey': plain({ params: { issuer: 'partner' }, body: { kid: 'an-old-key' } }),
  'issuers.restoreKey': made(restoring('issuers.withdrawKey', { issuer: 'main' }), { consumes: true }),
  'organizationIssuers.list': plain({ params: inAcme }),
  'organizationIssuers.create': [
    { variant: '', vpc: {} },
    // What reaches into a private network is the instance's to allow.
    {
      variant: 'with a VPC binding',
      vpc: { vpcBinding: 'CORP' },
      asks: {
        level: levelOf(ACME, null),
        permissions: ['organization.issuers.write', 'instance.issuers.write'],
      },
    },
  ].map(({ variant, vpc, ...more }) => ({
    variant,
    make: async (fixture: Fixture) => {
      const settings = { issuer: `${fixture.partner.url}/${fixture.fresh('iss')}`, ...vpc }
      return { params: inAcme, body: { id: fixture.fresh('issuer'), settings } }
    },
    ...more,
  })),
  'organizationIssuers.test': made(async ({ workforce }) => ({
    params: inAcme,
    body: { issuer: workforce.url },
  })),
  'organizationIssuers.get': plain({ params: { ...inAcme, issuer: 'workforce' } }),
  'organizationIssuers.update': made(async (fixture) => {
    const body = { settings: { issuer: fixture.workforce.url, leewaySeconds: 30 } }
    return changing('organizationIssuers.get', { ...inAcme, issuer: 'workforce' }, body)(fixture)
  }),
  'organizationIssuers.delete': plain({
    params: { ...inAcme, issuer: 'workforce' },
    query: { confirm: 'workforce' },
  }),
  'organizationIssuers.keys': plain({ params: { ...inAcme, issuer: 'workforce' } }),
  'organizationIssuers.refreshKeys': plain({ params: { ...inAcme, issuer: 'workforce' } }),
  'organizationIssuers.withdrawKey': plain({
    params: { ...inAcme, issuer: 'workforce' },
    body: { kid: 'an-old-key' },
  }),
  'organizationIssuers.restoreKey': made(
    restoring('organizationIssuers.withdrawKey', { ...inAcme, issuer: 'spare' }),
    { consumes: true },
  ),

  'users.list': plain(),
  'users.create': [
    { variant: '', make: async (fixture) => ({ body: { displayName: fixture.fresh('User') } }) },
    ...[
      { variant: 'given GLOBAL_READ_ONLY', given: { roles: ['GLOBAL_READ_ONLY'] } },
      { variant: 'given GLOBAL_OWNER', given: { roles: ['GLOBAL_OWNER'] } },
      { variant: 'given ORG_OWNER of acme', given: { organizations: { [ACME]: { roles: ['ORG_OWNER'] } } } },
    ].map(({ variant, given }) => ({
      variant,
      make: async (fixture: Fixture) => ({ body: { displayName: fixture.fresh('User'), given } }),
      gives: true as const,
    })),
  ],
  'users.get': made(user),
  'users.update': made(async (fixture) => {
    return changing('users.get', { user: fixture.user }, { displayName: 'Asked About' })(fixture)
  }),
  'users.delete': made(
    ofNewUser((id) => ({ params: { user: id }, query: { confirm: id } })),
    { consumes: true },
  ),
  'users.link': [
    { variant: '', given: {} },
    { variant: 'to one with GLOBAL_OWNER', given: { roles: ['GLOBAL_OWNER'] }, gives: true as const },
  ].map(({ variant, given, ...more }) => ({
    variant,
    make: ofNewUser(
      (id, fixture) => ({
        params: { user: id },
        body: { issuer: 'callers', subject: fixture.fresh('linked') },
      }),
      given,
    ),
    consumes: true as const,
    ...more,
  })),
  'users.unlink': made(
    async (fixture) => {
      const subject = fixture.fresh('user')
      const id = await makeUser(fixture, subject)
      const ifMatch = await fixture.version('users.get', { params: { user: id } })
      return { params: { user: id }, query: { issuer: 'callers', subject }, ifMatch }
    },
    { consumes: true },
  ),
  'members.list': plain({ params: inAcme }),
  'members.put': [
    { variant: '', given: {} },
    { variant: 'given ORG_OWNER', given: { roles: ['ORG_OWNER'] } },
    { variant: 'given GROUP_OWNER', given: { projects: { payments: ['GROUP_OWNER'] } } },
  ].map(({ variant, given }) => ({
    variant,
    // Of acme's own issuer: an organization's admins find only those who have to do with it.
    make: ofNewUser((id) => ({ params: { ...inAcme, user: id }, body: given }), undefined, `${ACME}/own`),
    ...(variant === '' ? {} : { gives: true as const }),
  })),
  'members.remove': made(
    ofNewUser((id) => ({ params: { ...inAcme, user: id } }), { organizations: { [ACME]: {} } }),
    { consumes: true },
  ),
  'serviceAccounts.list': plain({ params: inPayments }),
  'serviceAccounts.create': [
    { variant: '', roles: [] as string[] },
    { variant: 'given GROUP_READ_ONLY', roles: ['GROUP_READ_ONLY'] },
    { variant: 'given GROUP_OWNER', roles: ['GROUP_OWNER'] },
  ].map(({ variant, roles }) => ({
    variant,
    make: async (fixture: Fixture) => ({
      params: inPayments,
      body: { name: fixture.fresh('robot'), authenticationMethod: 'key', roles },
    }),
    ...(roles.length === 0 ? {} : { gives: true as const }),
  })),
  'serviceAccounts.get': made(account),
  'serviceAccounts.update': [
    {
      variant: '',
      make: async (fixture) => {
        const params = { ...inPayments, serviceAccount: fixture.account }
        return changing('serviceAccounts.get', params, { name: 'asked about' })(fixture)
      },
    },
    {
      variant: 'the subject of one with GROUP_OWNER',
      make: async (fixture) => {
        const subject = fixture.fresh('subject')
        const identity = { authenticationMethod: 'federated', issuer: `${ACME}/own`, subject }
        const body = { name: subject, ...identity, roles: ['GROUP_OWNER'] }
        const { id } = await fixture.make('serviceAccounts.create', { params: inPayments, body })
        const params = { ...inPayments, serviceAccount: id as string }
        return changing('serviceAccounts.get', params, { subject: fixture.fresh('subject') })(fixture)
      },
      gives: true,
    },
  ],
  'serviceAccounts.delete': made(
    async (fixture) => {
      const id = await makeAccount(fixture)
      return { params: { ...inPayments, serviceAccount: id }, query: { confirm: id } }
    },
    { consumes: true },
  ),
  'serviceAccounts.createKey': [
    { variant: '', roles: [] as string[] },
    { variant: 'of one with GROUP_OWNER', roles: ['GROUP_OWNER'], gives: true as const },
  ].map(({ variant, roles, ...more }) => ({
    variant,
    make: async (fixture: Fixture) => ({
      params: { ...inPayments, serviceAccount: await makeAccount(fixture, roles) },
      body: {},
    }),
    consumes: true as const,
    ...more,
  })),
  'serviceAccounts.revokeKey': made(
    async (fixture) => {
      const params = { ...inPayments, serviceAccount: await makeAccount(fixture) }
      const { id } = await fixture.make('serviceAccounts.createKey', { params, body: {} })
      return { params: { ...params, key: id as string } }
    },
    { consumes: true },
  ),

  'versions.list': ofDocuments((document) => ({ query: { document } })),
  'versions.get': ofDocuments((document) => ({ params: { version: '1' }, query: { document } })),
  'versions.diff': ofDocuments((document) => ({
    params: { version: '1' },
    query: { document, against: '0' },
  })),
  'versions.restore': [
    ...ofDocuments(
      (document, version) => ({
        params: { version: '1' },
        query: { document },
        ifMatch: `"${version}"`,
      }),
      'write',
    ),
    {
      variant: 'a user who had GLOBAL_OWNER',
      make: async (fixture) => {
        const user = await makeUser(fixture, fixture.fresh('user'), { roles: ['GLOBAL_OWNER'] })
        const change = changing('users.get', { user }, { given: {} })
        await fixture.make('users.update', await change(fixture))
        return { params: { version: '1' }, query: { document: `user/${user}` }, ifMatch: '"2"' }
      },
      gives: true,
      asks: { level: { kind: 'global' }, permissions: ['instance.users.write'] },
    },
    {
      variant: 'a service account that had GROUP_OWNER',
      make: async (fixture) => {
        const serviceAccount = await makeAccount(fixture, ['GROUP_OWNER'])
        const change = changing('serviceAccounts.get', { ...inPayments, serviceAccount }, { roles: [] })
        await fixture.make('serviceAccounts.update', await change(fixture))
        const document = `service-account/${serviceAccount}`
        return { params: { version: '1' }, query: { document }, ifMatch: '"2"' }
      },
      gives: true,
      asks: { level: { kind: 'global' }, permissions: ['instance.users.write'] },
    },
  ],
  'audit.list': plain(),
  'audit.heads': plain(),
  'organizationAudit.list': plain({ params: inAcme }),
  'organizationAudit.heads': plain({ params: inAcme }),
}

/** One for each kind of document; whoever may read or write what it says may read or restore its versions. */
function ofDocuments(
  trial: (document: string, version: number) => Trial,
  access: 'read' | 'write' = 'read',
): Omit<TrialRow, 'id'>[] {
  const instance: Level = { kind: 'global' }
  const acme: Level = { kind: 'organization', ...inAcme }
  const payments: Level = { kind: 'project', ...inPayments }
  const kinds: [(fixture: Fixture) => string, string, Level, string, string[]][] = [
    [() => 'policy', 'policy', instance, 'instance.read', ['instance.policy.write']],
    [() => 'settings', 'settings', instance, 'instance.read', ['instance.settings.write']],
    [
      () => `organization/${ACME}`,
      'organization/acme',
      acme,
      'organization.read',
      ['organization.update', 'organization.mappings.write'],
    ],
    [
      () => `project/${ACME}/payments`,
      'project/acme/payments',
      payments,
      'project.read',
      ['project.write', 'project.mappings.write'],
    ],
    [() => 'issuer/partner', 'issuer/partner', instance, 'instance.read', ['instance.issuers.write']],
    [
      () => `issuer/${ACME}/workforce`,
      'issuer/acme/workforce',
      acme,
      'organization.read',
      ['organization.issuers.write'],
    ],
    [
      () => `issuer-keys/${ACME}/own`,
      'issuer-keys/acme/own',
      acme,
      'organization.read',
      ['organization.issuers.write'],
    ],
    [({ user }) => `user/${user}`, 'user/...', instance, 'instance.users.read', ['instance.users.write']],
    [
      ({ account }) => `service-account/${account}`,
      'service-account/...',
      instance,
      'instance.users.read',
      ['instance.users.write'],
    ],
  ]
  return kinds.map(([document, variant, level, read, write]) => ({
    variant,
    make: async (fixture) => {
      const name = document(fixture)
      const { items } = await fixture.make('versions.list', { query: { document: name } })
      const [newest] = items as { version: number }[]
      return trial(name, newest?.version ?? 0)
    },
    asks: { level, permissions: access === 'read' ? [read] : write },
  }))
}

export const TRIALS: readonly TrialRow[] = (Object.keys(OPERATIONS) as OperationId[]).flatMap((id) => {
  return rows[id].map((row) => ({ id, ...row }))
})

/** As a dry run, where the operation has them. */
export function asDryRun({ id }: TrialRow, trial: Trial): Trial {
  const { write } = OPERATIONS[id] as Operation
  return write?.dryRun ? { ...trial, query: { ...trial.query, dryRun: 'true' } } : trial
}

/** What the table calls the row. */
export const nameOf = ({ id, variant }: TrialRow) => (variant === '' ? id : `${id} (${variant})`)
