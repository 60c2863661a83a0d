// Takes the policy that the Worker was deployed with into D1: on an empty instance, and at each deployment of another
// one while nobody has published a policy over the API, or always where the policy is managed in git.
import { environmentIssuer } from '../../policy/environment-issuer.ts'
import { environmentMappings } from '../../policy/layers.ts'
import { sha256 } from '../database/audit.ts'
import { commit, type Edit } from '../database/commit.ts'
import { POLICY } from '../database/documents.ts'
import { policyRows } from '../database/policy-rows.ts'
import { bundledPolicy, readPolicy, type StoredPolicy, storedPolicy } from '../database/policy-source.ts'
import type { Environment } from '../environment.ts'
import { databaseOf } from './read.ts'

export const ADOPT_OPERATION = 'policy.adopt'

interface InForce {
  version: number
  operation: string
  content: string | null
}

/**
 * Throws when D1 cannot be asked or the policy is refused. `rowsOf`: the variables that are rows of D1 now.
 * @returns the variables that are now.
 */
export async function adoptBundled(
  environment: Environment,
  rowsOf: string | null,
  now: number,
): Promise<string> {
  const database = databaseOf(environment)
  const mappings = environmentMappings(environment)
  const described = environmentIssuer(environment).issuer
  const variables = JSON.stringify(described ? [mappings, described.issuer] : mappings)
  const rowsFor = async (content: StoredPolicy) => {
    return policyRows(database, (await readPolicy(content)).policy, { mappings, issuer: described }, now)
  }
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const inForce = await policyInForce(database)
    const content = await storedPolicy((await bundledPolicy()).text)
    if (shouldAdopt(environment, inForce, JSON.stringify(content))) {
      const adopted = await commit(database, {
        ...by(now),
        documents: [{ name: POLICY, version: inForce?.version ?? 0, content }],
        derived: await rowsFor(content),
        audit: [
          {
            chain: '',
            target: { kind: POLICY, id: POLICY },
            before: await digestOf(inForce?.content ?? null),
            after: await digestOf(JSON.stringify(content)),
          },
        ],
      })
      if (adopted.ok) return variables
      // Somebody published a policy just now: what is to be done is judged again.
      if (adopted.reason !== 'version_conflict')
        throw new Error(`the policy cannot be adopted: ${adopted.reason}`)
      continue
    }
    if (rowsOf === variables || !inForce?.content) return variables
    const derived = await rowsFor(JSON.parse(inForce.content) as StoredPolicy)
    await commit(database, { ...by(now), documents: [], derived, audit: [] })
    // An edit of the policy between reading and writing has written newer rows, which these replaced.
    if ((await policyInForce(database))?.version === inForce.version) return variables
  }
  throw new Error('the policy in D1 changes too often to adopt the one deployed')
}
const ATTEMPTS_MAX = 5

function by(at: number): Pick<Edit, 'operation' | 'actor' | 'requestId' | 'at'> {
  const actor = { kind: 'system', issuer: 'postern', subject: 'deployment', email: null } as const
  return { operation: ADOPT_OPERATION, actor, requestId: crypto.randomUUID(), at }
}

async function policyInForce(database: D1Database): Promise<InForce | null> {
  return database
    .prepare(
      'SELECT version, operation, content FROM versions WHERE document = ? ORDER BY version DESC LIMIT 1',
    )
    .bind(POLICY)
    .first<InForce>()
}

function shouldAdopt(environment: Environment, inForce: InForce | null, content: string): boolean {
  if (inForce === null) return true
  const inGit = environment.POLICY_MANAGED_IN === 'git'
  return inForce.content !== content && (inGit || inForce.operation === ADOPT_OPERATION)
}

/** The text itself stands in the versions. */
async function digestOf(content: string | null): Promise<{ sha256: string } | null> {
  return content === null ? null : { sha256: await sha256(content) }
}
