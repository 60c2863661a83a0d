// Explanations by example: proofs, reasons, near misses and suggestions, a row each. What holds of all of them is
// explain.properties.test.ts's.
import { describe, expect, test } from 'vitest'
import { rolesAt } from '../../policy/decide.ts'
import { type ExplainQuestion, type Explanation, explain } from '../../policy/explain.ts'
import { type Level, levelOf } from '../../policy/level.ts'
import { organizationAt, type WholePolicy } from '../../policy/loaded.ts'
import { principalFromClaims } from '../../policy/principal.ts'
import { PolicyDocument } from '../../policy/schema.ts'
import { loaded, NOW, principalOf, sound } from './explain-arbitraries.ts'
import { applied } from './explain-changes.ts'

const ROLES = {
  GLOBAL_OWNER: { level: 'global', permissions: ['instance.write'], implies: ['ORG_OWNER'] },
  ORG_OWNER: {
    level: 'organization',
    permissions: ['organization.write'],
    implies: ['GROUP_OWNER', 'ORG_READER'],
  },
  ORG_READER: { level: 'organization', permissions: ['organization.read', 'project.read'] },
  ORG_MEMBER: { level: 'organization', permissions: ['organization.read'] },
  GROUP_OWNER: { level: 'project', permissions: ['project.write'], implies: ['GROUP_READER'] },
  GROUP_READER: { level: 'project', permissions: ['project.read'] },
}

const okta = { issuer: 'https://okta.example', groups: { claim: 'groups' } }

function documentOf(members: object): PolicyDocument {
  const issuers = { okta }
  return sound(PolicyDocument.parse({ version: 1, roles: ROLES, issuers, ...members }))
}

function policyOf(members: object): WholePolicy {
  return loaded(documentOf(members))
}

/** What is explained to somebody whose token says these claims. */
function explained(
  policy: WholePolicy,
  claims: object,
  at: Level,
  more: Partial<ExplainQuestion> = {},
  by = 'okta',
): Explanation {
  const record = policy.issuers.find(({ id }) => id === by)
  if (!record) throw new Error(`no issuer ${by}`)
  const result = principalFromClaims(record, { sub: 'someone', ...claims })
  if (!result.ok) throw new Error(result.detail)
  return explain(policy, organizationAt(policy, at), result.principal, { level: at, now: NOW, ...more })
}

const GLOBAL = levelOf(null, null)
const ACME = levelOf('acme', null)
const WEB = levelOf('acme', 'web')
const groups = (...names: string[]) => ({ groups: names })
const mapping = (roleName: string, group: string, more: object = {}) => ({
  roleName,
  idpGroups: [group],
  ...more,
})
const inAcme = (...idpGroupMappings: object[]) => ({
  organizations: { acme: { idpGroupMappings, projects: { web: {}, app: {} } } },
})

