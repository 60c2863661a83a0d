// Declared organizations in a folder: one file each, named by the slug. Reads them all, and writes one anew only
// when it no longer says what it should.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { compactDeclaration, declareTheSame } from '../policy/declaration.ts'
import { parseDeclaration } from '../policy/document.ts'
import { writeYaml } from '../policy/format.ts'
import { SLUG } from '../policy/level.ts'
import type { Problem } from '../policy/problems.ts'
import { Organization } from '../policy/schema.ts'

const EXTENSIONS = ['.yaml', '.yml', '.json']

export interface Declared {
  slug: string
  file: string
  organization: Organization
}

export type ReadFolder =
  | { ok: true; declared: Declared[] }
  | { ok: false; message: string }
  | { ok: false; problems: { file: string; problems: Problem[] }[] }

/** All of the folder, or those that are named; a name without a file is a mistake. */
export function readFolder(folder: string, only: readonly string[]): ReadFolder {
  const files = filesOf(folder)
  if (!files.ok) return files
  const missing = only.find((slug) => !files.bySlug.has(slug))
  if (missing !== undefined) return { ok: false, message: `${folder} has no file for ${missing}` }
  const declared: Declared[] = []
  const problems: { file: string; problems: Problem[] }[] = []
  for (const [slug, file] of files.bySlug) {
    if (only.length > 0 && !only.includes(slug)) continue
    const text = readFileSync(file, 'utf8')
    const parsed = parseDeclaration(text, file)
    if (parsed.ok) declared.push({ slug, file, organization: parsed.value })
    else problems.push({ file, problems: parsed.problems })
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, declared }
}

type Files = { ok: true; bySlug: Map<string, string> } | { ok: false; message: string }

function filesOf(folder: string): Files {
  const bySlug = new Map<string, string>()
  let names: string[]
  try {
    names = readdirSync(folder).sort()
  } catch (error) {
    return { ok: false, message: `${folder} cannot be read: ${(error as Error).message}` }
  }
  for (const name of names) {
    const extension = extname(name)
    if (!EXTENSIONS.includes(extension) || name.startsWith('.')) continue
    const slug = name.slice(0, -extension.length)
    const file = join(folder, name)
    if (!SLUG.test(slug)) {
      return { ok: false, message: `${file} must be named by an organization's slug, such as acme.yaml` }
    }
    const other = bySlug.get(slug)
    if (other !== undefined) return { ok: false, message: `${other} and ${file} are both of ${slug}` }
    bySlug.set(slug, file)
  }
  return { ok: true, bySlug }
}

export type Written = 'created' | 'changed' | 'unchanged'

/** Where a file says the same already, it stays as it is, with its comments and its order. */
export function writeDeclared(
  folder: string,
  slug: string,
  exported: Organization,
): { file: string; written: Written } {
  mkdirSync(folder, { recursive: true })
  const known = EXTENSIONS.map((extension) => join(folder, slug + extension)).find((file) => existsSync(file))
  const file = known ?? join(folder, `${slug}.yaml`)
  if (known !== undefined) {
    const parsed = parseDeclaration(readFileSync(known, 'utf8'), known)
    const organization = Organization.safeParse(exported)
    if (parsed.ok && organization.success && declareTheSame(parsed.value, organization.data)) {
      return { file, written: 'unchanged' }
    }
  }
  const declaration = compactDeclaration(exported)
  const text =
    extname(file) === '.json' ? `${JSON.stringify(declaration, null, 2)}\n` : writeYaml(declaration)
  // Never half a file, whatever happens in between.
  writeFileSync(`${file}.new`, text)
  renameSync(`${file}.new`, file)
  return { file, written: known === undefined ? 'created' : 'changed' }
}
