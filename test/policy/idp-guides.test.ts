// docs/guides/idp/ and docs/sign-in.md say what is so: each policy in them is accepted and its tests pass, the variables
// beside it describe the same issuer, the addresses to paste are those that are served, what is said to be a mistake is
// recognised as one, and every reason that a page can give is in the table.
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { compilePolicy } from '../../policy/compile.ts'
import {
  type EnvironmentIssuer,
  environmentIssuer,
  ISSUER_VARIABLES,
} from '../../policy/environment-issuer.ts'
import { knownMistake } from '../../policy/issuer-mistakes.ts'
import { underEnvironment } from '../../policy/layers.ts'
import { lintSignIn } from '../../policy/lint-sign-in.ts'
import { loadPolicy } from '../../policy/loaded.ts'
import { OPERATIONS } from '../../policy/operations/table.ts'
import { runPolicyTests } from '../../policy/policy-tests.ts'
import { groupsOf } from '../../policy/presets.ts'
import { principalFromClaims } from '../../policy/principal.ts'
import { REASONS, SESSION_REASONS, SIGN_IN_REASONS } from '../../policy/reasons.ts'
import type { PolicyDocument } from '../../policy/schema.ts'
import type { Issuer } from '../../policy/schema-issuer.ts'
import { describedClaims } from '../../policy/test-claims.ts'
import { hintFor } from '../../worker/api/issuers/hints.ts'
import { documentOf, NOW, ROOT, readProjectFile, recordOf } from './policies.ts'

const FOLDER = 'docs/guides/idp'
const HOST = 'https://auth.example.com'
const CALLBACK = `${HOST}/oidc/callback`
const LOGOUT = `${HOST}/logout`
const BACK_CHANNEL = `${HOST}/oidc/backchannel-logout`

interface Guide {
  name: string
  text: string
  document: PolicyDocument
  id: string
  issuer: Issuer
  variables: Record<string, string>
  described: EnvironmentIssuer
}

function guideOf(name: string): Guide {
  const text = readGuide(name)
  const policies = blocksOf(text, 'yaml policy')
  const tables = blocksOf(text, 'toml')
  expect([policies.length, tables.length], name).toEqual([1, 1])
  // No other block of YAML is there that nothing would check.
  expect(text.match(/^```ya?ml/gm), name).toHaveLength(1)
  const document = documentOf(policies[0] as string)
  const [[id, issuer] = ['', undefined], ...others] = Object.entries(document.issuers)
  expect(others, name).toEqual([])
  const variables = Object.fromEntries(
    [...(tables[0] as string).matchAll(/^(\w+) = "(.*)"$/gm)].map(([, key, value]) => [key, value]),
  ) as Record<string, string>
  const { issuer: described, warnings } = environmentIssuer(variables)
  expect(warnings, name).toEqual([])
  return {
    name,
    text,
    document,
    id,
    issuer: issuer as Issuer,
    variables,
    described: described as EnvironmentIssuer,
  }
}

function readGuide(name: string): string {
  return readProjectFile(`${FOLDER}/${name}.md`)
}

function blocksOf(text: string, kind: string): string[] {
  return [...text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)]
    .filter(([, found]) => found === kind)
    .map(([, , block]) => block as string)
}

/** What stands under a heading, as one line. */
function stepsOf(text: string, heading: string): string {
  const [, section = ''] = new RegExp(`^## ${heading}\\n([\\s\\S]*?)(?=^## )`, 'm').exec(text) ?? []
  return section.replace(/\s+/g, ' ')
}

/** The rows of tables, cell by cell. */
function rowsOf(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => /^\| (?!---)/.test(line))
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    )
}

const NAMES = ['okta', 'entra', 'cognito', 'keycloak', 'auth0', 'google']
const guides = NAMES.map(guideOf)
const guide = (name: string) => guides.find((one) => one.name === name) as Guide
const readme = readGuide('README')
const signIn = readProjectFile('docs/sign-in.md')

/** Paths that the Worker answers on a gateway host, as they are mounted. */
const served = [
  ...readProjectFile('worker/signin/mount.ts').matchAll(/signIn\.(?:get|post|on)\(.*?'(\/[^']*)'/g),
].map(([, path]) => path as string)
/** Paths that the API names in `urls`, to be pasted at the provider. */
const pasted = [...readProjectFile('worker/api/issuers/sign-in.ts').matchAll(/\bat\('([^']*)'\)/g)].map(
  ([, path]) => path as string,
)