describe('proofs', () => {
  test('go from the claim to the role', () => {
    const policy = policyOf({
      issuers: {
        okta: {
          ...okta,
          groups: { claim: ['realm', 'groups'], stripPrefix: '/', names: { 'id-7': 'admins' } },
        },
      },
      ...inAcme(
        mapping('ORG_OWNER', 'admins', {
          when: [{ claim: 'acr', equals: 'high' }],
          notAfter: '2027-01-01T00:00:00Z',
        }),
      ),
    })
    const { roles, groups: said } = explained(
      policy,
      { realm: { groups: ['id-7', '/other'] }, acr: 'high' },
      WEB,
    )
    expect(said).toEqual({
      outcome: 'listed',
      claim: 'realm.groups',
      names: [
        { raw: 'id-7', group: 'admins' },
        { raw: '/other', group: 'other' },
      ],
      until: null,
    })
    const given = {
      role: 'ORG_OWNER',
      mapping: 'organizations.acme.idpGroupMappings[0]',
      claim: 'realm.groups',
      raw: 'id-7',
      group: 'admins',
      pattern: null,
      conditions: [{ condition: { claim: ['acr'], equals: 'high' }, claimed: 'high' }],
      notBefore: null,
      notAfter: Date.parse('2027-01-01T00:00:00Z') / 1000,
    }
    expect(roles).toEqual([
      { role: 'GROUP_OWNER', proofs: [{ given, chain: ['ORG_OWNER', 'GROUP_OWNER'] }] },
      { role: 'GROUP_READER', proofs: [{ given, chain: ['ORG_OWNER', 'GROUP_OWNER', 'GROUP_READER'] }] },
      { role: 'ORG_OWNER', proofs: [{ given, chain: ['ORG_OWNER'] }] },
      { role: 'ORG_READER', proofs: [{ given, chain: ['ORG_OWNER', 'ORG_READER'] }] },
    ])
  })

  test('are all of them, with the shortest chain each', () => {
    const policy = policyOf({
      idpGroupMappings: [mapping('GLOBAL_OWNER', 'root')],
      ...inAcme(mapping('ORG_OWNER', 'a'), mapping('ORG_OWNER', 'b')),
    })
    const { roles } = explained(policy, groups('root', 'a', 'b', 'a'), WEB)
    const proofs = roles.find(({ role }) => role === 'GROUP_OWNER')?.proofs ?? []
    expect(proofs.map(({ given, chain }) => [given.group, chain.length])).toEqual([
      ['root', 3],
      ['a', 2],
      ['b', 2],
    ])
  })

  test('say what a pattern captured', () => {
    const policy = policyOf({
      patternMappings: [{ roleName: 'GROUP_OWNER', groupPatterns: ['team:{org}:{project}:admin'] }],
      ...inAcme(),
    })
    const { roles } = explained(policy, groups('team:acme:web:admin'), WEB)
    expect(roles[0]?.proofs[0]?.given.pattern).toEqual({
      text: 'team:{org}:{project}:admin',
      captured: { org: 'acme', project: 'web' },
    })
  })

  test('name the default role of an organization', () => {
    const own = { own: { issuer: 'https://own.example' } }
    const policy = policyOf({ organizations: { acme: { issuers: own, onUnmatched: 'ORG_MEMBER' } } })
    const { roles } = explained(policy, groups(), ACME, {}, 'acme/own')
    expect(roles).toMatchObject([
      {
        role: 'ORG_MEMBER',
        proofs: [{ given: { group: null, raw: null, mapping: 'organizations.acme.onUnmatched' } }],
      },
    ])
  })
})

describe('the default role', () => {
  const own = { own: { issuer: 'https://own.example' } }
  const member = (names: string[], members: object, at: Level) => {
    const policy = policyOf(members)
    const groupsSaid = { outcome: 'listed' as const, names }
    return rolesAt(policy, organizationAt(policy, at), principalOf('acme/own', groupsSaid), at, NOW)
  }
  const withDefault = (projects: object, more: object = {}) => ({
    organizations: { acme: { issuers: own, onUnmatched: 'ORG_MEMBER', projects } },
    ...more,
  })

  test('stays and goes with mappings in other projects', () => {
    const window = { notBefore: '2026-07-01T00:00:00Z' }
    const later = withDefault({ web: { idpGroupMappings: [mapping('GROUP_READER', 'a', window)] } })
    const until = Date.parse(window.notBefore) / 1000
    expect(member(['a'], later, ACME)).toEqual({ roles: ['ORG_MEMBER'], until })
  })

  test('is not given beside a role in a project by pattern, at no level', () => {
    const patternMappings = [{ roleName: 'GROUP_READER', groupPatterns: ['t:{org}:{project}'] }]
    const members = withDefault({ web: {}, app: {} }, { patternMappings })
    expect(member(['t:acme:web'], members, ACME).roles).toEqual([])
    expect(member(['t:acme:web'], members, levelOf('acme', 'app')).roles).toEqual([])
    expect(member(['t:acme:web'], members, WEB).roles).toEqual(['GROUP_READER'])
  })

  test('is given beside a pattern that captured no project', () => {
    const patternMappings = [{ roleName: 'GROUP_READER', groupPatterns: ['t:{org}:{project}'] }]
    const members = withDefault({ web: {} }, { patternMappings })
    expect(member(['t:acme:none'], members, ACME).roles).toEqual(['ORG_MEMBER'])
  })
})

