// The policy that a Worker is deployed with becomes a version in D1 and is published; what is deployed later as
// well, until somebody publishes another one.
import { afterEach, describe, expect, it } from 'vitest'
import { startIssuer } from '../support/issuer.ts'
import { type PublisherSetting, publisherOf, startPublisher } from '../support/publisher.ts'
import { API_HOST, type PolicySource, usualPolicy } from '../support/setting.ts'
import { startStack } from '../support/stack.ts'
import { makeKey } from '../support/tokens.ts'

let setting: PublisherSetting
afterEach(async () => {
  await (setting as PublisherSetting | undefined)?.close()
  setting = undefined as never
})

const changed = (change: (policy: PolicySource) => void): string => {
  const policy = usualPolicy(setting.issuer.url, setting.upstream.origin)
  change(policy)
  return JSON.stringify(policy)
}
const policyVersions = () => {
  return setting.query<{ version: number; operation: string }>(
    "SELECT version, operation FROM versions WHERE document = 'policy' ORDER BY version",
  )
}

describe('the deployed policy', { timeout: 60_000 }, () => {
  it('is adopted once: a version, an audit event, rows, and documents in KV', async () => {
    setting = await startPublisher()
    expect((await setting.get(setting.token())).status).toBe(200)
    expect(await setting.catchUp()).toMatchObject({ state: 'published', pending: 0, lastError: null })
    expect(await policyVersions()).toEqual([{ version: 1, operation: 'policy.adopt' }])
    expect(await setting.query('SELECT chain, number, operation FROM audit_events')).toEqual([
      { chain: '', number: 1, operation: 'policy.adopt' },
    ])
    expect(await setting.query('SELECT slug, in_policy, version, deleted_at FROM organizations')).toEqual([
      { slug: 'acme', in_policy: 1, version: 0, deleted_at: null },
      { slug: 'globex', in_policy: 1, version: 0, deleted_at: null },
    ])
    expect(await setting.query('SELECT organization, slug FROM projects')).toHaveLength(2)
    expect(await setting.query('SELECT id FROM issuers')).toHaveLength(2)
    const groups = await setting.query(
      'SELECT document, mapping, group_name, organization, project FROM group_mappings',
    )
    expect(groups).toContainEqual({
      document: 'policy',
      mapping: 'idpGroupMappings[0]',
      group_name: 'readers',
      organization: 'acme',
      project: 'payments',
    })
    expect(await setting.published('organization:acme')).toMatchObject({ version: 1 })
    expect((await setting.since(null)).published).toBe(true)
    await setting.stack.restart()
    expect((await setting.get(setting.token())).status).toBe(200)
    await setting.catchUp()
    expect(await policyVersions()).toHaveLength(1)
  })

  it('of another deployment is adopted anew, before the first request that comes to it', async () => {
    setting = await startPublisher()
    await setting.catchUp()
    const web = changed((policy) => {
      policy.organizations.acme.projects = { web: policy.organizations.globex.projects.web }
    })
    await setting.stack.restart({ policy: web })
    const there = await setting.get(setting.token({ groups: ['web-readers'] }), {
      path: '/orgs/acme/projects/web/x',
    })
    expect(there.status).toBe(200)
    expect((await setting.get(setting.token())).status).toBe(403)
    expect(await policyVersions()).toHaveLength(2)
    const gone = await setting.query(
      'SELECT slug, in_policy, deleted_at FROM projects WHERE organization = ?',
      'acme',
    )
    expect(gone).toEqual([
      { slug: 'payments', in_policy: 0, deleted_at: expect.any(Number) },
      { slug: 'web', in_policy: 1, deleted_at: null },
    ])
  })

  it('leaves alone what somebody has published over the API since', async () => {
    setting = await startPublisher()
    await setting.catchUp()
    await setting.edit('policy', {
      source: changed((policy) => {
        policy.organizations.acme.projects = {}
      }),
    })
    await setting.catchUp()
    expect(
      (await setting.published<{ header: { projects: unknown[] } }>('organization:acme'))?.content.header
        .projects,
    ).toEqual([])
    await setting.stack.restart({
      policy: changed((policy) => {
        policy.organizations.globex.projects = {}
      }),
    })
    await setting.catchUp()
    expect(await policyVersions()).toHaveLength(2)
  })

  it('always goes first where the policy is managed in git', async () => {
    setting = await startPublisher({ variables: { POLICY_MANAGED_IN: 'git' } })
    await setting.catchUp()
    await setting.edit('policy', {
      source: changed((policy) => {
        policy.organizations.acme.projects = {}
      }),
    })
    await setting.catchUp()
    await setting.stack.restart({
      policy: changed((policy) => {
        policy.organizations.globex.projects = {}
      }),
    })
    await setting.catchUp()
    expect((await policyVersions()).map(({ operation }) => operation)).toEqual([
      'policy.adopt',
      'test',
      'policy.adopt',
    ])
    expect((await setting.get(setting.token())).status).toBe(200)
  })

  it('[4-12] gives global roles to the groups that variables name, also after they are changed alone', async () => {
    setting = await startPublisher({ variables: { OIDC_GLOBAL_ROLE_READ_ONLY: 'auditors, watchers' } })
    const ask = (group: string) => setting.get(setting.token({ groups: [group] }), { path: '/instance' })
    await setting.catchUp()
    await setting.stack.advance(20)
    expect((await ask('watchers')).status).toBe(200)
    expect((await ask('owners')).status).toBe(403)
    await setting.stack.restart({ variables: { OIDC_GLOBAL_ROLE_OWNER: 'owners' } })
    expect((await ask('owners')).status).toBe(200)
    expect((await ask('watchers')).status).toBe(403)
    const rows = await setting.query(
      "SELECT mapping, group_name FROM group_mappings WHERE document = 'environment'",
    )
    expect(rows).toEqual([{ mapping: 'idpGroupMappings[1]', group_name: 'owners' }])
  })

  it('decides by itself while D1 cannot be reached, which the publication says', async () => {
    const issuer = await startIssuer({ keys: [makeKey('ES256')] })
    const policy = JSON.stringify(usualPolicy(issuer.url, 'https://upstream.example'))
    const stack = await startStack({ policy })
    const publisher = publisherOf(stack)
    const ask = (groups: string[]) => {
      return stack.send({ host: API_HOST, path: '/instance', token: issuer.token({ groups }) })
    }
    await publisher.faults('d1=fails')
    // Whoever may is admitted, and the upstream does not answer.
    expect((await ask(['operators'])).status).toBeGreaterThanOrEqual(500)
    expect((await ask(['others'])).status).toBe(403)
    expect(await publisher.since(null)).toMatchObject({ published: false })
    const lastError = expect.stringContaining('DB')
    expect(await publisher.call('status')).toMatchObject({ state: 'pending', lastError })
    await publisher.faults('d1=works')
    expect(await publisher.catchUp()).toMatchObject({ state: 'published', lastError: null })
    expect(await publisher.since(null)).toMatchObject({ published: true })
    await Promise.all([stack.close(), issuer.stop()])
  })

  it('of many organizations is published in slices, and decides once all of them are there', async () => {
    const slugs = Array.from({ length: 250 }, (_, index) => `organization-${index}`)
    const policy = {
      ...usualPolicy('https://idp.example', 'https://upstream.example'),
      organizations: Object.fromEntries(slugs.map((slug) => [slug, {}])),
    }
    const stack = await startStack({ policy: JSON.stringify(policy) })
    const publisher = publisherOf(stack)
    expect(await publisher.catchUp()).toMatchObject({ state: 'pending', lastError: null })
    expect((await publisher.since(null)).published).toBe(false)
    await publisher.until(async () => (await publisher.since(null)).published)
    expect(await publisher.call('status')).toMatchObject({ state: 'published', pending: 0 })
    const all = await Promise.all(slugs.map((slug) => publisher.published(`organization:${slug}`)))
    expect(all.every((document) => document?.version === 1)).toBe(true)
    await stack.close()
  })
})
