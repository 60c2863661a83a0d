// STORAGE.md names every place where something is kept: tables, Durable Objects, kinds of KV keys.
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ROOT, readProjectFile } from './policies.ts'

const storage = readProjectFile('STORAGE.md')

const tables = readdirSync(`${ROOT}/migrations`)
  .filter((name) => name.endsWith('.sql'))
  .flatMap((name) => [
    ...readProjectFile(`migrations/${name}`).matchAll(/CREATE (?:VIRTUAL )?TABLE `?(\w+)/g),
  ])
  .map(([, table]) => table as string)

const objects = [...readProjectFile('wrangler.toml').matchAll(/^class_name = "(\w+)"$/gm)].map(
  ([, name]) => name as string,
)

/** The literal beginnings of the names that documents are published under. */
const documents = [...readProjectFile('worker/documents/published.ts').matchAll(/`([a-z-]+):\$\{/g)].map(
  ([, kind]) => kind as string,
)

test.each([...tables, ...objects])('STORAGE.md tells of %s', (name) => {
  expect(storage).toMatch(new RegExp(`^\\| .*\`${name}\``, 'm'))
})

test('STORAGE.md tells of each kind of published document', () => {
  expect(documents).toContain('bucket')
  for (const kind of documents.filter((name) => name !== 'published')) {
    expect(storage, kind).toContain(`\`published:1:${kind}:`)
  }
})