describe('what gives nothing', () => {
  const failing: [name: string, more: object, claims: object, reason: string, detail: string][] = [
    ['an end', { notAfter: '2026-05-01T00:00:00Z' }, {}, 'over', 'It counted before 2026-05-01T00:00:00Z.'],
    [
      'a beginning',
      { notBefore: '2026-07-01T00:00:00Z' },
      {},
      'not_yet',
      'It counts from 2026-07-01T00:00:00Z.',
    ],
    [
      'issuers',
      { issuers: ['entra'] },
      {},
      'issuer_not_named',
      'It believes entra; "okta" vouches for the caller.',
    ],
    [
      'a condition on a claim that is not there',
      { when: [{ claim: 'acr', equals: 'high' }] },
      {},
      'condition_failed',
      'It asks that the claim "acr" is "high"; the token does not say it.',
    ],
    [
      'a condition on a claim that is otherwise',
      { when: [{ claim: 'amr', contains: 'hwk' }] },
      { amr: ['pin'] },
      'condition_failed',
      'It asks that the claim "amr" contains "hwk"; it is ["pin"].',
    ],
    [
      'a choice of values',
      { when: [{ claim: 'n', oneOf: [1, '2'] }] },
      { n: 2 },
      'condition_failed',
      'It asks that the claim "n" is one of 1, "2"; it is 2.',
    ],
  ]
  for (const [name, more, claims, reason, detail] of failing) {
    test(`says so of ${name}`, () => {
      const issuers = { okta, entra: { issuer: 'https://entra.example' } }
      const policy = policyOf({
        issuers,
        ...inAcme(mapping('ORG_READER', 'a', more), mapping('ORG_READER', 'b')),
      })
      const { failed, roles, unmatched } = explained(policy, { ...groups('a'), ...claims }, ACME)
      expect(roles).toEqual([])
      expect(failed).toMatchObject([
        { mapping: 'organizations.acme.idpGroupMappings[0]', role: 'ORG_READER', group: 'a', reason, detail },
      ])
      expect(unmatched).toEqual({
        total: 1,
        mappings: [
          {
            mapping: 'organizations.acme.idpGroupMappings[1]',
            role: 'ORG_READER',
            groups: ['b'],
            patterns: [],
            reason: 'group_missing',
            detail: 'The caller has no group that it asks for.',
          },
        ],
        next: null,
      })
    })
  }

  const captured: [name: string, group: string, reason: string, detail: string][] = [
    ['no organization', 't:nowhere:web', 'captured_unknown', 'There is no organization "nowhere".'],
    [
      'another organization',
      't:globex:web',
      'captured_elsewhere',
      'It gives its role in organization globex.',
    ],
    ['no project', 't:acme:none', 'captured_unknown', 'There is no project "none" in organization acme.'],
    [
      'another project',
      't:acme:app',
      'captured_elsewhere',
      'It gives its role in project app of organization acme.',
    ],
  ]
  for (const [name, group, reason, detail] of captured) {
    test(`says so of a pattern that captured ${name}`, () => {
      const patternMappings = [{ roleName: 'GROUP_READER', groupPatterns: ['t:{org}:{project}'] }]
      const organizations = { acme: { projects: { web: {}, app: {} } }, globex: {} }
      const policy = policyOf({ patternMappings, organizations })
      const { failed, roles } = explained(policy, groups(group), WEB)
      expect(roles).toEqual([])
      expect(failed).toMatchObject([{ reason, detail, group, pattern: { text: 't:{org}:{project}' } }])
    })
  }

  test("does not tell members by an organization's issuer what exists elsewhere", () => {
    const organizations = {
      acme: { issuers: { own: { issuer: 'https://own.example' } }, projects: { web: {} } },
      globex: {},
    }
    const policy = policyOf({
      organizations,
      patternMappings: [{ roleName: 'GROUP_READER', groupPatterns: ['t:{org}:{project}'] }],
      idpGroupMappings: [mapping('GLOBAL_OWNER', 'root'), mapping('GLOBAL_OWNER', 'others')],
    })
    const told = explained(policy, groups('t:globex:web', 't:nowhere:web', 'root'), WEB, {}, 'acme/own')
    expect(told.failed.map(({ reason }) => reason)).toEqual(Array(3).fill('outside_voucher'))
    expect(told.unmatched.mappings.map(({ reason }) => reason)).toEqual(['outside_voucher'])
    const outside = explained(
      policy,
      groups('root'),
      levelOf('globex', null),
      { permission: 'organization.read' },
      'acme/own',
    )
    expect(outside).toMatchObject({
      standing: { reason: 'outside_voucher' },
      roles: [],
      failed: [],
      near: [],
    })
    expect(outside.unmatched).toEqual({ total: 0, mappings: [], next: null })
    expect(outside.wanted?.fixes).toEqual([])
  })

  test('says that a token has no groups, or too many', () => {
    const policy = policyOf(inAcme(mapping('ORG_READER', 'a')))
    expect(explained(policy, {}, ACME).unmatched.mappings[0]?.reason).toBe('groups_absent')
    expect(explained(policy, { hasgroups: true }, ACME).unmatched.mappings[0]?.reason).toBe('groups_overage')
  })

  test('comes in the order of the document, page by page', () => {
    const policy = policyOf({
      idpGroupMappings: [mapping('GLOBAL_OWNER', 'root')],
      ...inAcme(...Array.from({ length: 12 }, (_, index) => mapping('ORG_READER', `g${index}`))),
    })
    const page = (after: number) =>
      explained(policy, groups('g3'), ACME, { page: { after, size: 5 } }).unmatched
    const numbers = (after: number) =>
      page(after).mappings.map(({ mapping: path }) => path.replace(/^.*\[|\]$/g, ''))
    expect(page(0)).toMatchObject({ total: 12, next: 6 })
    expect(numbers(0)).toEqual(['0', '0', '1', '2', '4'])
    expect(numbers(6)).toEqual(['5', '6', '7', '8', '9'])
    expect(numbers(11)).toEqual(['10', '11'])
    expect(page(11).next).toBeNull()
  })
})

