// Whether a policy's text may be published: that it parses and is sound, that its tests pass, that lint finds no
// error, and that the database still has the roles it gives.

import { issuerNames } from '../../policy/check.ts'
import { compilePolicy } from '../../policy/compile.ts'
import { type Locate, parsePolicy } from '../../policy/document.ts'
import { lintPolicy, type Warning } from '../../policy/lint.ts'
import { loadPolicy } from '../../policy/loaded.ts'
import { OPERATIONS } from '../../policy/operations/table.ts'
import { runPolicyTests } from '../../policy/policy-tests.ts'
import type { Fault, Problem } from '../../policy/problems.ts'
import type { PolicyDocument, RoleLevel } from '../../policy/schema.ts'
import { readAll } from '../database/batch.ts'
import { bundledPolicy } from '../database/policy-source.ts'
import { type Environment, settingsOf } from '../environment.ts'

export interface CheckedPolicy {
  /** None when it may be published. */
  problems: Problem[]
  /** What lint says, each with its place. */
  findings: (Warning & Problem)[]
  /** Null when the text is no policy at all. */
  parsed: { policy: PolicyDocument; locate: Locate } | null
}

/** The name a policy has that was written over the API. */
export const POLICY_FILE = 'policy'

/** Judged by granting.ts, against what is in force and with who makes the change. */
const JUDGED: readonly Warning['code'][] = ['owner_removed', 'grant_not_allowed']

/** `now` is in seconds since the epoch. */
export async function checkPolicyText(
  environment: Environment,
  text: string,
  now: number,
): Promise<CheckedPolicy> {
  const { catalogue } = await bundledPolicy()
  const result = parsePolicy(text, { file: POLICY_FILE, catalogue })
  if (!result.ok) return { problems: result.problems, findings: [], parsed: null }
  const { policy, ownRoles, locate } = result
  const findings = lintPolicy(policy, {
    now,
    ownRoles,
    gatewayHosts: settingsOf(environment).gatewayOrigins.map((origin) => new URL(origin).hostname),
    operationPermissions: Object.values(OPERATIONS).flatMap(({ permission }) => permission ?? []),
  })
    .filter(({ code }) => !JUDGED.includes(code))
    .map((found) => locate(found))
  const faults = [
    ...failedTests(policy, now),
    ...(await rolesStillUsed(environment.DB, policy.roles)),
    ...(await takenInDatabase(environment.DB, policy)),
    ...findings.filter(({ severity }) => severity === 'error'),
  ]
  return { problems: faults.map((fault) => locate(fault)), findings, parsed: { policy, locate } }
}

function failedTests(policy: PolicyDocument, now: number): Fault[] {
  if (policy.tests.length === 0) return []
  const results = runPolicyTests(policy, loadPolicy(compilePolicy(policy)), now)
  return results.flatMap(({ name, checks }) => {
    return checks
      .filter(({ passed }) => !passed)
      .map(({ path, expected, came }) => ({
        path,
        message: `the test "${name}" fails: expected ${expected}, came ${came}`,
      }))
  })
}

interface Used {
  role: string
  level: RoleLevel
  /** One of the documents that give it, and how many there are. */
  document: string
  count: number
}

/** Roles that the database gives at a level, which would give nothing without a role of that level. */
async function rolesStillUsed(database: D1Database, roles: PolicyDocument['roles']): Promise<Fault[]> {
  const { results } = await database.prepare(USED_ROLES).all<Used>()
  return results.flatMap(({ role, level, document, count }) => {
    const defined = Object.hasOwn(roles, role) ? roles[role] : undefined
    if (defined?.level === level) return []
    const others = count > 1 ? ` and ${count - 1} more` : ''
    const is = defined === undefined ? 'is no role any more' : `is a role of the ${defined.level} level`
    const message = `${role} ${is}, and ${document}${others} gives it at the ${level} level; take it away there first`
    return [{ path: ['roles', role], message }]
  })
}

