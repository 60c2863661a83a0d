// `npm run schema`: writes the JSON Schema of policy documents, which editors complete and check them by. Made
// from the schemas that parse them, so what is written there by hand is lost.
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { z } from 'zod'
import { PolicyDocument } from '../policy/schema.ts'
import { ROOT } from './build.ts'

/** Where it is published; the first line of a policy names it. */
export const SCHEMA_FILE = join(ROOT, 'schema/postern.policy.schema.json')

/** What a person may write, before defaults are filled in. */
export function policyJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(PolicyDocument, { io: 'input', target: 'draft-2020-12' })
  return {
    $schema,
    title: 'Postern policy',
    description: 'The roles, issuers, mappings and routes of an instance of Postern.',
    ...schema,
  }
}

if (import.meta.main) {
  mkdirSync(dirname(SCHEMA_FILE), { recursive: true })
  writeFileSync(SCHEMA_FILE, `${JSON.stringify(policyJsonSchema(), null, 2)}\n`)
  const biome = join(ROOT, 'node_modules/.bin/biome')
  const { status } = spawnSync(biome, ['format', '--write', SCHEMA_FILE], { cwd: ROOT, stdio: 'inherit' })
  console.log(`Wrote ${relative(ROOT, SCHEMA_FILE)}.`)
  process.exitCode = status === 0 ? 0 : 1
}
