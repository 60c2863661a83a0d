// `postern policy publish` against a real stack: what is shown, asked, published, and refused.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ACME_OWNER, apiPolicy } from '../support/api.ts'
import { type Gateway, startGateway } from './gateway.ts'
import { file, folder, run } from './postern.ts'

let gateway: Gateway
beforeAll(async () => {
  gateway = await startGateway()
})
afterAll(() => gateway.close())

const policy = (more: Record<string, unknown>) => JSON.stringify(apiPolicy(more), null, 2)
const GLOBAL = [
  { roleName: 'GLOBAL_OWNER', idpGroups: ['owners'] },
  { roleName: 'GLOBAL_USER_ADMIN', idpGroups: ['user-admins'] },
]
const version = async () => (await gateway.api.ask('GET', '/policy')).json.version

describe('publishing', () => {
  test('shows what would change, and changes nothing on a dry run', async () => {
    file(
      'new.yaml',
      policy({ idpGroupMappings: [...GLOBAL, { roleName: 'GLOBAL_READ_ONLY', idpGroups: ['auditors'] }] }),
    )
    const before = await version()
    const { code, stdout, stderr } = await gateway.run(['policy', 'publish', 'new.yaml', '--dry-run'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(`Compared with version ${before} of ${gateway.url}\n`)
    expect(stdout).toContain('+ mapping GLOBAL_READ_ONLY  idpGroupMappings[2]')
    expect(await version()).toBe(before)
  })

  test('wants a yes, and takes none for granted', async () => {
    const { code, stderr } = await gateway.run(['policy', 'publish', 'new.yaml'])
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('say --yes') })
  })

  test('publishes, and says so', async () => {
    const before = await version()
    const { code, stdout } = await gateway.run(['policy', 'publish', 'new.yaml', '--yes'])
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`Published as version ${before + 1}\\.\\n$`))
    const me = await gateway.api.ask('GET', '/instance', { as: { subject: 'a', groups: ['auditors'] } })
    expect(me.status).toBe(200)
  })

  test('has nothing to do the second time', async () => {
    const { code, stdout } = await gateway.run(['policy', 'publish', 'new.yaml'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/has this policy already/)
  })

  test('says it as JSON', async () => {
    file('json.yaml', policy({ idpGroupMappings: GLOBAL }))
    const { code, stdout } = await gateway.run(['policy', 'publish', 'json.yaml', '--yes', '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      published: true,
      version: await version(),
      publication: 'published',
      preview: { changes: [{ part: 'mapping', change: 'removed' }] },
    })
  })

  test('of a policy that takes the last owner away needs that to be said', async () => {
    const text = policy({})
    file(
      'ownerless.yaml',
      text.replace('"acme-owners"', '"other-owners"').replace('"ORG_OWNER"', '"ORG_MEMBER"'),
    )
    const preview = await gateway.run(['policy', 'publish', 'ownerless.yaml', '--dry-run'])
    expect(preview.stdout).toContain('It has to be confirmed: last-owner')
    const unconfirmed = await gateway.run(['policy', 'publish', 'ownerless.yaml', '--yes'])
    expect(unconfirmed).toMatchObject({ code: 2, stderr: expect.stringContaining('--confirm last-owner') })
    const confirmed = await gateway.run([
      'policy',
      'publish',
      'ownerless.yaml',
      '--yes',
      '--confirm',
      'last-owner',
    ])
    expect(confirmed).toMatchObject({ code: 0 })
  })

  test('asks on a terminal', async () => {
    file('asked.yaml', policy({}))
    const command = `'${process.execPath}' '${folder}/bin/postern.mjs' policy publish asked.yaml`
    const env = {
      POSTERN_URL: gateway.url,
      POSTERN_TOKEN: gateway.api.token({ subject: 'olivia', groups: ['owners'] }),
      TERM: 'xterm',
    }
    const ask = (answer: string) => {
      return run('script', ['--quiet', '--return', '--command', command, '/dev/null'], { env, stdin: answer })
    }
    const before = await version()
    const no = await ask('n\n')
    expect(no.stdout).toContain('Publish it? [y/N]')
    expect(no.stdout).toContain('Nothing was changed.')
    expect(no.code).toBe(1)
    const yes = await ask('y\n')
    expect(yes).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`Published as version ${before + 1}.`),
    })
  })
})

describe('a policy is not published', () => {
  test('when it is not valid: nothing is asked of the server', async () => {
    file('broken.yaml', policy({}).replace('GLOBAL_OWNER', 'GLOBAL_OWNR'))
    const { code, stdout } = await gateway.run(['policy', 'publish', 'broken.yaml', '--yes'], {
      env: { POSTERN_URL: 'http://127.0.0.1:49151' },
    })
    expect(code).toBe(1)
    expect(stdout).toMatch(/^broken\.yaml:\d+:\d+: idpGroupMappings\[0\]\.roleName/)
  })

  test('when its own tests fail', async () => {
    const tests = [
      { name: 'nobody is owner', principal: { issuer: 'people', groups: ['owners'] }, expect: { roles: [] } },
    ]
    file('failing.yaml', policy({ tests }))
    const { code, stdout } = await gateway.run(['policy', 'publish', 'failing.yaml', '--yes'])
    expect(code).toBe(1)
    expect(stdout).toContain('the test "nobody is owner" fails')
  })

  test('by somebody who may not', async () => {
    file('mine.yaml', policy({ audience: 'mine' }))
    const { code, stderr } = await gateway.run(['policy', 'publish', 'mine.yaml', '--yes'], {
      as: ACME_OWNER,
    })
    expect(code).toBe(2)
    expect(stderr).toMatch(/403 permission_missing, request [0-9a-f-]+/)
  })
})

describe('where the policy is managed in git', () => {
  let inGit: Gateway
  beforeAll(async () => {
    inGit = await startGateway({ variables: { POLICY_MANAGED_IN: 'git' } })
  })
  afterAll(() => inGit.close())

  test('nothing is published', async () => {
    file('git.yaml', policy({ audience: 'other' }))
    const { code, stderr } = await inGit.run(['policy', 'publish', 'git.yaml', '--yes'])
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('is managed in') })
  })
})
