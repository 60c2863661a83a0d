// Whether a policy's text may be published: that it parses and is sound, that its tests pass, that lint finds no
// error, and that the database still has the roles it gives.

import { compilePolicy } from '../../policy/compile.ts'
import { type Locate, parsePolicy } from '../../policy/document.ts'
import { lintPolicy, type Warning } from '../../policy/lint.ts'
import { loadPolicy } from '../../policy/loaded.ts'
import { OPERATIONS } from '../../policy/operations/table.ts'
import { runPolicyTests } from '../../policy/policy-tests.ts'
import type { Fault, Problem } from '../../policy/problems.ts'
import type { PolicyDocument, RoleLevel } from '../../policy/schema.ts'
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