describe('[0-1] [0-10] the guides for identity providers', () => {
  test('are all in the index, and no other', () => {
    const files = readdirSync(join(ROOT, FOLDER)).filter((name) => name !== 'README.md')
    expect(files.sort()).toEqual(NAMES.map((name) => `${name}.md`).sort())
    for (const name of NAMES) expect(readme).toContain(`(${name}.md)`)
    for (const { name, issuer } of guides) expect(issuer.preset).toBe(name)
  })

  test.each(guides)('$name: the policy is right, and its tests pass', ({ document, issuer }) => {
    expect(document.tests.length).toBeGreaterThan(0)
    const results = runPolicyTests(document, loadPolicy(compilePolicy(document)), NOW)
    expect(
      results.flatMap(({ name, checks }) => checks.filter(({ passed }) => !passed).map((one) => [name, one])),
    ).toEqual([])
    expect(lintSignIn(issuer, [])).toEqual([])
  })

  test.each(guides)(
    '[0-8] $name: the variables describe the same issuer',
    ({ issuer, described, variables }) => {
      for (const name of Object.keys(variables)) {
        expect([...ISSUER_VARIABLES, 'OIDC_GLOBAL_ROLE_OWNER']).toContain(name)
      }
      const alone = underEnvironment(null, described, null)
      if (!alone.ok) throw new Error(alone.message)
      const { signIn: flow } = alone.issuer
      expect(alone.issuer.issuer).toBe(issuer.issuer)
      expect(flow).toMatchObject({
        clientId: issuer.signIn?.clientId,
        authMethod: issuer.signIn?.authMethod,
        scopes: issuer.signIn?.scopes,
      })
      expect(groupsOf(undefined, alone.issuer.groups)?.claim).toEqual(
        groupsOf(issuer.preset, issuer.groups)?.claim,
      )
    },
  )

  test.each(guides)('[0-8] $name: the owners of the variables are those of the policy', (one) => {
    const { document, described, variables } = one
    const alone = underEnvironment(null, described, null)
    const [owners] = document.tests
    const said = describedClaims(recordOf(one.issuer), owners?.principal as never)
    if (!alone.ok || !said.ok) throw new Error('no claims')
    const made = principalFromClaims(recordOf(alone.issuer), { sub: 'ada', ...said.claims })
    expect(made).toMatchObject({ ok: true, principal: { groups: { outcome: 'listed' } } })
    const names = made.ok && made.principal.groups.outcome === 'listed' ? made.principal.groups.names : []
    expect(names).toContain(variables.OIDC_GLOBAL_ROLE_OWNER)
    expect(Object.values(owners?.expect ?? {}).flat()).toContain('instance.policy.write')
  })

  test.each([...guides, { name: 'README', text: readme }])(
    '[0-10] $name: every address of the instance is one that is served',
    ({ text }) => {
      const found = [...text.matchAll(/https:\/\/auth\.example\.(?:com|org)([^\s`),;|]*)/g)].map(
        ([, path]) => path as string,
      )
      expect(found.length).toBeGreaterThan(0)
      const paths = found.map((path) => path.replace(/\?.*$/, '').replace(/[.:]$/, ''))
      for (const path of paths) {
        expect(path === '' || path.startsWith('/api/v1/') || served.includes(path), path).toBe(true)
      }
    },
  )

  test('[0-10] [0-11] [0-12] what is to be pasted is what the API says', () => {
    expect(pasted.sort()).toEqual(['', '/logout', '/oidc/backchannel-logout', '/oidc/callback'])
    for (const path of pasted) expect(readme).toContain(`| \`${HOST}${path}\` |`)
    for (const path of pasted) expect(served).toContain(path === '' ? '/' : path)
  })

  test.each(guides)('[0-11] $name: the redirect URI is the callback, to the letter', ({ name, text }) => {
    const [, heading] = /^## (At .*)$/m.exec(text) ?? []
    expect(stepsOf(text, heading as string), name).toContain(`\`${CALLBACK}\``)
    expect(readme).toContain('`http://127.0.0.1:8787/oidc/callback`')
  })

  test('[0-14] all gateway hosts are registered', () => {
    expect(readme).toMatch(/Several gateway hosts.*GATEWAY_ORIGINS/)
    for (const path of ['/oidc/callback', '/logout'])
      expect(readme).toContain(`\`https://auth.example.org${path}\``)
  })

  test.each(guides)('$name: the issuer as it is written is no known mistake', ({ issuer: { issuer } }) => {
    expect(knownMistake(issuer)).toBeNull()
    expect(hintFor({ issuer, problem: 'its keys cannot be used', named: issuer })).toBeNull()
  })

  test.each(guides)('$name: what is said of mistakes is what Postern says', ({ text, issuer }) => {
    const rows = rowsOf(stepsAfter(text, 'Mistakes'))
    expect(rows.length).toBeGreaterThan(4)
    for (const [seen, what] of rows.slice(1) as [string, string][]) {
      const [, hint] = /the hint "(.*)"/.exec(seen) ?? []
      const [, typed] = /typed as `(.*)`/.exec(what) ?? []
      if (hint === undefined) continue
      const said = hintFor({ issuer: typed as string, problem: 'answered 404', named: issuer.issuer })
      expect(said, seen).toContain(hint)
    }
    for (const [, reason] of text.matchAll(/^\| `([a-z_]+)`/gm))
      expect(Object.keys(REASONS)).toContain(reason)
  })

  test.each(['README', ...NAMES])('%s links to what is there', (name) => expectLinks(`${FOLDER}/${name}.md`))
})

describe('the guide for Okta', () => {
  const { text, issuer } = guide('okta')
  const steps = stepsOf(text, 'At Okta')

  test('[0-23] a public client: a Single-Page Application with both grants', () => {
    expect(steps).toMatch(/\*\*OIDC - OpenID Connect\*\*, \*\*Single-Page Application\*\*/)
    expect(steps).toMatch(/\*\*Authorization Code\*\*.*\*\*Implicit \(hybrid\)\*\*/)
    expect(recordOf(issuer).signIn).toMatchObject({
      authMethod: 'pkce',
      clientSecretFrom: null,
      clientAuthentication: null,
    })
  })

  test('[0-24] sign-in and sign-out redirects, and no groups for now', () => {
    expect(steps).toContain(`Sign-in redirect URIs: \`${CALLBACK}\`. Sign-out redirect URIs: \`${LOGOUT}\``)
    expect(steps).toContain('**Skip group assignment for now**')
  })

  test('[0-25] the issuer is the domain of the company, the client id stands under General', () => {
    expect(steps).toContain('`https://COMPANY.okta.com`')
    expect(issuer.issuer).toMatch(/^https:\/\/[a-z]+\.okta\.com$/)
    expect(steps).toMatch(/\*\*General\*\*, \*\*Client Credentials\*\*: copy the \*\*Client ID\*\*/)
  })
})

describe('the guide for Microsoft Entra', () => {
  const { text, issuer, described } = guide('entra')
  const steps = stepsOf(text, 'At Entra')

  test('[0-26] one tenant, and a redirect URI of the platform Web', () => {
    expect(steps).toContain('(Single tenant)')
    expect(steps).toContain(`platform **Web**, \`${CALLBACK}\``)
    const several = 'https://login.microsoftonline.com/{tenantid}/v2.0'
    expect(text).toContain(`issuer: ${several}`)
    expect(recordOf({ issuer: several, tenants: ['72f988bf-86f1-41af-91ab-2d7cd011db47'] }).issuers).toEqual([
      'https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0',
    ])
  })

  test('[0-27] the front-channel logout URL, and the claim it needs', () => {
    expect(steps).toContain(`**Front-channel logout URL**: \`${LOGOUT}\``)
    expect(steps).toMatch(/\*\*Add optional claim\*\* › \*\*ID\*\*: .*`sid`/)
  })

  test('[0-28] the Value of a secret with an end, not the Secret ID, which is recognised', () => {
    expect(steps).toMatch(/choose when it expires.*\*\*Value\*\*.*\*\*Secret ID\*\*/)
    const OIDC_CLIENT_SECRET = '6731de76-14a6-49ae-97bc-6eba6914391e'
    const { warnings } = environmentIssuer({ OIDC_ISSUER: described.issuer, OIDC_CLIENT_SECRET })
    expect(warnings).toEqual([expect.stringMatching(/looks like the Secret ID/)])
  })

  test('[0-29] the issuer of version 2 of the tenant', () => {
    expect(steps).toMatch(/`https:\/\/login\.microsoftonline\.com\/\$\{TenantID\}\/v2\.0`/)
    expect(issuer.issuer).toMatch(/^https:\/\/login\.microsoftonline\.com\/[0-9a-f-]{36}\/v2\.0$/)
  })
})

describe('the guides for others', () => {
  test('[0-12] Cognito: the root of the site is the sign-out URL, and the flow is PKCE', () => {
    const { text, issuer } = guide('cognito')
    const steps = stepsOf(text, 'At Cognito')
    expect(steps).toContain(`Allowed sign-out URLs: \`${HOST}\`,`)
    expect(steps).toContain('`https://cognito-idp.$REGION.amazonaws.com/$USER_POOL_ID`')
    expect(issuer.signIn).toMatchObject({ authMethod: 'pkce' })
  })

  test.each([
    ['keycloak', 'At Keycloak'],
    ['auth0', 'At Auth0'],
  ])('%s: sign-outs are told over the back channel', (name, heading) => {
    const steps = stepsOf(guide(name).text, heading)
    expect(steps).toContain(`\`${BACK_CHANNEL}\``)
    expect(steps).toContain(`\`${LOGOUT}\``)
  })

  test('Auth0: the Action sets the claim that the policy reads', () => {
    const { text, issuer } = guide('auth0')
    const [action] = blocksOf(text, 'js')
    expect(action).toContain(`setCustomClaim('${groupsOf(issuer.preset, issuer.groups)?.claim.join('')}'`)
  })
})

describe('docs/sign-in.md', () => {
  test('has each reason that signing in, signing out and sessions can give', () => {
    const own = [...Object.keys(SESSION_REASONS), ...Object.keys(SIGN_IN_REASONS)]
    const said = rowsOf(stepsAfter(signIn, 'When a page says no')).flatMap(([cell = '']) => {
      return [...cell.matchAll(/`([a-z_]+)`/g)].map(([, reason]) => reason as string)
    })
    expect(said.filter((reason) => own.includes(reason))).toEqual(own)
    for (const reason of said) expect(Object.keys(REASONS)).toContain(reason)
  })

  test('[2-20] says what outlives a session, and for how long', () => {
    const constant = (file: string, name: string) => {
      const [, value] = new RegExp(`${name} = (\\d+)$`, 'm').exec(readProjectFile(file)) ?? []
      return value
    }
    const recheck = constant('worker/publisher/settings.ts', 'RECHECK_SECONDS_DEFAULT')
    const assertion = constant('worker/tokens/assertion.ts', 'ASSERTION_LIFE_SECONDS')
    const said = signIn.replace(/\s+/g, ' ')
    expect(said).toContain(`once the re-check time is over, ${recheck} seconds unless set`)
    expect(said).toContain(`at most ${assertion} seconds after it was made`)
  })

  test('[2-21] has the helper for applications, which forgets their cookie and leads to the path of App ID', () => {
    const [code] = blocksOf(signIn, 'js')
    const helper = new Function(`${code}; return signOut`)() as (response: object, uri: string) => void
    const steps: string[] = []
    const response = {
      clearCookie: (name: string) => {
        steps.push(name)
        return response
      },
      redirect: (address: string) => steps.push(address),
    }
    helper(response, 'https://shop.example.com/signed-out')
    const [cookie, address] = steps
    expect(cookie).toBe('refreshToken')
    const { origin, pathname, searchParams } = new URL(address as string)
    expect(origin).toBe(HOST)
    expect(served).toContain(pathname.replace('/postern/', '/:tenant/'))
    expect(Object.fromEntries(searchParams)).toEqual({
      client_id: 'shop',
      redirect_uri: 'https://shop.example.com/signed-out',
    })
  })

  test('names paths of the API that are there', () => {
    const known = Object.values(OPERATIONS).map(({ method, path }) => `${method} /api/v1${path}`)
    const named = [...signIn.matchAll(/`((?:GET|POST|PUT) \/api\/v1\/[^`]*)`/g)].map(
      ([, path]) => path as string,
    )
    expect(named.length).toBeGreaterThan(5)
    for (const path of named) expect(known).toContain(path)
  })

  test('links to what is there', () => expectLinks('docs/sign-in.md'))
})

function stepsAfter(text: string, heading: string): string {
  return text.slice(text.indexOf(`\n## ${heading}\n`))
}

/** Files, and headings in them. */
function expectLinks(path: string): void {
  const links = [...readProjectFile(path).matchAll(/\]\((?!https:)([^)]+)\)/g)].map(
    ([, link]) => link as string,
  )
  expect(links.length).toBeGreaterThan(0)
  for (const link of links) {
    const [file, anchor] = link.split('#') as [string, string?]
    const target = file === '' ? path : join(dirname(path), file)
    expect(existsSync(join(ROOT, target)), link).toBe(true)
    if (anchor === undefined) continue
    const headings = [...readProjectFile(target).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      (heading as string)
        .toLowerCase()
        .replace(/[^a-z0-9 -]/g, '')
        .replaceAll(' ', '-'),
    )
    expect(headings, link).toContain(anchor)
  }
}