describe('near misses', () => {
  const near: [name: string, has: string, wanted: string, differs: string[], distance: number][] = [
    ['case', 'Admins', 'admins', ['case'], 0],
    ['white space around', ' admins ', 'admins', ['space'], 0],
    ['white space inside', 'site admins', 'site  admins', ['space'], 0],
    ['composed and decomposed letters', 'cafe\u0301', 'caf\u00e9', ['unicode'], 0],
    ['compatible letters', 'o\ufb03ce', 'office', ['unicode'], 0],
    ['a leading slash', '/admins', 'admins', ['slash'], 0],
    ['a slash that lacks', 'admins', '/admins', ['slash'], 0],
    ['case and white space', 'Site Admins', 'siteadmins', ['case', 'space'], 0],
    ['a letter more', 'adminss', 'admins', ['letters'], 1],
    ['a letter less', 'admns', 'admins', ['letters'], 1],
    ['a letter changed', 'edmins', 'admins', ['letters'], 1],
    ['two letters the other way round', 'amdins', 'admins', ['letters'], 2],
    ['two letters changed', 'edmint', 'admins', ['letters'], 2],
    ['case and a letter', 'Admns', 'admins', ['case', 'letters'], 1],
    ['an id for a name', 'id-9', 'nine', ['name'], 0],
    ['a name for an id', 'eight', 'id-8', ['name'], 0],
  ]
  for (const [name, has, wanted, differs, distance] of near) {
    test(`are found by ${name}`, () => {
      const names = { names: { 'ID-9': 'nine', 'id-8': 'eight' } }
      const policy = policyOf({
        issuers: { okta: { ...okta, groups: names } },
        ...inAcme(mapping('ORG_READER', wanted)),
      })
      const found = explained(policy, groups(has), ACME).near
      expect(found).toMatchObject([
        { group: has, wanted, differs, distance, role: 'ORG_READER', alsoFails: null },
      ])
    })
  }

  const far: [name: string, has: string, wanted: string][] = [
    ['three letters changed', 'adxxxs', 'admins'],
    ['a letter of two', 'ab', 'ac'],
    ['two letters of four', 'abcd', 'abxy'],
  ]
  for (const [name, has, wanted] of far) {
    test(`are not seen in ${name}`, () => {
      const policy = policyOf(inAcme(mapping('ORG_READER', wanted)))
      expect(explained(policy, groups(has), ACME).near).toEqual([])
    })
  }

  test('are ranked, at most 20, and say what else fails', () => {
    const policy = policyOf(
      inAcme(
        mapping('ORG_READER', 'bdmins'),
        mapping('ORG_READER', 'oPS', { notAfter: '2026-01-01T00:00:00Z' }),
        mapping('ORG_READER', '/Ops'),
        mapping('ORG_READER', 'Ops'),
        ...Array.from({ length: 30 }, () => mapping('ORG_OWNER', 'writer')),
      ),
    )
    const { near: found } = explained(policy, groups('ops', 'admins', 'writers'), ACME)
    expect(found).toHaveLength(20)
    expect(found.slice(0, 3).map(({ wanted }) => wanted)).toEqual(['Ops', '/Ops', 'bdmins'])
    const { near: few } = explained(policy, groups('ops'), ACME)
    expect(few.at(-1)).toMatchObject({ wanted: 'oPS', alsoFails: 'It counted before 2026-01-01T00:00:00Z.' })
    expect(few[0]?.sentence).toBe(
      'The group is "ops", the mapping asks for "Ops": upper and lower case differ.',
    )
  })

  test('are found for patterns', () => {
    const patternMappings = [{ roleName: 'GROUP_READER', groupPatterns: ['t:{org}:{project}'] }]
    const policy = policyOf({ patternMappings, ...inAcme() })
    expect(explained(policy, groups('T:acme:Web'), WEB).near).toMatchObject([
      { wanted: 't:acme:web', differs: ['case'] },
    ])
    expect(explained(policy, groups('T:acme:Web'), ACME).near).toEqual([])
  })

  test('are not looked for in what other projects or the voucher exclude', () => {
    const own = { own: { issuer: 'https://own.example' } }
    const projects = { web: {}, app: { idpGroupMappings: [mapping('GROUP_READER', 'admins')] } }
    const policy = policyOf({
      idpGroupMappings: [mapping('GLOBAL_OWNER', 'admins')],
      organizations: { acme: { issuers: own, projects } },
    })
    expect(explained(policy, groups('Admins'), WEB, {}, 'acme/own').near).toEqual([])
    expect(explained(policy, groups('Admins'), levelOf('acme', 'app'), {}, 'acme/own').near).toHaveLength(1)
    expect(explained(policy, groups('Admins'), GLOBAL).near).toHaveLength(1)
  })
})

