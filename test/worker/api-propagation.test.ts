// From an edit over the management API to what every isolate decides: each kind of edit that takes something away
// is obeyed within the re-check time, and whoever waits for the edge is answered when it has the edit.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Editing, startEditing } from '../support/editing.ts'
import { API_HOST, WEB } from '../support/setting.ts'
import { makeKey, mintToken } from '../support/tokens.ts'

const RECHECK_SECONDS = 15
const ISOLATES = [0, 1, 2]
const wait = { prefer: 'wait' }

describe('within the re-check time nobody is decided the old way any more, in any isolate', () => {
  let editing: Editing
  beforeAll(async () => {
    editing = await startEditing({ isolates: ISOLATES.length })
  })
  afterAll(() => editing.close())

  interface Kind {
    edit: string
    /** Makes that the probe is let through. */
    give: () => Promise<unknown>
    /** Takes it away again. */
    take: () => Promise<unknown>
    /** What is sent, as whom. */
    token: () => string
    path: string
    refused: number
  }

  const PROBE = '/orgs/acme/projects/probe/hello'
  const ofNobody = (subject: string) => editing.token({ sub: subject, groups: [] })
  const version = async (path: string) => (await editing.edit('GET', path)).headers.etag as string
  const change = async (method: string, path: string, body?: unknown) => {
    const [place = ''] = path.split('?')
    const ifMatch = method === 'PATCH' || method === 'PUT' ? { 'if-match': await version(place) } : {}
    const answer = await editing.edit(method, path, body, { ...wait, ...ifMatch })
    const { status, text, headers } = answer
    expect(status, text).toBeLessThan(300)
    expect(headers['postern-publication']).toBe('published')
    return JSON.parse(text) as { id: string }
  }
  const ids: Record<string, string> = {}
  const newKey = makeKey('ES256')
  const newIssuer = 'https://new.idp.test'

  const kinds: Kind[] = [
    {
      edit: 'a group mapping of a project',
      give: () => editing.giveTo(['given'], wait),
      take: () => editing.giveTo(['somebody-else'], wait),
      token: () => editing.token({ groups: ['given'] }),
      path: '/orgs/acme/projects/payments/hello',
      refused: 403,
    },
    {
      edit: 'a group mapping of an organization',
      give: () =>
        change('PATCH', '/organizations/globex', {
          idpGroupMappings: [{ roleName: 'ORG_READ_ONLY', idpGroups: ['globex-readers'] }],
        }),
      take: () => change('PATCH', '/organizations/globex', { idpGroupMappings: [] }),
      token: () => editing.token({ groups: ['globex-readers'] }),
      path: WEB,
      refused: 403,
    },
    {
      edit: 'a group mapping of the instance',
      give: () =>
        change('PATCH', '/instance', {
          idpGroupMappings: [{ roleName: 'GLOBAL_READ_ONLY', idpGroups: ['all-readers'] }],
        }),
      take: () => change('PATCH', '/instance', { idpGroupMappings: [] }),
      token: () => editing.token({ groups: ['all-readers'] }),
      path: WEB,
      refused: 403,
    },
    {
      edit: 'a role given directly',
      give: async () => {
        const given = { organizations: { globex: { projects: { web: ['GROUP_READ_ONLY'] } } } }
        const identities = [{ issuer: 'main', subject: 'dora' }]
        ids.dora = (await change('POST', '/users', { displayName: 'Dora', identities, given })).id
      },
      take: () => change('PATCH', `/users/${ids.dora}`, { given: {} }),
      token: () => ofNobody('dora'),
      path: WEB,
      refused: 403,
    },
    {
      edit: 'the status of a user',
      give: async () => {
        const identities = [{ issuer: 'main', subject: 'ina' }]
        ids.ina = (await change('POST', '/users', { displayName: 'Ina', identities })).id
      },
      take: () => change('PATCH', `/users/${ids.ina}`, { status: 'inactive' }),
      token: () => editing.token({ sub: 'ina', groups: ['readers'] }),
      path: '/orgs/acme/projects/payments/hello',
      refused: 403,
    },
    {
      edit: '[1-24] [1-27] a federated service account',
      give: async () => {
        const body = {
          name: 'deploy',
          authenticationMethod: 'federated',
          issuer: 'main',
          subject: 'repo:globex/web',
          roles: ['GROUP_READ_ONLY'],
        }
        const made = await change('POST', '/organizations/globex/projects/web/serviceAccounts', body)
        ids.deploy = made.id
      },
      take: () =>
        change(
          'DELETE',
          `/organizations/globex/projects/web/serviceAccounts/${ids.deploy}?confirm=${ids.deploy}`,
        ),
      token: () => ofNobody('repo:globex/web'),
      path: WEB,
      refused: 403,
    },
    {
      edit: '[1-5] [1-8] an issuer of an organization',
      give: async () => {
        const settings = { issuer: newIssuer, jwks: { keys: [newKey.jwk] } }
        await change('POST', '/organizations/globex/issuers', { id: 'new', settings })
      },
      take: () => change('DELETE', '/organizations/globex/issuers/new?confirm=new'),
      token: () => mintToken(newIssuer, newKey, { aud: 'globex', groups: ['web-readers'] }),
      path: WEB,
      refused: 401,
    },
    {
      edit: 'a project',
      give: () =>
        change('POST', '/organizations/acme/projects', {
          slug: 'probe',
          idpGroupMappings: [{ roleName: 'GROUP_READ_ONLY', idpGroups: ['probers'] }],
        }),
      take: () => change('DELETE', '/organizations/acme/projects/probe?confirm=probe'),
      token: () => editing.token({ groups: ['probers'] }),
      path: PROBE,
      refused: 403,
    },
    {
      edit: 'an organization',
      give: async () => {
        const idpGroupMappings = [{ roleName: 'ORG_READ_ONLY', idpGroups: ['initech-readers'] }]
        await change('POST', '/organizations', { slug: 'initech', idpGroupMappings })
        await change('POST', '/organizations/initech/projects', { slug: 'printer' })
      },
      take: () => change('DELETE', '/organizations/initech?confirm=initech'),
      token: () => editing.token({ groups: ['initech-readers'] }),
      path: '/orgs/initech/projects/printer/hello',
      refused: 403,
    },
    {
      edit: 'a key that is withdrawn',
      give: async () => {},
      take: () => change('POST', '/issuers/main/keys:withdraw', { kid: editing.issuer.keys[0]?.kid }),
      token: () => editing.token({ groups: ['readers'] }),
      path: '/orgs/acme/projects/payments/hello',
      refused: 401,
    },
  ]

  it.each(kinds.map((kind) => [kind.edit, kind] as const))('%s', async (_edit, kind) => {
    await kind.give()
    expect(await secondsUntil(editing, kind, 200)).toBeLessThanOrEqual(RECHECK_SECONDS)
    await kind.take()
    expect(await secondsUntil(editing, kind, kind.refused)).toBeLessThanOrEqual(RECHECK_SECONDS)
    // And it stays so.
    for (const isolate of ISOLATES) expect(await probe(editing, kind, isolate)).toBe(kind.refused)
  })
})

