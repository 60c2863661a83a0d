// The JSON Schema of policies: the file is what the schemas give, it accepts the policies there are and names
// what they may not have, and the policies name it.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import { policyJsonSchema, SCHEMA_FILE } from '../../tools/schema.ts'
import { ROOT, readProjectFile } from './policies.ts'

const written = JSON.parse(readFileSync(SCHEMA_FILE, 'utf8'))
const POLICIES = ['postern.policy.yaml', 'demo/policy.yaml']

test('the file is what npm run schema writes', () => {
  expect(written).toEqual(JSON.parse(JSON.stringify(policyJsonSchema())))
})

test.each(POLICIES)('%s names it in its first line', (file) => {
  const [first] = readProjectFile(file).split('\n')
  const named = /^# yaml-language-server: \$schema=(\S+)$/.exec(first as string)?.[1] as string
  expect(resolve(ROOT, dirname(file), named)).toBe(SCHEMA_FILE)
  expect(existsSync(SCHEMA_FILE)).toBe(true)
})

/** Every schema of an object within. */
function objectsIn(schema: unknown, path = ''): [path: string, schema: Record<string, unknown>][] {
  if (typeof schema !== 'object' || schema === null) return []
  const own = schema as Record<string, unknown>
  const inner = Object.entries(own).flatMap(([name, member]) => objectsIn(member, `${path}/${name}`))
  return own.type === 'object' ? [[path, own], ...inner] : inner
}

describe('the schema', () => {
  test('is of draft 2020-12, with every reference there', () => {
    expect(written.$schema).toBe('https://json-schema.org/draft/2020-12/schema')
    const references = [...JSON.stringify(written).matchAll(/"\$ref":"#\/\$defs\/([^"]+)"/g)].map(
      ([, name]) => name,
    )
    expect(references.length).toBeGreaterThan(20)
    for (const name of references) expect(Object.keys(written.$defs)).toContain(name)
  })

  test('lets no object have a member that is not declared', () => {
    const objects = objectsIn(written)
    expect(objects.length).toBeGreaterThan(10)
    for (const [path, { additionalProperties }] of objects) {
      expect(additionalProperties === false || typeof additionalProperties === 'object', path).toBe(true)
    }
  })

  test('says of every part what it is for', () => {
    for (const name of ['Role', 'Issuer', 'GroupMapping', 'PatternMapping', 'Condition', 'ClaimPath']) {
      expect(written.$defs[name].description, name).toMatch(/\w/)
    }
  })

  test('asks for one of several members where the parser does', () => {
    const one = (name: string) =>
      written.$defs[name].oneOf.map(({ required }: { required: string[] }) => required[0])
    expect(one('Condition')).toEqual(['equals', 'oneOf', 'contains'])
    expect(one('Route')).toEqual(['permission', 'access'])
  })
})

/** No validator of its own stands in node_modules; zod reads the schema back, without what made it. */
const { oneOf: _condition, ...condition } = written.$defs.Condition
const { oneOf: _route, ...route } = written.$defs.Route
const validator = z.fromJSONSchema({
  ...written,
  $defs: { ...written.$defs, Condition: condition, Route: route },
})

describe('read back, it', () => {
  test.each(POLICIES)('accepts %s', (file) => {
    expect(validator.safeParse(parseYaml(readProjectFile(file))).error).toBeUndefined()
  })

  test.each([
    ['no version', {}],
    ['another version', { version: 2 }],
    ['an unknown field', { version: 1, isuers: {} }],
    ['an unknown field within', { version: 1, organizations: { acme: { project: {} } } }],
    ['a slug in upper case', { version: 1, organizations: { Acme: {} } }],
    ['a mapping without groups', { version: 1, idpGroupMappings: [{ roleName: 'X', idpGroups: [] }] }],
    [
      'an algorithm with a shared key',
      { version: 1, issuers: { a: { issuer: 'https://a', algorithms: ['HS256'] } } },
    ],
  ])('refuses %s', (_name, document) => {
    expect(validator.safeParse(document).success).toBe(false)
  })
})
