// Why somebody else has or lacks roles: people as they were seen last, and pasted tokens, which are judged as the
// gateway would judge them and kept nowhere.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ACME_OWNER, type Api, GLOBEX_OWNER, NOBODY, OWNER, startApi, TEAM_ADMIN } from '../support/api.ts'
import { makeKey, mintToken } from '../support/tokens.ts'

const reasonOf = ({ status, json }: { status: number; json: { reason?: string } }) =>
  `${status} ${json.reason}`
const ownKey = makeKey('ES256')
const OWN = 'https://idp.acme.example'
const AT_ACME = '/organizations/acme/explain'

let api: Api
beforeAll(async () => {
  api = await startApi()
  await api.make('POST', '/organizations/acme/issuers', {
    body: { id: 'own', settings: { issuer: OWN, jwks: { keys: [ownKey.jwk] } } },
  })
  await api.stack.advance(70)
  await api.ask('GET', '/me')
  const database = await api.stack.database()
  const seen = (id: string, issuer: string, subject: string, groups: object) => {
    return database
      .prepare('INSERT INTO known_principals VALUES (?, ?, ?, ?, NULL, NULL, NULL, ?, 1, 1)')
      .bind(id, issuer, subject, issuer.includes('/') ? 'acme' : '', JSON.stringify(groups))
  }
  await database.batch([
    seen('k1', 'people', 'paula', {
      outcome: 'listed',
      names: ['acme-owners', 'globex-owners', 'secret-club'],
    }),
    seen('k2', 'people', 'stranger', { outcome: 'listed', names: ['globex-owners'] }),
    seen('k3', 'acme/own', 'mine', { outcome: 'listed', names: ['whatever'] }),
    seen('k4', 'people', 'silent', { outcome: 'absent', kept: null }),
  ])
})
afterAll(() => api.close())

const rolesIn = ({ json }: { json: { explanation: { roles: { role: string }[] } } }) => {
  return json.explanation.roles.map(({ role }) => role)
}
const person = (subject: string, issuer = 'people') => ({ principal: { issuer, subject } })

describe('a known principal', () => {
  const explain = (body: object, as = OWNER) => api.ask('POST', '/explain', { as, body })

  it('with the groups seen last, by the mappings in force', async () => {
    const answer = await explain({
      ...person('paula'),
      organization: 'acme',
      permission: 'organization.update',
    })
    expect(answer.json).toMatchObject({ principal: { issuer: 'people', subject: 'paula' }, refusal: null })
    expect(rolesIn(answer)).toContain('ORG_OWNER')
    const [first] = answer.json.explanation.roles.find(
      ({ role }: { role: string }) => role === 'ORG_OWNER',
    ).proofs
    expect(first.given).toMatchObject({
      mapping: 'organizations.acme.idpGroupMappings[0]',
      group: 'acme-owners',
    })
    expect(answer.json.explanation.wanted.decision).toMatchObject({ allowed: true })
    expect(
      (await explain({ ...person('silent'), organization: 'acme' })).json.explanation.groups.outcome,
    ).toBe('absent')
  })

  it('with roles given directly, and refused once it is deactivated', async () => {
    const user = await api.make('POST', '/users', {
      body: {
        displayName: 'Given',
        identities: [{ issuer: 'people', subject: 'given' }],
        given: { organizations: { acme: { roles: ['ORG_MEMBER'] } } },
      },
    })
    const ask = () => explain({ ...person('given'), organization: 'acme' })
    expect(rolesIn(await ask())).toContain('ORG_MEMBER')
    await api.make('PATCH', `/users/${user.id}`, { body: { status: 'inactive' }, ifMatch: 1 })
    await api.stack.advance(140)
    await ask()
    expect((await ask()).json.refusal).toMatchObject({ reason: 'principal_inactive' })
  })

  it('that is a service account with a key', async () => {
    const account = await api.make('POST', '/organizations/acme/projects/web/serviceAccounts', {
      body: { name: 'Robot', authenticationMethod: 'key', roles: ['GROUP_OWNER'] },
      as: ACME_OWNER,
    })
    const body = { ...person(account.id, 'postern'), organization: 'acme', project: 'web' }
    expect(rolesIn(await explain(body))).toContain('GROUP_OWNER')
  })

  it('nobody has seen is not found; the question is judged', async () => {
    expect(reasonOf(await explain(person('never-seen')))).toBe('404 not_found')
    expect(reasonOf(await explain({}))).toBe('400 input_invalid')
    expect(reasonOf(await explain({ ...person('paula'), token: 'x' }))).toBe('400 input_invalid')
    expect((await explain({ ...person('paula'), project: 'web' })).json.errors).toMatchObject([
      { path: 'project' },
    ])
  })

  it('is for whoever may read users', async () => {
    for (const as of [ACME_OWNER, TEAM_ADMIN, NOBODY]) {
      expect(reasonOf(await explain(person('paula'), as))).toBe('403 permission_missing')
    }
  })
})

