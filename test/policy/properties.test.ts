// What holds for every policy and every principal, tried on many random ones.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compilePolicy } from '../../policy/compile.ts'
import { loadPolicy } from '../../policy/compiled.ts'
import { parsePolicy } from '../../policy/document.ts'
import type { GroupMapping, PolicyDocument } from '../../policy/schema.ts'
import { levelPath, mappings, permission, policyDocument, principal } from './arbitraries.ts'
import { naiveAllows, naiveRoles } from './interpreter.ts'
import { allowedAt, ask, levelAt, loaded, permissionsOf, readProjectFile, rolesOf } from './policies.ts'

const RUNS = { numRuns: 300 }

/** The document with every list of mappings replaced. */
function withMappings(
  document: PolicyDocument,
  change: (mappings: GroupMapping[]) => GroupMapping[],
): PolicyDocument {
  const organizations = Object.entries(document.organizations).map(([slug, organization]) => {
    const projects = Object.entries(organization.projects).map(([name, project]) => {
      return [name, { ...project, idpGroupMappings: change(project.idpGroupMappings) }]
    })
    const idpGroupMappings = change(organization.idpGroupMappings)
    return [slug, { ...organization, idpGroupMappings, projects: Object.fromEntries(projects) }]
  })
  return {
    ...document,
    idpGroupMappings: change(document.idpGroupMappings),
    organizations: Object.fromEntries(organizations),
  }
}

describe('decisions', () => {
  test('do not change with the order of mappings and groups', () => {
    const property = fc.property(
      policyDocument,
      principal,
      levelPath,
      permission,
      (document, who, at, what) => {
        const policy = loaded(document)
        const reverse = (list: GroupMapping[]) =>
          [...list].reverse().map((mapping) => ({ ...mapping, idpGroups: [...mapping.idpGroups].reverse() }))
        const rotate = (list: GroupMapping[]) => [...list.slice(1), ...list.slice(0, 1)]
        const { groups } = who
        const backwards =
          groups.outcome === 'listed'
            ? { ...who, groups: { ...groups, names: [...groups.names].reverse() } }
            : who
        const { allowed, ...rest } = ask(policy, who, what, at)
        for (const change of [reverse, rotate]) {
          const other = loaded(withMappings(document, change))
          expect(ask(other, backwards, what, at)).toMatchObject(allowed ? { allowed } : { allowed, ...rest })
          expect(rolesOf(other, backwards, at)).toEqual(rolesOf(policy, who, at))
        }
      },
    )
    fc.assert(property, RUNS)
  })

  test('never lose a permission to a mapping that is added', () => {
    const added = fc.record({
      global: mappings('global', ['okta', 'entra']),
      organization: mappings('organization', ['okta', 'entra', 'acme/own']),
      project: mappings('project', ['okta', 'entra', 'acme/own']),
    })
    const property = fc.property(policyDocument, added, principal, levelPath, (document, more, who, at) => {
      const { acme } = document.organizations
      const web = acme?.projects.web
      if (!acme || !web) throw new Error('the arbitrary made no acme/web')
      const projects = {
        ...acme.projects,
        web: { ...web, idpGroupMappings: [...more.project, ...web.idpGroupMappings] as GroupMapping[] },
      }
      const idpGroupMappings = [...acme.idpGroupMappings, ...more.organization] as GroupMapping[]
      const larger = loaded({
        ...document,
        idpGroupMappings: [...more.global, ...document.idpGroupMappings] as GroupMapping[],
        organizations: { ...document.organizations, acme: { ...acme, idpGroupMappings, projects } },
      })
      const policy = loaded(document)
      expect(allowedAt(larger, who, at)).toEqual(expect.arrayContaining(allowedAt(policy, who, at)))
      expect(rolesOf(larger, who, at)).toEqual(expect.arrayContaining(rolesOf(policy, who, at)))
    })
    fc.assert(property, RUNS)
  })

  test('never give anything outside the organization whose issuer vouches, nor by a global mapping', () => {
    const property = fc.property(policyDocument, principal, levelPath, (document, who, at) => {
      const { organization } = who.voucher
      fc.pre(organization !== null)
      const policy = loaded(document)
      if (at.split('/')[0] !== organization) {
        expect(allowedAt(policy, who, at)).toEqual([])
        expect(rolesOf(policy, who, at)).toEqual([])
      }
      const without = loaded({ ...document, idpGroupMappings: [] })
      expect(allowedAt(policy, who, at)).toEqual(allowedAt(without, who, at))
    })
    fc.assert(property, RUNS)
  })

  test('allow exactly what one of the roles at the level gives by itself', () => {
    const property = fc.property(policyDocument, principal, levelPath, (document, who, at) => {
      const policy = loaded(document)
      const roles = rolesOf(policy, who, at)
      for (const what of permissionsOf(policy)) {
        const giving = roles.filter((role) => document.roles[role]?.permissions.includes(what))
        const decision = ask(policy, who, what, at)
        expect(decision.allowed).toBe(giving.length > 0)
        if (decision.allowed) expect(giving).toContain(decision.proof.role)
      }
    })
    fc.assert(property, RUNS)
  })

  test('prove themselves by a mapping that is there', () => {
    const property = fc.property(policyDocument, principal, levelPath, (document, who, at) => {
      const policy = loaded(document)
      for (const what of allowedAt(policy, who, at)) {
        const decision = ask(policy, who, what, at)
        if (!decision.allowed) throw new Error('asked twice, answered differently')
        const { mapping, grantedRole, group } = decision.proof
        const steps = mapping.replace(/\[(\d+)\]$/, '.$1').split('.')
        const there = steps.reduce<unknown>(
          (value, step) => (value as Record<string, unknown>)[step],
          document,
        )
        const { roleName, idpGroups, issuers } = there as GroupMapping
        expect(roleName).toBe(grantedRole)
        expect(idpGroups).toContain(group)
        expect(issuers ?? [who.issuer]).toContain(who.issuer)
        expect(who.groups.outcome === 'listed' && who.groups.names).toContain(group)
      }
    })
    fc.assert(property, RUNS)
  })

  test('are those of a naive reading of the document', () => {
    const property = fc.property(policyDocument, principal, levelPath, (document, who, at) => {
      const policy = loaded(document)
      const level = levelAt(at)
      expect(rolesOf(policy, who, at)).toEqual([...(naiveRoles(document, who, level) ?? [])].sort())
      const naive = permissionsOf(policy).filter((what) => naiveAllows(document, who, what, level))
      expect(allowedAt(policy, who, at)).toEqual(naive)
    })
    fc.assert(property, { numRuns: 1000 })
  })
})

