// Slugs for what is created by name alone: Ops Manager gives ids, Postern wants names that stay.
import { foldCase } from '../../../policy/fold-case.ts'
import { organizationName, projectName, publicIdOf } from '../../database/documents.ts'
import type { Environment } from '../../environment.ts'

const SLUG_LENGTH_MAX = 50
const TRIES_MAX = 100

/** Made of the name's Latin letters and digits; with a number where that was ever used. `organization` of a project. */
export async function slugFor(
  { DB }: Environment,
  organization: string | null,
  name: string,
): Promise<string> {
  const stem = stemOf(name) || (await fallback(organization, name))
  const candidates = [stem, ...Array.from({ length: TRIES_MAX }, (_, index) => `${stem}-${index + 2}`)]
  const [table, own] = organization === null ? ['organizations', ''] : ['projects', 'organization = ?2 AND']
  const { results } = await DB.prepare(
    `SELECT slug FROM ${table} WHERE ${own} slug IN (SELECT value FROM json_each(?1))`,
  )
    .bind(JSON.stringify(candidates), ...(organization === null ? [] : [organization]))
    .all<{ slug: string }>()
  const used = new Set(results.map(({ slug }) => slug))
  return candidates.find((slug) => !used.has(slug)) ?? (await fallback(organization, `${name} ${used.size}`))
}

function stemOf(name: string): string {
  return foldCase(name.normalize('NFKD').replace(/\p{M}/gu, ''))
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, SLUG_LENGTH_MAX)
    .replace(/^-+|-+$/g, '')
}

/** A name without any such letter still has one slug that is always the same. */
async function fallback(organization: string | null, name: string): Promise<string> {
  const document = organization === null ? organizationName(name) : projectName(organization, name)
  return `${organization === null ? 'org' : 'project'}-${(await publicIdOf(document)).slice(0, 8)}`
}