describe("an organization's admins", () => {
  const explain = (body: object, as = ACME_OWNER) => api.ask('POST', AT_ACME, { as, body })

  it('are told what concerns their organization, and no other group', async () => {
    const answer = await explain(person('paula'))
    expect(rolesIn(answer)).toContain('ORG_OWNER')
    const { groups } = answer.json.explanation
    expect(groups.names.map(({ group }: { group: string }) => group)).toEqual(['acme-owners'])
    for (const word of ['secret-club', 'globex', 'user-admins', '"owners"'])
      expect(answer.text).not.toContain(word)
  })

  it('of strangers they are told no more than of people who do not exist', async () => {
    const [stranger, nobody] = [await explain(person('stranger')), await explain(person('no-such-person'))]
    expect([reasonOf(stranger), reasonOf(nobody)]).toEqual(['404 not_found', '404 not_found'])
    expect(stranger.json.detail.replace('stranger', '')).toBe(
      nobody.json.detail.replace('no-such-person', ''),
    )
    expect(reasonOf(await explain(person('x', 'globex/own')))).toBe('404 not_found')
  })

  it('of those whom their own issuer vouches for they are told all', async () => {
    const answer = await explain(person('mine', 'acme/own'))
    expect(answer.json.explanation.groups.names).toMatchObject([{ group: 'whatever' }])
  })

  it('in their organization only', async () => {
    const other = await explain({ ...person('paula'), organization: 'globex' })
    expect(other.json.errors).toMatchObject([{ path: 'organization' }])
    expect(reasonOf(await explain(person('paula'), GLOBEX_OWNER))).toBe('404 not_found')
    expect(rolesIn(await explain({ ...person('paula'), project: 'payments' }))).toContain('GROUP_OWNER')
  })
})

describe('a pasted token', () => {
  const explain = (token: string, more: object = {}, path = '/explain') => {
    const as = path === AT_ACME ? ACME_OWNER : OWNER
    return api.ask('POST', path, { as, body: { token, ...more } })
  }
  const good = (claims: object = {}) => {
    return mintToken(OWN, ownKey, { sub: 'tess', aud: 'acme', groups: ['acme-owners'], ...claims })
  }

  it('that is good: its claims, groups, mappings and roles', async () => {
    for (const text of [good(), `Bearer ${good()}`, `  ${good()}\n`]) {
      const answer = await explain(text, { organization: 'acme' })
      expect(answer.json).toMatchObject({ principal: { issuer: 'acme/own', subject: 'tess' }, refusal: null })
      expect(rolesIn(answer)).toContain('ORG_OWNER')
      expect(answer.json.explanation.groups).toMatchObject({
        outcome: 'listed',
        claim: 'groups',
        names: [{ raw: 'acme-owners', group: 'acme-owners' }],
      })
    }
  })

  it.each([
    ['expired', () => good({ exp: 1_000_000 }), 'token_expired'],
    ['for another audience', () => good({ aud: 'other' }), 'audience_mismatch'],
    [
      'signed by somebody else',
      () =>
        mintToken(
          OWN,
          { ...makeKey('ES256'), kid: ownKey.kid },
          { sub: 'tess', aud: 'acme', groups: ['acme-owners'] },
        ),
      'signature_invalid',
    ],
    [
      'of a key that is not there',
      () => mintToken(OWN, makeKey('ES256'), { sub: 'tess', aud: 'acme', groups: ['acme-owners'] }),
      'key_unknown',
    ],
  ])('that is %s: why it is refused, and what its claims would give', async (_what, token, reason) => {
    const answer = await explain(token(), { organization: 'acme' })
    expect(answer.json.refusal).toMatchObject({
      reason,
      title: expect.any(String),
      detail: expect.any(String),
    })
    expect(rolesIn(answer)).toContain('ORG_OWNER')
  })

  it.each([
    ['no token', () => 'nonsense', 'token_malformed'],
    ['of an unknown issuer', () => mintToken('https://else.example', ownKey, {}), 'issuer_unknown'],
    ['without a subject', () => good({ sub: undefined }), 'claim_missing'],
    ['of groups in a shape that is not declared', () => good({ groups: { a: 1 } }), 'groups_malformed'],
  ])('%s: why it is refused, and nobody', async (_what, token, reason) => {
    const { json } = await explain(token(), { organization: 'acme' })
    expect(json).toMatchObject({ principal: null, refusal: { reason }, explanation: null })
  })

  it("is nobody's word where an organization's admin wrote it in the instance's name", async () => {
    const forged = mintToken('https://people.idp.test', makeKey('ES256'), { sub: 'x', groups: ['owners'] })
    const { json } = await explain(forged, {}, AT_ACME)
    expect(json).toMatchObject({ principal: null, refusal: { reason: 'key_unknown' }, explanation: null })
    const own = await explain(good({ exp: 1_000_000 }), {}, AT_ACME)
    expect(rolesIn(own)).toContain('ORG_OWNER')
  })

  it('is neither said back nor kept anywhere, and nobody was seen', async () => {
    const token = good({ sub: 'only-asked-about' })
    const answer = await explain(token, { organization: 'acme' })
    const signature = token.split('.')[2] as string
    expect(answer.text).not.toContain(signature)
    expect(api.stack.logs.join('\n')).not.toContain(signature)
    const tables = await api.rows<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")
    for (const { name } of tables) {
      if (/^(sqlite_|_cf|search)/.test(name)) continue
      expect(JSON.stringify(await api.rows(`SELECT * FROM "${name}"`)), name).not.toContain(signature)
    }
    expect(await api.rows("SELECT * FROM known_principals WHERE subject = 'only-asked-about'")).toEqual([])
  })

  it('that is a key of ours is refused unread', async () => {
    const key = `postern_${'0'.repeat(24)}_${'A'.repeat(43)}`
    const answer = await explain(key)
    expect(answer.json.errors).toMatchObject([{ path: 'token' }])
    expect(answer.text).not.toContain('AAAA')
  })
})