describe('parsePolicy', () => {
  /** The roles of demo/policy.yaml alone: most of the time would go into the whole catalogue. */
  const catalogue = JSON.stringify({
    version: 1,
    roles: {
      GLOBAL_OWNER: { level: 'global' },
      ORG_OWNER: { level: 'organization', implies: ['GROUP_OWNER'] },
      GROUP_OWNER: { level: 'project', implies: ['GROUP_READ_ONLY'] },
      GROUP_READ_ONLY: { level: 'project', permissions: ['project.read'] },
    },
  })

  /** It ends soon, with problems that have a place in the text or with a policy that compiles. */
  const expectAnswer = (text: string) => {
    const parsed = parsePolicy(text, { file: 'policy.yaml', catalogue })
    if (parsed.ok) {
      const compiled = compilePolicy(parsed.policy)
      expect(JSON.parse(JSON.stringify(compiled))).toEqual(compiled)
      expect(() => loadPolicy(compiled)).not.toThrow()
      return
    }
    expect(parsed.problems).not.toEqual([])
    const lines = text.split('\n').length
    for (const { file, line, column, message } of parsed.problems) {
      expect(file).toBe('policy.yaml')
      expect(line).toBeGreaterThanOrEqual(1)
      expect(line).toBeLessThanOrEqual(lines)
      expect(column).toBeGreaterThanOrEqual(1)
      expect(message).not.toBe('')
    }
  }

  test('answers to any bytes', () => {
    const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => new TextDecoder().decode(array))
    const text = fc.oneof(bytes, fc.string({ unit: 'binary', maxLength: 300 }))
    fc.assert(fc.property(text, expectAnswer), { numRuns: 1500 })
  })

  test('answers to any text of what YAML is made of', () => {
    const tokens = [
      'version: 1',
      'routes',
      ':',
      ' ',
      '\n',
      '  ',
      '- ',
      '? ',
      '{',
      '}',
      '[',
      ']',
      ',',
      '&a ',
      '*a',
      '!!map ',
    ]
    const more = [
      '!x',
      '|',
      '>',
      '"',
      "'",
      '#',
      '%YAML 1.1',
      '---',
      '...',
      '<<',
      '__proto__',
      'null',
      '\t',
      '\r',
      '\0',
      '0x1',
    ]
    const text = fc
      .array(fc.constantFrom(...tokens, ...more), { maxLength: 40 })
      .map((parts) => parts.join(''))
    fc.assert(fc.property(text, expectAnswer), { numRuns: 1500 })
  })

  test('answers to any JSON', () => {
    fc.assert(fc.property(fc.json(), expectAnswer), { numRuns: 500 })
  })

  test('accepts the demo policy with this catalogue', () => {
    const text = readProjectFile('demo/policy.yaml')
    expect(parsePolicy(text, { file: 'policy.yaml', catalogue })).toMatchObject({ ok: true })
  })

  test('answers to the demo policy with pieces cut, doubled, moved and put in', () => {
    const source = readProjectFile('demo/policy.yaml')
    const offset = fc.nat(source.length)
    const piece = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 5 }),
      fc.constantFrom(': ', '\n', '  ', '- ', '*a', '&a ', '{'),
    )
    const edit = fc.tuple(offset, fc.nat(60), fc.oneof(piece, fc.tuple(offset, fc.nat(200))))
    const property = fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
      const text = edits.reduce((before, [at, cut, put]) => {
        const added = typeof put === 'string' ? put : source.slice(put[0], put[0] + put[1])
        return before.slice(0, at) + added + before.slice(at + cut)
      }, source)
      expectAnswer(text)
    })
    fc.assert(property, { numRuns: 1000 })
  })
})
