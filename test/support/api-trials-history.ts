// Requests of every operation on versions, of each kind of document, and on the audit.
import type { Level } from '../../policy/level.ts'
import type { OperationId } from '../../policy/operations/table.ts'
import { ACME } from './api-callers.ts'
import { type Fixture, inAcme, inPayments, makeAccount, makeUser, type Trial } from './api-fixture.ts'
import { changing, plain, type Row } from './api-trial.ts'

export const historyRows = {
  'versions.list': ofDocuments((document) => ({ query: { document } })),
  // All kinds are listed and restored; for these one of each level is enough.
  'versions.get': ofDocuments((document) => ({ params: { version: '1' }, query: { document } })).filter(
    isOfEachLevel,
  ),
  'versions.diff': ofDocuments((document) => ({
    params: { version: '1' },
    query: { document, against: '0' },
  })).filter(isOfEachLevel),
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
} satisfies Partial<Record<OperationId, Row[]>>

function isOfEachLevel({ variant }: Row): boolean {
  return ['policy', 'organization/acme', 'project/acme/payments', 'user/...'].includes(variant)
}

/** One for each kind of document; whoever may read or write what it says may read or restore its versions. */
function ofDocuments(
  trial: (document: string, version: number) => Trial,
  access: 'read' | 'write' = 'read',
): Row[] {
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
