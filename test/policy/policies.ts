// What the tests of policy/ share: policies written as plain objects, principals, and levels written as
// paths ("" global, "acme", "acme/payments").
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { compilePolicy } from '../../policy/compile.ts'
import type { IssuerRecord } from '../../policy/compiled.ts'
import { type Decision, decide, type HeldRoles, rolesAt } from '../../policy/decide.ts'
import { describeProblems, type ParsedPolicy, parsePolicy } from '../../policy/document.ts'
import { type Level, levelOf } from '../../policy/level.ts'
import { loadPolicy, organizationAt, type WholePolicy } from '../../policy/loaded.ts'
import type { Claims, Groups, Principal } from '../../policy/principal.ts'
import type { PolicyDocument } from '../../policy/schema.ts'

/** When the tests of policy/ ask, unless they say. */
export const NOW_TEXT = '2026-06-01T12:00:00Z'
export const NOW = Date.parse(NOW_TEXT) / 1000

export const ROOT = join(import.meta.dirname, '../..')

export function readProjectFile(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

export const CATALOGUE = readProjectFile('policy/catalogue.yaml')

export function parse(text: string, file = 'policy.yaml'): ParsedPolicy {
  return parsePolicy(text, { file, catalogue: CATALOGUE })
}

/** The document of a text that must be sound. */
export function documentOf(text: string): PolicyDocument {
  const parsed = parse(text)
  if (!parsed.ok) throw new Error(describeProblems(parsed.problems))
  return parsed.policy
}

/** The policy as a Worker has it: through JSON, as it is bundled. */
export function policyOf(members: object): WholePolicy {
  return loaded(documentOf(JSON.stringify({ version: 1, ...members })))
}

export function loaded(document: PolicyDocument): WholePolicy {
  return loadPolicy(JSON.parse(JSON.stringify(compilePolicy(document))))
}

/** A record of the given issuer, in a policy of its own. */
export function recordOf(issuer: object): IssuerRecord {
  const [record] = policyOf({ issuers: { idp: { issuer: 'https://idp.example', ...issuer } } }).issuers
  return record as IssuerRecord
}

/** Outcomes of a token without groups, where nothing stands in for them. */
export const ABSENT: Groups = { outcome: 'absent', kept: null }
export const OVERAGE: Groups = { outcome: 'overage', kept: null }

/** Somebody whom `issuer` authenticated; of "acme/okta" organization acme is the owner. */
export function principalOf(
  groups: readonly string[] | Groups,
  issuer = 'okta',
  claims: Claims = {},
): Principal {
  const [owner, id] = issuer.split('/')
  return {
    kind: 'user',
    given: [],
    issuer,
    subject: 'someone',
    voucher: { issuer, organization: id === undefined ? null : (owner as string) },
    groups: 'outcome' in groups ? groups : { outcome: 'listed', names: [...groups] },
    userName: null,
    email: null,
    firstName: null,
    lastName: null,
    claims,
  }
}

export function levelAt(path: string): Level {
  const [organization, project] = path.split('/')
  return levelOf(organization || null, project ?? null)
}

export function ask(
  policy: WholePolicy,
  principal: Principal,
  permission: string,
  at: string,
  now = NOW,
): Decision {
  const level = levelAt(at)
  return decide(policy, organizationAt(policy, level), principal, { permission, level, now })
}

export function heldAt(policy: WholePolicy, principal: Principal, at: string, now = NOW): HeldRoles {
  const level = levelAt(at)
  return rolesAt(policy, organizationAt(policy, level), principal, level, now)
}

export function rolesOf(policy: WholePolicy, principal: Principal, at: string, now = NOW): string[] {
  return heldAt(policy, principal, at, now).roles
}

/** Every permission that some role of the policy gives. */
export function permissionsOf({ roles }: WholePolicy): string[] {
  return [...new Set([...roles.values()].flatMap(({ permissions }) => [...permissions.keys()]))].sort()
}

/** Every permission the principal has at a level. */
export function allowedAt(policy: WholePolicy, principal: Principal, at: string, now = NOW): string[] {
  return permissionsOf(policy).filter((permission) => ask(policy, principal, permission, at, now).allowed)
}

/** Names that every JavaScript object answers to, though nobody put them there. */
export const INHERITED_NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf']
