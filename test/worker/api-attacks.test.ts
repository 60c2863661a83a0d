// What somebody with some rights may try to get, see or break beyond them; each case is named as the attack. Rules of
// granting have a file of their own (api-grants.test.ts).
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { foldCase } from '../../policy/fold-case.ts'
import { MAPPINGS_MAX } from '../../policy/limits.ts'
import { principalId } from '../../worker/documents/published.ts'
import { ACME_OWNER, type Api, type Json, OWNER, startApi, USER_ADMIN } from '../support/api.ts'
import { startIssuer, type TestIssuer } from '../support/issuer.ts'
import { GATEWAY_HOST } from '../support/stack.ts'
import { makeKey } from '../support/tokens.ts'

let api: Api
let slow: TestIssuer
const key = makeKey('ES256')
beforeAll(async () => {
  slow = await startIssuer({ keys: [makeKey('ES256')] })
  api = await startApi({ services: { CORP: () => new Response('no', { status: 404 }) } })
})
afterAll(async () => {
  await api.close()
  await slow.stop()
})

const reasonOf = ({ status, json }: Json) => `${status} ${json?.reason}`
const pinned = (issuer: string) => ({ issuer, jwks: { keys: [key.jwk] } })

/** Somebody of the instance's issuer, with the groups they were seen with. */
async function seen(subject: string, groups: string[]): Promise<void> {
  const database = await api.stack.database()
  const id = await principalId('people', subject)
  await database.batch([
    database
      .prepare(
        `INSERT INTO known_principals (id, issuer, subject, organization, email, display_name, groups, first_seen_at, last_seen_at)
          VALUES (?1, 'people', ?2, '', ?2 || '@example.com', 'Name of ' || ?2, ?3, ?4, ?4)`,
      )
      .bind(id, subject, JSON.stringify({ outcome: 'listed', names: groups }), Date.now()),
    ...groups.map((group) =>
      database.prepare('INSERT INTO known_groups VALUES (?, ?, ?)').bind(foldCase(group), group, id),
    ),
  ])
}

describe('people of other organizations', () => {
  const preview = async (as: typeof OWNER) => {
    const { json } = await api.ask('PATCH', '/organizations/acme', {
      as,
      ifMatch: 0,
      query: { dryRun: 'true' },
      body: { patternMappings: [{ roleName: 'ORG_BILLING_ADMIN', groupPatterns: ['*'] }] },
    })
    const { items } = json.principals as { items: { subject: string | null; email: string | null }[] }
    return items.map(({ subject, email }) => `${subject} ${email}`).sort()
  }

  it('are not listed by a draft that names everybody’s groups', async () => {
    await seen('gita', ['globex-secret'])
    await seen('ann', ['payments-readers'])
    expect(await preview(ACME_OWNER)).toEqual(['ann ann@example.com', 'null null'])
    expect(await preview(OWNER)).toEqual(['ann ann@example.com', 'gita gita@example.com'])
  })

  it('are looked at page by page where more groups match than are worth finding out', async () => {
    const database = await api.stack.database()
    await database.exec(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10001) INSERT INTO known_groups SELECT 'many' || i, 'many' || i, 'nobody' FROM n",
    )
    expect(await preview(OWNER)).toEqual(['ann ann@example.com', 'gita gita@example.com'])
    await database.exec("DELETE FROM known_groups WHERE principal = 'nobody'")
  })
})

