// Requests of every operation on organizations, projects, the instance and issuers.
import { levelOf } from '../../policy/level.ts'
import type { OperationId } from '../../policy/operations/table.ts'
import { ACME, acmeTokenOf, groupOf, INSTANCE, tokenOf } from './api-callers.ts'
import { type Fixture, inAcme, inPayments } from './api-fixture.ts'
import { changing, type Make, made, plain, type Row } from './api-trial.ts'

const groups = (role: string, group = 'somebody') => [{ roleName: role, idpGroups: [group] }]

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

export const placeRows = {
  'me.get': plain(),
  'me.explain': plain({ query: { organization: ACME, permission: 'organization.read' } }),
  'me.sessions.list': plain(),
  'me.sessions.end': plain({ body: {} }),
  'sessions.list': plain({ query: { issuer: INSTANCE, subject: 'somebody' } }),
  'sessions.end': [
    { variant: "a person's", make: async () => ({ body: { issuer: INSTANCE, subject: 'somebody' } }) },
    { variant: "an issuer's", make: async () => ({ body: { issuer: 'nobody-has-it' } }) },
    { variant: 'all', make: async () => ({ body: { all: true }, query: { confirm: 'all' } }) },
  ],
  'organizations.sessions.end': plain({ params: inAcme }),
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
  'singleSignOn.get': plain(),
  'singleSignOn.update': made(changing('singleSignOn.get', {}, { isActive: true }), { consumes: true }),
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
} satisfies Partial<Record<OperationId, Row[]>>
