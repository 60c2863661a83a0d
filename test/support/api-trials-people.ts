// Requests of every operation on users, an organization's members, and service accounts with their keys.
import type { OperationId } from '../../policy/operations/table.ts'
import { ACME } from './api-callers.ts'
import { type Fixture, inAcme, inPayments, makeAccount, makeUser, type Trial } from './api-fixture.ts'
import { changing, type Make, made, plain, type Row } from './api-trial.ts'

const user: Make = async ({ user }) => ({ params: { user } })
const account: Make = async (fixture) => ({ params: { ...inPayments, serviceAccount: fixture.account } })

/** The request changes a user made for it. */
function ofNewUser(trial: (id: string, fixture: Fixture) => Trial, given?: object, issuer = 'callers'): Make {
  return async (fixture) => {
    const id = await makeUser(fixture, fixture.fresh('user'), given, issuer)
    const ifMatch = await fixture.version('users.get', { params: { user: id } })
    return { ifMatch, ...trial(id, fixture) }
  }
}

export const peopleRows = {
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
} satisfies Partial<Record<OperationId, Row[]>>