describe('what would give a permission', () => {
  const changesOf = (members: object, claims: object, permission: string, at = WEB, by = 'okta') => {
    const { wanted } = explained(policyOf(members), claims, at, { permission }, by)
    expect(wanted?.decision.allowed).toBe(false)
    return wanted?.fixes.map(({ role, changes }) => [role, ...changes.map(({ kind }) => kind)])
  }

  test('is nothing when it is given already, or no role has it', () => {
    const policy = policyOf(inAcme(mapping('ORG_READER', 'a')))
    const given = explained(policy, groups('a'), WEB, { permission: 'project.read' }).wanted
    expect(given).toMatchObject({ decision: { allowed: true }, fixes: [] })
    expect(changesOf(inAcme(), groups('a'), 'never.given')).toEqual([])
  })

  test('begins with the role that reaches least, and the fewest changes', () => {
    const found = changesOf(inAcme(mapping('ORG_READER', 'readers')), groups('a'), 'project.read')
    expect(found).toEqual([
      ['GROUP_READER', 'add_mapping'],
      ['GROUP_OWNER', 'add_mapping'],
      ['ORG_READER', 'add_group'],
      ['ORG_READER', 'add_mapping'],
      ['ORG_OWNER', 'add_mapping'],
      ['GLOBAL_OWNER', 'add_mapping'],
    ])
  })

  test('may be a window, an issuer, a claim or a name', () => {
    const members = {
      issuers: { okta, entra: { issuer: 'https://entra.example' } },
      ...inAcme(
        mapping('ORG_OWNER', 'a', {
          notAfter: '2026-05-01T00:00:00Z',
          when: [{ claim: 'acr', equals: 'high' }],
        }),
        mapping('ORG_OWNER', 'a', { notBefore: '2026-07-01T00:00:00Z' }),
        mapping('ORG_OWNER', 'a', { issuers: ['entra'] }),
        mapping('ORG_OWNER', 'B'),
      ),
    }
    const found = changesOf(members, groups('a', 'b'), 'organization.write', ACME)
    expect(found).toContainEqual(['ORG_OWNER', 'change_window'])
    expect(found).toContainEqual(['ORG_OWNER', 'believe_issuer'])
    expect(found).toContainEqual(['ORG_OWNER', 'rename_group'])
    expect(found?.at(-1)).toEqual(['ORG_OWNER', 'change_window', 'meet_condition'])
  })

  test('is sound, and says it in a sentence', () => {
    const document = documentOf({
      issuers: { okta: { ...okta, groups: { stripPrefix: '/', addPrefix: 'kc:' } } },
      ...inAcme(mapping('ORG_READER', 'kc:readers'), mapping('ORG_READER', 'unsayable')),
    })
    const { wanted } = explained(loaded(document), groups('/a'), WEB, { permission: 'project.read' })
    const sentences = wanted?.fixes.map(({ changes }) => changes.map(({ sentence }) => sentence)) ?? []
    expect(sentences[0]).toEqual([
      'Give GROUP_READER on project web of organization acme to everybody in "kc:a": a mapping in organizations.acme.projects.web.idpGroupMappings.',
    ])
    expect(sentences).toContainEqual([
      'Add the person to the group "readers" at "okta": organizations.acme.idpGroupMappings[0].',
    ])
    expect(sentences.join()).not.toContain('unsayable')
  })

  test('believes only the issuer that vouches where several are trusted', () => {
    const issuers = { okta, entra: { issuer: 'https://entra.example' } }
    const document = documentOf({ issuers, ...inAcme() })
    const { wanted } = explained(loaded(document), groups('a'), WEB, { permission: 'project.write' })
    expect(wanted?.fixes[0]?.changes).toMatchObject([
      {
        kind: 'add_mapping',
        mapping: { roleName: 'GROUP_OWNER', idpGroups: ['a'], issuers: ['okta'] },
        level: WEB,
      },
    ])
  })

  test('stays within the voucher', () => {
    const own = { own: { issuer: 'https://own.example' } }
    const members = {
      idpGroupMappings: [mapping('GLOBAL_OWNER', 'root')],
      organizations: { acme: { issuers: own } },
    }
    const found = changesOf(members, groups('a', 'root', 'Root'), 'organization.write', ACME, 'acme/own')
    expect(found).toEqual([['ORG_OWNER', 'add_mapping']])
    expect(changesOf(members, groups('a'), 'instance.write', ACME, 'acme/own')).toEqual([])
  })

  test('begins with the issuer when the token says no groups', () => {
    const found = changesOf(inAcme(mapping('ORG_READER', 'readers')), {}, 'organization.read', ACME)
    expect(found?.[0]).toEqual(['ORG_READER', 'send_groups', 'add_group'])
    const document = documentOf(inAcme())
    const { wanted } = explained(loaded(document), {}, WEB, { permission: 'project.read' })
    expect(wanted?.fixes.map(({ changes }) => changes.map(({ kind }) => kind))).toEqual([
      ['send_groups', 'add_mapping', 'add_group'],
    ])
    expect(
      applied({ document, principal: { claims: {} } as never }, wanted?.fixes[0]?.changes ?? []),
    ).toMatchObject({
      principal: { groups: { outcome: 'listed', names: ['acme:web:GROUP_READER'] } },
    })
  })
})
