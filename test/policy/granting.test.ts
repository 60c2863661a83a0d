// Who may make a change: the rules of granting, asked of documents. Over the API they are shown in
// test/worker/api-grants.test.ts.
import { describe, expect, it } from 'vitest'
import { judgeGivenDirectly, judgeGranting } from '../../policy/granting.ts'
import type { Level } from '../../policy/level.ts'
import type { Principal } from '../../policy/principal.ts'
import type { PolicyDocument } from '../../policy/schema.ts'
import { documentOf } from './policies.ts'

const NOW = 1_800_000_000

function somebody(groups: string[], more: Partial<Principal> = {}): Principal {
  return {
    kind: 'user',
    issuer: 'main',
    subject: 's',
    voucher: { issuer: 'main', organization: null },
    groups: { outcome: 'listed', names: groups },
    given: [],
    userName: null,
    email: null,
    firstName: null,
    lastName: null,
    claims: {},
    ...more,
  }
}

interface Case {
  before: object
  after: object
  groups?: string[]
  /** By "acme", "acme/payments" or "". */
  roles: Record<string, string[]>
  principal?: Partial<Principal>
}

const nameOf = (level: Level) => {
  return level.kind === 'global'
    ? ''
    : level.kind === 'organization'
      ? level.organization
      : `${level.organization}/${level.project}`
}
const document = (acme: object, more: object = {}): PolicyDocument => {
  return documentOf(
    JSON.stringify({
      version: 1,
      issuers: { main: { issuer: 'https://idp.test' } },
      organizations: { acme },
      ...more,
    }),
  )
}

function judge({ before, after, groups = [], roles, principal = {} }: Case) {
  const actor = {
    principal: somebody(groups, principal),
    rolesAt: (level: Level) => roles[nameOf(level)] ?? [],
  }
  const judgement = judgeGranting({ before: document(before), after: document(after), actor, now: NOW })
  return {
    refused: judgement.refused.map(({ reason, path }) => `${reason} ${path}`),
    toConfirm: judgement.toConfirm.map(({ what }) => what),
  }
}

const owner = (...idpGroups: string[]) => ({ roleName: 'ORG_OWNER', idpGroups })
const NOTHING = { refused: [], toConfirm: [] }