/** Patterns with captures give their role at the level that these name. */
const LEVEL_OF_MAPPING = `CASE
    WHEN project <> '' OR (kind = 'pattern' AND instr(group_name, '{project}') > 0) THEN 'project'
    WHEN organization <> '' OR (kind = 'pattern' AND instr(group_name, '{org}') > 0) THEN 'organization'
    ELSE 'global' END`
const USED_ROLES = `
  SELECT role, level, min(document) AS document, count(DISTINCT document) AS count FROM (
    SELECT role_name AS role, ${LEVEL_OF_MAPPING} AS level, document FROM group_mappings WHERE document <> 'policy'
    UNION ALL
    SELECT role_name, CASE WHEN project <> '' THEN 'project' WHEN organization <> '' THEN 'organization' ELSE 'global' END, holder
      FROM memberships WHERE role_name <> ''
    UNION ALL
    SELECT v.content ->> '$.onUnmatched', 'organization', v.document FROM organizations o
      JOIN versions v ON v.document = 'organization/' || o.slug AND v.version = o.version
      WHERE o.deleted_at IS NULL AND v.content ->> '$.onUnmatched' IS NOT NULL
  ) GROUP BY role, level ORDER BY role, level`

/**
 * Names that the database has for something else. The policy would go first, and what the database has would be out
 * of force without anybody having said so. A record that moves into the file under its id is no conflict.
 */
async function takenInDatabase(database: D1Database, policy: PolicyDocument): Promise<Fault[]> {
  const records = recordsOf(policy)
  const names = records.flatMap((record) => record.names)
  const audiences = new Map(
    Object.entries(policy.organizations).map(([slug, { audience }]) => [audience ?? slug, slug]),
  )
  const found = await readAll<{
    issuers: { name: string; organization: string; id: string }
    audiences: { slug: string; audience: string }
  }>(database, {
    issuers: database
      .prepare(
        `SELECT n.name, n.organization, n.issuer AS id FROM issuer_names n JOIN issuers i ON i.id = n.issuer
          WHERE i.in_policy = 0 AND i.deleted_at IS NULL AND n.name IN (SELECT value FROM json_each(?))`,
      )
      .bind(JSON.stringify(names)),
    audiences: database
      .prepare(
        `SELECT slug, audience FROM organizations WHERE deleted_at IS NULL
          AND audience IN (SELECT value FROM json_each(?1)) AND slug NOT IN (SELECT value FROM json_each(?2))`,
      )
      .bind(
        JSON.stringify([policy.audience, ...audiences.keys()]),
        JSON.stringify(Object.keys(policy.organizations)),
      ),
  })
  return [
    ...records.flatMap(({ id, organization, names, path }) => {
      const other = found.issuers.find((row) => {
        const shared = row.organization === organization || row.organization === '' || organization === ''
        return shared && row.id !== id && names.includes(row.name)
      })
      if (!other) return []
      const message = `${other.name} is the issuer "${other.id}" of the database; delete it there first, or give this one its id`
      return [{ path: [...path, 'issuer'], message }]
    }),
    ...found.audiences.map(({ slug, audience }) => {
      const holder = audiences.get(audience)
      const path = holder === undefined ? ['audience'] : ['organizations', holder]
      return {
        path,
        message: `${audience} is already the audience of organization ${slug}; set another one ("audience")`,
      }
    }),
  ]
}

function recordsOf({ issuers, organizations }: PolicyDocument) {
  const of = (organization: string, path: string[], owned: PolicyDocument['issuers']) => {
    return Object.entries(owned).map(([id, issuer]) => ({
      id: organization === '' ? id : `${organization}/${id}`,
      organization,
      names: issuerNames(issuer),
      path: [...path, 'issuers', id],
    }))
  }
  return [
    ...of('', [], issuers),
    ...Object.entries(organizations).flatMap(([slug, { issuers: own }]) =>
      of(slug, ['organizations', slug], own),
    ),
  ]
}
