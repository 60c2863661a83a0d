// `postern plan`, `apply` and `export`: declared files against a real stack.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ACME_OWNER, NOBODY } from '../support/api.ts'
import { type Gateway, startGateway } from './gateway.ts'
import { folder, postern } from './postern.ts'

let gateway: Gateway
beforeAll(async () => {
  gateway = await startGateway()
})
afterAll(() => gateway.close())

const declared = join(folder, 'organizations')
mkdirSync(declared)
const write = (name: string, text: string) => writeFileSync(join(declared, name), text)
const read = (name: string) => readFileSync(join(declared, name), 'utf8')

const INITECH = `# Who owns what at Initech.
displayName: Initech
idpGroupMappings:
  - roleName: ORG_OWNER
    idpGroups: [bosses] # the Bobs
projects:
  tps:
    displayName: TPS reports
    idpGroupMappings:
      - { roleName: GROUP_READ_ONLY, idpGroups: [b, a] }
`

describe('a declared organization', () => {
  test('is planned: what would be created, and an exit code for that', async () => {
    write('initech.yaml', INITECH)
    const { code, stdout, stderr } = await gateway.run(['plan', '-f', 'organizations'])
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
    expect(stdout).toContain('initech (organizations/initech.yaml)\n')
    expect(stdout).toContain('+ organization initech')
    expect(stdout).toContain('+ mapping GROUP_READ_ONLY')
    expect(stdout).toMatch(/1 organization to change, 0 as declared\.\n$/)
    expect((await gateway.api.ask('GET', '/organizations/initech')).status).toBe(404)
  })

  test('is not applied when nobody can be asked', async () => {
    const { code, stderr } = await gateway.run(['apply', '-f', 'organizations'])
    expect(code).toBe(2)
    expect(stderr).toContain('say --yes')
  })

  test('is applied, and then nothing differs', async () => {
    const applied = await gateway.run(['apply', '-f', 'organizations', '--yes'])
    expect(applied).toMatchObject({ code: 0, stderr: '' })
    expect(applied.stdout).toMatch(/initech: 2 created, 0 changed, 0 deleted\.\n$/)
    const planned = await gateway.run(['plan', '-f', 'organizations'])
    expect(planned).toEqual({ code: 0, stdout: '0 organizations to change, 1 as declared.\n', stderr: '' })
    const again = await gateway.run(['apply', '-f', 'organizations', '--json'])
    expect(again).toMatchObject({ code: 0 })
    expect(JSON.parse(again.stdout)).toEqual({ applied: [] })
  })

  test('is exported into the same file, which stays as it is, comments and all', async () => {
    const { code, stdout } = await gateway.run(['export', '-d', 'organizations'])
    expect(code).toBe(0)
    expect(stdout).toBe('unchanged organizations/initech.yaml\n')
    expect(read('initech.yaml')).toBe(INITECH)
    // What the policy alone names has nothing to be declared.
    expect(existsSync(join(declared, 'acme.yaml'))).toBe(false)
  })

  test('is exported into a new folder, the same each time', async () => {
    for (const said of ['created', 'unchanged']) {
      const { stdout } = await gateway.run(['export', '-d', 'elsewhere', '--organization', 'initech'])
      expect(stdout).toBe(`${said} elsewhere/initech.yaml\n`)
      expect(readFileSync(join(folder, 'elsewhere/initech.yaml'), 'utf8')).toBe(`displayName: Initech
idpGroupMappings:
  - roleName: ORG_OWNER
    idpGroups: [bosses]
projects:
  tps:
    displayName: TPS reports
    idpGroupMappings:
      - roleName: GROUP_READ_ONLY
        idpGroups: [a, b]
`)
    }
  })

  test('drift is shown, and undone by applying', async () => {
    await gateway.api.make('PATCH', '/organizations/initech/projects/tps', {
      ifMatch: 1,
      body: { idpGroupMappings: [{ roleName: 'GROUP_READ_ONLY', idpGroups: ['a', 'b', 'intruder'] }] },
    })
    const planned = await gateway.run(['plan', '-f', 'organizations', '--json'])
    expect(planned.code).toBe(1)
    const [one] = JSON.parse(planned.stdout).organizations
    expect(one).toMatchObject({ organization: 'initech', differs: true })
    expect(one.preview.changes).toMatchObject([{ part: 'mapping', change: 'changed', fields: ['idpGroups'] }])
    const exported = await gateway.run(['export', '-d', 'drift', '--json'])
    expect(JSON.parse(exported.stdout).files).toEqual([
      { organization: 'initech', file: 'drift/initech.yaml', written: 'created' },
    ])
    expect(readFileSync(join(folder, 'drift/initech.yaml'), 'utf8')).toContain('[a, b, intruder]')
    expect((await gateway.run(['apply', '-f', 'organizations', '--yes'])).code).toBe(0)
    const { json } = await gateway.api.ask('GET', '/organizations/initech/projects/tps')
    expect(json.idpGroupMappings).toMatchObject([{ idpGroups: ['a', 'b'] }])
  })

  test('what goes with it has to be confirmed', async () => {
    write('initech.yaml', INITECH.slice(0, INITECH.indexOf('projects:')))
    const planned = await gateway.run(['plan', '-f', 'organizations'])
    expect(planned.stdout).toContain('- project tps')
    expect(planned.stdout).toContain('It has to be confirmed: deletions')
    const unconfirmed = await gateway.run(['apply', '-f', 'organizations', '--yes'])
    expect(unconfirmed.code).toBe(2)
    expect(unconfirmed.stderr).toContain('--confirm deletions')
    const confirmed = await gateway.run(['apply', '-f', 'organizations', '--yes', '--confirm', 'deletions'])
    expect(confirmed).toMatchObject({ code: 0, stdout: expect.stringContaining('1 deleted') })
  })

  test('is that of its owner, who needs no more', async () => {
    mkdirSync(join(folder, 'own'), { recursive: true })
    writeFileSync(
      join(folder, 'own/acme.json'),
      JSON.stringify({ projects: { web: { displayName: 'Web' } } }),
    )
    const applied = await gateway.run(['apply', '-f', 'own', '--yes'], { as: ACME_OWNER })
    expect(applied).toMatchObject({ code: 0, stdout: expect.stringContaining('acme: 0 created, 1 changed') })
    const exported = await gateway.run(['export', '-d', 'own'], { as: ACME_OWNER })
    expect(exported.stdout).toBe('unchanged own/acme.json\n')
  })
})

