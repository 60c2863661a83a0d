// Brings a local D1 database up to date, as `wrangler d1 migrations apply` does with the one in production: each
// file of migrations/ once, in the order of their names, remembered in the same table.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './build.ts'

const MIGRATIONS = join(ROOT, 'migrations')
/** drizzle-kit writes it between statements. */
const BREAKPOINT = '--> statement-breakpoint'

/** What of a D1 binding is needed here. */
interface Database {
  prepare(query: string): {
    bind(...values: unknown[]): { all(): Promise<{ results: unknown[] }> }
    all(): Promise<{ results: unknown[] }>
  }
  batch(statements: unknown[]): Promise<unknown>
}

/** @returns the names of the migrations that were applied now. */
export async function applyMigrations(database: Database): Promise<string[]> {
  const prepare = (query: string) => database.prepare(query)
  await prepare(
    'CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, ' +
      'applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)',
  ).all()
  const { results } = await prepare('SELECT name FROM d1_migrations').all()
  const applied = new Set((results as { name: string }[]).map(({ name }) => name))
  const files = readdirSync(MIGRATIONS).filter((name) => name.endsWith('.sql') && !applied.has(name))
  for (const name of files.sort()) {
    const statements = readFileSync(join(MIGRATIONS, name), 'utf8').split(BREAKPOINT)
    await database.batch([
      ...statements.map((statement) => prepare(statement)),
      prepare('INSERT INTO d1_migrations (name) VALUES (?)').bind(name),
    ])
  }
  return files
}