describe('a change is judged', () => {
  it('as fine when it changes nothing, or only takes', () => {
    const acme = { idpGroupMappings: [owner('a', 'b'), { roleName: 'ORG_MEMBER', idpGroups: ['m'] }] }
    expect(judge({ before: acme, after: acme, roles: {} })).toEqual(NOTHING)
    expect(judge({ before: acme, after: { idpGroupMappings: [owner('a')] }, roles: {} })).toEqual(NOTHING)
  })

  it('by what is held above: an owner of the organization gives roles of its projects', () => {
    const after = {
      projects: { payments: { idpGroupMappings: [{ roleName: 'GROUP_OWNER', idpGroups: ['g'] }] } },
    }
    const before = { projects: { payments: {} } }
    expect(judge({ before, after, roles: { acme: ['ORG_OWNER'] } })).toEqual(NOTHING)
    expect(judge({ before, after, roles: { 'acme/payments': ['GROUP_READ_ONLY'] } }).refused).toEqual([
      'grant_not_allowed organizations.acme.projects.payments.idpGroupMappings[0].roleName',
    ])
  })

  it('by what is held at a place that is only being made', () => {
    const after = {
      projects: { fresh: { idpGroupMappings: [{ roleName: 'GROUP_OWNER', idpGroups: ['mine'] }] } },
    }
    expect(
      judge({ before: {}, after, groups: ['mine'], roles: { acme: ['ORG_OWNER', 'GROUP_OWNER'] } }).refused,
    ).toEqual([
      // GROUP_OWNER holds what it implies as well, and this owner was said to hold none of it.
      'grant_to_self organizations.acme.projects.fresh',
    ])
  })

  it('as a gift to oneself also where the mapping is not allowed anyway', () => {
    const found = judge({
      before: {},
      after: { idpGroupMappings: [owner('mine')] },
      groups: ['mine'],
      roles: {},
    })
    expect(found.refused).toEqual([
      'grant_not_allowed organizations.acme.idpGroupMappings[0].roleName',
      'grant_to_self organizations.acme',
    ])
  })

  it('not as a gift where its rules keep it from whoever makes it', () => {
    const of = (more: object) =>
      judge({
        before: {},
        after: { idpGroupMappings: [{ ...owner('mine'), ...more }] },
        groups: ['mine'],
        roles: { '': ['GLOBAL_OWNER'] },
      })
    expect(of({}).refused).toEqual(['grant_to_self organizations.acme'])
    expect(of({ issuers: ['main'] }).refused).toEqual(['grant_to_self organizations.acme'])
    expect(of({ when: [{ claim: 'x', equals: 1 }] })).toEqual(NOTHING)
    expect(of({ notAfter: '2001-01-01T00:00:00Z' })).toEqual(NOTHING)
  })

  it('as a gift to oneself also where it begins later', () => {
    const of = (mapping: object, begun: object = {}) =>
      judge({
        before: begun,
        after: mapping,
        groups: ['mine'],
        roles: { '': ['GLOBAL_OWNER'] },
      }).refused
    const later = { notBefore: '2100-01-01T00:00:00Z' }
    const promised = { idpGroupMappings: [{ ...owner('mine'), ...later }] }
    expect(of(promised)).toEqual(['grant_to_self organizations.acme'])
    const pattern = { roleName: 'GROUP_OWNER', groupPatterns: ['mi*'], ...later }
    expect(of({ projects: { web: { patternMappings: [pattern] } } })).toEqual([
      'grant_to_self organizations.acme.projects.web',
    ])
    // What was promised before is not given again, and does not come sooner.
    expect(of({ ...promised, displayName: 'Acme' }, promised)).toEqual([])
    expect(of({ idpGroupMappings: [owner('mine')] }, promised)).toEqual(['grant_to_self organizations.acme'])
  })

  it('as a gift to oneself where a role one has elsewhere comes to imply more', () => {
    const acme = { projects: { web: { idpGroupMappings: [{ roleName: 'GROUP_DEV', idpGroups: ['mine'] }] } } }
    const implying = (...implies: string[]) => {
      return document(acme, { roles: { GROUP_DEV: { level: 'project', implies } } })
    }
    const actor = {
      principal: somebody(['mine']),
      rolesAt: (level: Level) => (level.kind === 'project' ? ['GROUP_DEV'] : ['GLOBAL_OWNER']),
    }
    const judgement = judgeGranting({
      before: implying(),
      after: implying('GROUP_DATA_ACCESS_READ_ONLY'),
      actor,
      now: NOW,
    })
    expect(judgement.refused.map(({ reason, path }) => `${reason} ${path}`)).toEqual([
      'grant_to_self organizations.acme.projects.web',
    ])
  })

  it('not as a gift to somebody whose voucher is another organization', () => {
    const principal = { voucher: { issuer: 'globex/own', organization: 'globex' } }
    const after = { idpGroupMappings: [owner('mine')] }
    expect(judge({ before: {}, after, groups: ['mine'], roles: { acme: ['ORG_OWNER'] }, principal })).toEqual(
      NOTHING,
    )
  })

  it('as a gift by the default role, to whom the organization itself vouches for', () => {
    const principal = { voucher: { issuer: 'acme/own', organization: 'acme' } }
    const found = judge({
      before: {},
      after: { onUnmatched: 'ORG_OWNER' },
      roles: { acme: ['ORG_OWNER'] },
      principal,
    })
    expect(found.refused).toEqual(['grant_to_self organizations.acme'])
  })

  it('as taking the last owner, and rights of one’s own', () => {
    const before = { idpGroupMappings: [owner('mine')] }
    expect(judge({ before, after: {}, groups: ['mine'], roles: { acme: ['ORG_OWNER'] } }).toConfirm).toEqual([
      'last-owner',
      'own-access',
    ])
    const other = { idpGroupMappings: [owner('theirs')] }
    expect(
      judge({ before, after: other, groups: ['mine'], roles: { acme: ['ORG_OWNER'] } }).toConfirm,
    ).toEqual(['own-access'])
    const both = { idpGroupMappings: [owner('mine'), { ...owner('mine'), notAfter: '2099-01-01T00:00:00Z' }] }
    expect(judge({ before: both, after: before, groups: ['mine'], roles: { acme: ['ORG_OWNER'] } })).toEqual(
      NOTHING,
    )
  })
})

describe('roles given directly are judged', () => {
  const { roles } = document({})
  const at = (role: string, organization: string | null, project: string | null = null) => ({
    role,
    organization,
    project,
    source: 'memberships.user/x',
  })
  const give = (
    after: ReturnType<typeof at>[],
    held: Record<string, string[]>,
    holder: 'actor' | 'another',
    before: ReturnType<typeof at>[] = [],
  ) => {
    const actor = { principal: somebody([]), rolesAt: (level: Level) => held[nameOf(level)] ?? [] }
    const judgement = judgeGivenDirectly({ roles, before, after, actor, holder })
    return {
      refused: judgement.refused.map(({ reason, path }) => `${reason} ${path}`),
      toConfirm: judgement.toConfirm.map(({ what }) => what),
    }
  }

  it('like mappings', () => {
    expect(give([at('ORG_OWNER', 'acme')], { acme: ['ORG_OWNER'] }, 'another')).toEqual(NOTHING)
    expect(give([at('GROUP_OWNER', 'acme', 'p')], { acme: ['ORG_OWNER'] }, 'another')).toEqual(NOTHING)
    expect(give([at('ORG_OWNER', 'acme')], { globex: ['ORG_OWNER'] }, 'another').refused).toEqual([
      'grant_not_allowed given.organizations.acme.roles',
    ])
    expect(give([at('GLOBAL_OWNER', null)], { '': ['GLOBAL_USER_ADMIN'] }, 'another').refused).toEqual([
      'grant_not_allowed given.roles',
    ])
    expect(give([at('ORG_OWNER', 'acme')], { '': ['GLOBAL_OWNER'] }, 'actor').refused).toEqual([
      'grant_to_self given.organizations.acme.roles',
    ])
  })

  it('only where they change', () => {
    const had = [at('ORG_OWNER', 'acme')]
    expect(give(had, {}, 'actor', had)).toEqual(NOTHING)
    expect(give([], {}, 'another', had)).toEqual(NOTHING)
    expect(give([], {}, 'actor', had)).toEqual({ refused: [], toConfirm: ['own-access'] })
  })
})