describe('what cannot be done is said', () => {
  test('a file that is no declaration, with its place', async () => {
    mkdirSync(join(folder, 'broken'), { recursive: true })
    writeFileSync(join(folder, 'broken/acme.yaml'), 'displayName: Acme\nproject: {}\n')
    const { code, stdout } = await gateway.run(['plan', '-f', 'broken'])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^broken\/acme\.yaml:2:1: project: /)
  })

  test('a role that is not there, as the server says it', async () => {
    mkdirSync(join(folder, 'roles'), { recursive: true })
    writeFileSync(
      join(folder, 'roles/acme.yaml'),
      'idpGroupMappings:\n  - { roleName: GROUP_OWNER, idpGroups: [x] }\n',
    )
    const { code, stderr } = await gateway.run(['plan', '-f', 'roles'])
    expect(code).toBe(1)
    expect(stderr).toContain('roles/acme.yaml:\n')
    expect(stderr).toMatch(/idpGroupMappings\[0\]\.roleName.*ORG_OWNER/)
  })

  test('an organization that the caller does not see', async () => {
    const { code, stderr } = await gateway.run(['plan', '-f', 'organizations'], { as: NOBODY })
    expect(code).toBe(2)
    expect(stderr).toMatch(/404 not_found/)
  })

  const shouldRefuse: [name: string, args: string[], env: Record<string, string>, expected: RegExp][] = [
    ['a folder that is not there', ['plan', '-f', 'nowhere'], {}, /nowhere cannot be read/],
    [
      'an organization without a file',
      ['plan', '-f', 'organizations', '--organization', 'acme'],
      {},
      /no file for acme/,
    ],
    ['no gateway', ['plan', '-f', 'organizations'], { POSTERN_URL: '' }, /which gateway/],
    [
      'a gateway that is not there',
      ['plan', '-f', 'organizations', '--url', 'http://127.0.0.1:49151'],
      {},
      /does not answer: .*ECONNREFUSED/,
    ],
    [
      'an open line',
      ['plan', '-f', 'organizations', '--url', 'http://auth.example.com'],
      {},
      /open line; use https/,
    ],
    ['no credentials', ['plan', '-f', 'organizations'], { POSTERN_TOKEN: '' }, /no credentials/],
    ['two credentials', ['plan', '-f', 'organizations'], { POSTERN_API_KEY: 'postern_a_b' }, /both set/],
    ['a token that is none', ['plan', '-f', 'organizations'], { POSTERN_TOKEN: 'se cret' }, /holds no token/],
    [
      'a token nobody believes',
      ['plan', '-f', 'organizations'],
      { POSTERN_TOKEN: 'secret.secret.secret' },
      /401 token_malformed/,
    ],
  ]
  test.each(shouldRefuse)('%s', async (_name, args, env, expected) => {
    const { code, stdout, stderr } = await gateway.run(args, { env })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(expected)
    expect(stderr).not.toMatch(/secret|se cret/)
  })

  test('a file that must be named by a slug', async () => {
    mkdirSync(join(folder, 'names'), { recursive: true })
    writeFileSync(join(folder, 'names/Acme Inc.yaml'), '{}')
    const { code, stderr } = await gateway.run(['plan', '-f', 'names'])
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining("named by an organization's slug"),
    })
  })
})

test('the token can be in a file, under either name', async () => {
  writeFileSync(
    join(folder, 'token.txt'),
    `${gateway.api.token({ subject: 'olivia', groups: ['owners'] })}\n`,
  )
  for (const name of ['POSTERN_IDENTITY_TOKEN_FILE', 'WANDB_IDENTITY_TOKEN_FILE']) {
    const env = { POSTERN_TOKEN: '', [name]: 'token.txt' }
    expect(await gateway.run(['plan', '-f', 'organizations'], { env })).toMatchObject({ code: 0 })
  }
})

test.each(['plan', 'apply', 'export', 'audit', 'audit verify', 'policy publish'])(
  'postern %s --help has examples',
  async (command) => {
    const { code, stdout } = await postern([...command.split(' '), '--help'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/\nExamples:\n {2}\$ /)
  },
)