type Probe = { token: () => string; path: string }

async function probe({ stack }: Editing, { token, path }: Probe, isolate: number): Promise<number> {
  return (await stack.send({ host: API_HOST, path, token: token(), isolate })).status
}

/** After how many seconds of steady traffic every isolate answers so, by the clock that the test moves. */
async function secondsUntil(editing: Editing, asked: Probe, status: number): Promise<number> {
  for (let second = 0; second <= 4 * RECHECK_SECONDS; second++) {
    const statuses = await Promise.all(ISOLATES.map((isolate) => probe(editing, asked, isolate)))
    if (statuses.every((is) => is === status)) return second
    await editing.stack.advance(1)
    // What is asked behind the requests comes in meanwhile.
    await sleep(20)
  }
  throw new Error(`not every isolate answered ${status}`)
}

describe('whoever waits', () => {
  let editing: Editing
  beforeAll(async () => {
    // Each request asks what is new: what an isolate answers is what the edge has.
    editing = await startEditing({ isolates: ISOLATES.length, variables: { RECHECK_SECONDS: '0' } })
  })
  afterAll(() => editing.close())

  it('for the edge is answered when it has the edit: the next request obeys, in each isolate', async () => {
    for (let round = 0; round < 5; round++) {
      const { status, headers } = await editing.giveTo([`round-${round}`], wait)
      expect({ status, headers }).toMatchObject({
        status: 200,
        headers: { 'postern-publication': 'published', 'preference-applied': 'wait' },
      })
      for (const isolate of ISOLATES) {
        expect(await editing.statusOf(`round-${round}`, isolate)).toBe(200)
        expect(await editing.statusOf(`round-${round - 1}`, isolate)).toBe(403)
      }
    }
  })

  it('for nothing is answered at once, and the edge follows by itself', async () => {
    const { status, headers } = await editing.giveTo(['unwaited'])
    expect({ status, publication: headers['postern-publication'] }).toEqual({
      status: 200,
      publication: 'pending',
    })
    expect(headers['preference-applied']).toBeUndefined()
    await editing.until(async () => (await editing.statusOf('unwaited', 2)) === 200)
  })

  it('is told that there was nothing to publish where the edit changes nothing', async () => {
    await editing.giveTo(['same'], wait)
    const again = await editing.giveTo(['same'])
    expect(again.headers['postern-publication']).toBe('published')
  })
})