describe('what there is', () => {
  const opsManager = async (path: string, body?: object) => {
    const { status, text } = await api.stack.send({
      host: GATEWAY_HOST,
      method: body ? 'POST' : 'GET',
      path: `/api/public/v1.0${path}`,
      headers: { authorization: `Bearer ${api.token(ACME_OWNER)}`, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    return `${status} ${text}`
  }

  it('elsewhere is not told apart from what is not, by Ops Manager’s ids', async () => {
    const [group] = await api.rows<{ id: string }>(
      "SELECT public_id AS id FROM projects WHERE organization = 'globex'",
    )
    const [org] = await api.rows<{ id: string }>(
      "SELECT public_id AS id FROM organizations WHERE slug = 'globex'",
    )
    const none = '0'.repeat(24)
    expect(await opsManager(`/groups/${group?.id}`)).toBe(await opsManager(`/groups/${none}`))
    expect(await opsManager(`/orgs/${org?.id}`)).toBe(await opsManager(`/orgs/${none}`))
    expect(await opsManager(`/orgs/${org?.id}/groups`)).toBe(await opsManager(`/orgs/${none}/groups`))
    expect(await opsManager('/groups', { name: 'x', orgId: org?.id })).toBe(
      await opsManager('/groups', { name: 'x', orgId: none }),
    )
  })

  it('in projects is not told to members by the declared file', async () => {
    await api.make('POST', '/organizations', {
      body: {
        slug: 'club',
        idpGroupMappings: [
          { roleName: 'ORG_MEMBER', idpGroups: ['club-members'] },
          { roleName: 'ORG_READ_ONLY', idpGroups: ['club-readers'] },
        ],
      },
    })
    await api.make('POST', '/organizations/club/projects', { body: { slug: 'hidden' } })
    const read = (group: string) => {
      return api.ask('GET', '/organizations/club/declaration', { as: { subject: group, groups: [group] } })
    }
    expect(reasonOf(await read('club-members'))).toBe('403 permission_missing')
    expect((await read('club-readers')).json.projects).toEqual({ hidden: expect.anything() })
  })
})

describe('issuers', () => {
  it('that a binding leads to are not sent elsewhere by whoever may not name the binding', async () => {
    const settings = { issuer: 'https://idp.corp.internal', vpcBinding: 'CORP' }
    await api.make('POST', '/organizations/acme/issuers', { body: { id: 'corp', settings } })
    const change = (more: object, as = ACME_OWNER, ifMatch = 1) => {
      return api.ask('PUT', '/organizations/acme/issuers/corp', {
        as,
        ifMatch,
        body: { settings: { ...settings, ...more } },
      })
    }
    expect(reasonOf(await change({ issuer: 'https://vault.corp.internal' }))).toBe('403 permission_missing')
    expect(reasonOf(await change({ jwksUri: 'https://vault.corp.internal/v1' }))).toBe(
      '403 permission_missing',
    )
    const declared = await api.ask('GET', '/organizations/acme/declaration', { as: ACME_OWNER })
    const applied = await api.ask('PUT', '/organizations/acme/declaration', {
      as: ACME_OWNER,
      headers: { 'if-match': declared.headers.etag as string },
      body: {
        ...declared.json,
        issuers: { corp: { ...settings, issuer: 'https://vault.corp.internal' } },
      },
    })
    expect(reasonOf(applied)).toBe('403 permission_missing')
    expect((await change({ leewaySeconds: 5 })).status).toBe(200)
    expect((await change({ issuer: 'https://other.corp.internal' }, OWNER, 2)).status).toBe(200)
  })

  it('of an organization that is deleted meanwhile do not keep their name', async () => {
    await api.make('POST', '/organizations', { body: { slug: 'gone' } })
    slow.delayMs = 1500
    const making = api.ask('POST', '/organizations/gone/issuers', {
      body: { id: 'own', settings: { issuer: slow.url } },
    })
    await expect.poll(() => slow.paths.length).toBeGreaterThan(0)
    const deleted = await api.ask('DELETE', '/organizations/gone', { query: { confirm: 'gone' } })
    expect(deleted.status).toBe(200)
    expect(reasonOf(await making)).toBe('409 name_taken')
    slow.delayMs = 0
    expect(await api.rows("SELECT * FROM issuer_names WHERE organization = 'gone'")).toEqual([])
    expect(
      (await api.ask('POST', '/issuers', { body: { id: 'late', settings: { issuer: slow.url } } })).status,
    ).toBe(201)
  })

  it('do not take the name under which keys of ours are known', async () => {
    const made = await api.ask('POST', '/issuers', {
      body: { id: 'postern', settings: pinned('https://postern.example') },
    })
    expect(reasonOf(made)).toBe('400 input_invalid')
  })

  it.each([
    ['private', { kty: 'EC', crv: 'P-256', x: 'eA', y: 'eQ', d: 'c2VjcmV0' }],
    ['shared', { kty: 'oct', k: 'c2VjcmV0' }],
  ])('keep no %s key that was pasted with the public ones', async (kind, secret) => {
    const made = await api.ask('POST', '/organizations/acme/issuers', {
      as: ACME_OWNER,
      body: { id: kind, settings: { ...pinned('https://keys.example'), jwks: { keys: [key.jwk, secret] } } },
    })
    expect(reasonOf(made)).toBe('400 input_invalid')
    expect(made.json.errors[0].path).toBe('settings.jwks.keys[1]')
    expect(made.text).not.toContain('c2VjcmV0')
  })
})

describe('the last owner by name', () => {
  it('goes only when that is said, whichever way it goes', async () => {
    await api.make('POST', '/organizations', { body: { slug: 'direct' } })
    const { id } = await api.make('POST', '/users', {
      body: {
        displayName: 'Dora',
        identities: [{ issuer: 'people', subject: 'dora' }],
        given: { organizations: { direct: { roles: ['ORG_OWNER'] } } },
      },
    })
    const asked = { as: USER_ADMIN, ifMatch: 1 }
    const said = ['last-owner']
    const identity = { issuer: 'people', subject: 'dora' }
    const ways = [
      await api.ask('DELETE', `/organizations/direct/users/${id}`, asked),
      await api.ask('PUT', `/organizations/direct/users/${id}`, { ...asked, body: { roles: [] } }),
      await api.ask('PATCH', `/users/${id}`, { ...asked, body: { status: 'inactive' } }),
      await api.ask('DELETE', `/users/${id}/identities`, { ...asked, query: identity }),
      await api.ask('DELETE', `/users/${id}`, { ...asked, query: { confirm: id } }),
    ]
    expect(ways.map(({ json }) => json.toConfirm)).toEqual([said, said, said, said, said])
    // Another owner is left: by a mapping, then by name.
    const roles = { roles: ['ORG_OWNER'] }
    const mapping = { roleName: 'ORG_OWNER', idpGroups: ['direct-owners'] }
    const dry = { ...asked, query: { dryRun: 'true' } }
    const remove = async () => (await api.make('DELETE', `/organizations/direct/users/${id}`, dry)).toConfirm
    await api.make('PATCH', '/organizations/direct', { ifMatch: 1, body: { idpGroupMappings: [mapping] } })
    expect(await remove()).toEqual([])
    await api.make('PATCH', '/organizations/direct', { ifMatch: 2, body: { idpGroupMappings: [] } })
    const second = { displayName: 'Otto', given: { organizations: { direct: roles } } }
    const other = await api.make('POST', '/users', { body: second })
    // Whoever has no identity cannot come in.
    expect(await remove()).toEqual(said)
    await api.make('POST', `/users/${other.id}/identities`, {
      ifMatch: 1,
      body: { issuer: 'people', subject: 'otto' },
    })
    expect(await remove()).toEqual([])
  })
})

describe('limits', () => {
  const fill = async (slug: string, groups: number) => {
    const database = await api.stack.database()
    await database.exec(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${groups}) INSERT INTO group_mappings (document, mapping, group_name, group_key, kind, role_name, organization, project) SELECT 'project/${slug}/other', 'idpGroupMappings[0]', 'x' || i, 'x' || i, 'name', 'GROUP_READ_ONLY', '${slug}', 'other' FROM n`,
    )
  }
  const count = async (slug: string) => {
    const [row] = await api.rows<{ n: number }>(
      `SELECT count(*) AS n FROM group_mappings WHERE organization = '${slug}'`,
    )
    return row?.n
  }
  const mapping = { idpGroupMappings: [{ roleName: 'GROUP_READ_ONLY', idpGroups: ['g'] }] }

  it('hold when a project is changed while a declared file is applied', async () => {
    await api.make('POST', '/organizations', { body: { slug: 'brim' } })
    for (const slug of ['one', 'two']) {
      await api.make('POST', '/organizations/brim/projects', { body: { slug } })
    }
    await fill('brim', MAPPINGS_MAX - 1)
    const declared = await api.ask('GET', '/organizations/brim/declaration')
    slow.delayMs = 1500
    slow.paths.length = 0
    const body = {
      ...declared.json,
      issuers: { own: { issuer: `${slow.url}/other` } },
      projects: { one: mapping, two: {} },
    }
    const applying = api.ask('PUT', '/organizations/brim/declaration', {
      headers: { 'if-match': declared.headers.etag as string },
      body,
    })
    await expect.poll(() => slow.paths.length).toBeGreaterThan(0)
    await api.make('POST', '/organizations/brim/projects', { body: { slug: 'three', ...mapping } })
    expect(reasonOf(await applying)).toBe('412 version_conflict')
    slow.delayMs = 0
    expect(await count('brim')).toBe(MAPPINGS_MAX)
  })
})

it('more keys than an account may have are not made at once', async () => {
  const accounts = '/organizations/acme/projects/payments/serviceAccounts'
  const account = { name: 'Many keys', authenticationMethod: 'key' }
  const { id } = await api.make('POST', accounts, { body: account })
  const headers = { prefer: 'respond-async' }
  await Promise.all(
    Array.from({ length: 30 }, () => api.ask('POST', `${accounts}/${id}/keys`, { body: {}, headers })),
  )
  expect((await api.make('GET', `${accounts}/${id}`)).keys).toHaveLength(10)
})

describe('what was given in a place that is deleted', () => {
  it('is not had again when the policy names the place', async () => {
    const paths = { phoenix: '/organizations/phoenix', nest: '/organizations/aviary/projects/nest' }
    for (const slug of ['phoenix', 'aviary']) await api.make('POST', '/organizations', { body: { slug } })
    for (const slug of ['nest', 'egg']) {
      await api.make('POST', '/organizations/aviary/projects', { body: { slug } })
    }
    const projects = { nest: ['GROUP_OWNER'], egg: ['GROUP_OWNER'] }
    const organizations = { phoenix: { roles: ['ORG_OWNER'] }, aviary: { projects } }
    const { id } = await api.make('POST', '/users', {
      body: {
        displayName: 'Phil',
        identities: [{ issuer: 'people', subject: 'phil' }],
        given: { organizations },
      },
    })
    await api.make('DELETE', paths.phoenix, { query: { confirm: 'phoenix' } })
    await api.make('DELETE', paths.nest, { query: { confirm: 'nest' } })
    const declared = await api.ask('GET', '/organizations/aviary/declaration')
    await api.make('PUT', '/organizations/aviary/declaration', {
      headers: { 'if-match': declared.headers.etag as string },
      query: { confirm: 'deletions' },
      body: { ...declared.json, projects: {} },
    })
    const { version, given } = await api.make('GET', `/users/${id}`)
    expect({ version, given: given.organizations }).toEqual({
      version: 4,
      given: { aviary: { roles: [], projects: {} } },
    })
    await api.make('PATCH', `/users/${id}`, { ifMatch: version, body: { displayName: 'Philip' } })
    const policy = await api.make('GET', '/policy')
    const named = JSON.parse(policy.source)
    Object.assign(named.organizations, { phoenix: {}, aviary: { projects: { nest: {}, egg: {} } } })
    await api.make('PUT', '/policy', {
      ifMatch: policy.version,
      body: { source: JSON.stringify(named) },
    })
    const as = { subject: 'phil', groups: [] }
    const answers = await Promise.all(
      [...Object.values(paths), '/organizations/aviary/projects/egg'].map((path) =>
        api.ask('GET', path, { as }),
      ),
    )
    expect(answers.map(reasonOf)).toEqual(Array(3).fill('404 not_found'))
  })
})

describe('a mistake of the caller is no fault of ours', () => {
  it('restoring a policy that came with another build', async () => {
    const database = await api.stack.database()
    const insert = `INSERT INTO versions (document, version, content, operation, actor, request_id, at)
      SELECT document, max(version) + 1, coalesce(?, content), operation, actor, request_id, at
      FROM versions WHERE document = 'policy'`
    const [before] = await api.rows<{ content: string }>(
      "SELECT content FROM versions WHERE document = 'policy' ORDER BY version DESC LIMIT 1",
    )
    const bundled = JSON.stringify({ source: null, bundled: '0'.repeat(64) })
    for (const content of [bundled, before?.content]) await database.prepare(insert).bind(content).run()
    const [{ version = 0 } = {}] = await api.rows<{ version: number }>(
      "SELECT max(version) AS version FROM versions WHERE document = 'policy'",
    )
    const restored = await api.ask('POST', `/versions/${version - 1}/restore`, {
      ifMatch: version,
      query: { document: 'policy' },
    })
    expect(reasonOf(restored)).toBe('400 input_invalid')
  })

  it.each([
    ['a name', { displayName: 'a\ud800' }],
    ['a group', { idpGroupMappings: [{ roleName: 'ORG_MEMBER', idpGroups: ['\udc00b'] }] }],
  ])('half of a surrogate pair in %s', async (_where, body) => {
    const made = await api.ask('POST', '/organizations', { body: { slug: 'halved', ...body } })
    expect(reasonOf(made)).toBe('400 input_invalid')
    const whole = { slug: 'halved', displayName: '\u{1f600}' }
    const dry = await api.ask('POST', '/organizations', { body: whole, query: { dryRun: 'true' } })
    expect(dry.status).toBe(200)
  })

  it('a database that is away: whether a change was saved is not claimed', async () => {
    await api.stack.faults({ d1: 'unreachable' })
    const away = await api.ask('POST', '/organizations', { body: { slug: 'unsaved' } })
    await api.stack.faults({})
    expect(reasonOf(away)).toBe('503 database_unavailable')
    expect(away.json.detail).toMatch(/not known whether it was saved/)
  })

  it('an organization by a name that every object has', async () => {
    await api.make('POST', '/organizations', { body: { slug: 'constructor' } })
    await api.make('POST', '/organizations/constructor/projects', { body: { slug: 'constructor' } })
    const user = await api.make('POST', '/users', { body: { displayName: 'Mia' } })
    const path = `/organizations/constructor/users/${user.id}`
    expect(reasonOf(await api.ask('DELETE', path, { ifMatch: 1 }))).toBe('404 not_found')
    const body = { roles: ['ORG_MEMBER'], projects: { constructor: ['GROUP_READ_ONLY'] } }
    expect((await api.make('PUT', path, { ifMatch: 1, body })).given.organizations).toEqual({
      constructor: body,
    })
    expect(await api.make('DELETE', path, { ifMatch: 2 })).toEqual({ removed: user.id })
  })
})
