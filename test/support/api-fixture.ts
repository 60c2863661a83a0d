// What the tests that walk the operations table ask about: an instance with two organizations, their projects,
// issuers, users and service accounts, all of it made over the API itself, and ways to make more to throw away.
import { API_PREFIX, type Operation } from '../../policy/operations/common.ts'
import { OPERATIONS, type OperationId } from '../../policy/operations/table.ts'
import {
  ACME,
  ACME_ISSUER,
  CALLERS_ISSUER,
  GLOBEX,
  INSTANCE,
  mappingsAt,
  ownerToken,
  PAYMENTS_PROJECT,
  SUBJECTS,
} from './api-callers.ts'
import { startIssuer, type TestIssuer } from './issuer.ts'
import { type Answer, GATEWAY_HOST, type Stack, type StackOptions, startStack } from './stack.ts'
import { makeKey } from './tokens.ts'

export interface Trial {
  params?: Record<string, string>
  query?: Record<string, string>
  /** Left out where the operation has no body. */
  body?: unknown
  /** The version it is made to. */
  ifMatch?: string
  headers?: Record<string, string>
}

export interface Fixture {
  stack: Stack
  /** Of the instance, with discovery: "main" is the policy's, "partner" was made over the API. */
  main: TestIssuer
  partner: TestIssuer
  /** Of acme, with discovery. */
  workforce: TestIssuer
  /** A user and a service account to be asked about, with a key. */
  user: string
  account: string
  keyId: string
  /** A key of the service account that has GROUP_OWNER in acme's payments. */
  key: string
  policySource: string
  /** Sends one operation, as the owner of the instance unless it says otherwise; null sends no credentials. */
  send(id: OperationId, trial: Trial, authorization?: string | null): Promise<Answer>
  /** The same, when it has to go well. */
  make(id: OperationId, trial: Trial): Promise<Record<string, unknown>>
  /** The ETag of what the operation reads. */
  version(id: OperationId, trial: Trial): Promise<string>
  /** A name nobody has had. */
  fresh(kind: string): string
  database(): Promise<Counts>
  close(): Promise<void>
}

/** How much was ever written. */
export interface Counts {
  versions: number
  audit: number
}

export const inAcme = { organization: ACME }
export const inPayments = { organization: ACME, project: PAYMENTS_PROJECT }

export async function startFixture(options: Partial<StackOptions> = {}): Promise<Fixture> {
  const [main, partner, workforce] = await Promise.all([1, 2, 3].map(startTestIssuer))
  if (!main || !partner || !workforce) throw new Error('there are three issuers')
  const policySource = JSON.stringify({
    version: 1,
    issuers: { callers: CALLERS_ISSUER, main: { issuer: main.url } },
    idpGroupMappings: mappingsAt(INSTANCE, 'global'),
  })
  // What a VPC binding leads to; there is nothing behind it.
  const services = { CORP: () => new Response('no', { status: 404 }) }
  const stack = await startStack({ policy: policySource, services, ...options })
  const owner = `Bearer ${ownerToken()}`
  let made = 0
  const fixture: Fixture = {
    stack,
    main,
    partner,
    workforce,
    user: '',
    account: '',
    keyId: '',
    key: '',
    policySource,
    send: (id, trial, authorization = owner) => sendOperation(stack, id, trial, authorization),
    make: async (id, trial) => {
      const answer = await fixture.send(id, trial)
      if (answer.status !== OPERATIONS[id].status) {
        throw new Error(`${id} ${JSON.stringify(trial)} answered ${answer.status}: ${answer.text}`)
      }
      return JSON.parse(answer.text) as Record<string, unknown>
    },
    version: async (id, trial) => {
      const { status, headers, text } = await fixture.send(id, trial)
      if (status !== 200 || !headers.etag) throw new Error(`${id} has no version: ${status} ${text}`)
      return headers.etag
    },
    fresh: (kind) => {
      made += 1
      return `${kind}-${made}`
    },
    database: () => countsOf(stack),
    close: async () => {
      await stack.close()
      await Promise.all([main, partner, workforce].map((issuer) => issuer.stop()))
    },
  }
  await fill(fixture).catch(async (error: unknown) => {
    await fixture.close()
    throw error
  })
  return fixture
}

const startTestIssuer = () => startIssuer({ keys: [makeKey('ES256')] })

/** The counts of D1 itself, not of what the API says. */
async function countsOf(stack: Stack): Promise<Counts> {
  const database = await stack.database()
  const count = async (table: string) => {
    const row = await database.prepare(`select count(*) as count from ${table}`).first<{ count: number }>()
    return row?.count ?? 0
  }
  return { versions: await count('versions'), audit: await count('audit_events') }
}

async function fill(fixture: Fixture): Promise<void> {
  const { make, partner, workforce } = fixture
  await make('organizations.create', {
    body: { slug: ACME, displayName: 'Acme', idpGroupMappings: mappingsAt(ACME, 'organization') },
  })
  await make('organizations.create', {
    body: { slug: GLOBEX, displayName: 'Globex', idpGroupMappings: mappingsAt(GLOBEX, 'organization') },
  })
  for (const [organization, slug] of [
    [ACME, PAYMENTS_PROJECT],
    [ACME, 'reports'],
    [GLOBEX, 'web'],
  ] as const) {
    const idpGroupMappings = mappingsAt(`${organization}/${slug}`, 'project')
    await make('projects.create', { params: { organization }, body: { slug, idpGroupMappings } })
  }
  await make('organizationIssuers.create', { params: inAcme, body: { id: 'own', settings: ACME_ISSUER } })
  await make('organizationIssuers.withdrawKey', {
    params: { ...inAcme, issuer: 'own' },
    body: { kid: 'an-old-key' },
  })
  await make('organizationIssuers.create', {
    params: inAcme,
    body: { id: 'workforce', settings: { issuer: workforce.url } },
  })
  const spare = { ...ACME_ISSUER, issuer: `${ACME_ISSUER.issuer}/spare` }
  await make('organizationIssuers.create', { params: inAcme, body: { id: 'spare', settings: spare } })
  await make('issuers.create', { body: { id: 'partner', settings: { issuer: partner.url } } })
  await make('settings.update', {
    body: { knownPrincipalDays: 45 },
    ifMatch: await fixture.version('settings.get', {}),
  })
  await makePeople(fixture)
}

async function makePeople(fixture: Fixture): Promise<void> {
  const { make } = fixture
  fixture.user = await makeUser(fixture, 'asked about')
  await makeUser(fixture, SUBJECTS.member, { organizations: { [ACME]: {} } })
  await makeUser(fixture, SUBJECTS.direct, { organizations: { [ACME]: { roles: ['ORG_OWNER'] } } })
  const inactive = await makeUser(fixture, SUBJECTS.inactive)
  await make('users.update', {
    params: { user: inactive },
    body: { status: 'inactive' },
    ifMatch: await fixture.version('users.get', { params: { user: inactive } }),
  })
  await make('serviceAccounts.create', {
    params: inPayments,
    body: {
      name: SUBJECTS.federated,
      authenticationMethod: 'federated',
      issuer: 'callers',
      subject: SUBJECTS.federated,
      roles: ['GROUP_USER_ADMIN'],
    },
  })
  const robot = await makeAccount(fixture, ['GROUP_OWNER'])
  const { key } = await make('serviceAccounts.createKey', {
    params: { ...inPayments, serviceAccount: robot },
    body: {},
  })
  fixture.key = key as string
  fixture.account = await makeAccount(fixture, ['GROUP_READ_ONLY'])
  const ofAccount = { ...inPayments, serviceAccount: fixture.account }
  const { id } = await make('serviceAccounts.createKey', {
    params: ofAccount,
    body: {},
    headers: { prefer: 'wait' },
  })
  fixture.keyId = id as string
}

/** @returns its id. Its identity is the subject at the callers' issuer, unless it is another's. */
export async function makeUser(
  fixture: Fixture,
  subject: string,
  given?: object,
  issuer = 'callers',
): Promise<string> {
  const identities = [{ issuer, subject }]
  const body = { displayName: subject, identities, ...(given ? { given } : {}) }
  const { id } = await fixture.make('users.create', { body })
  return id as string
}

/** A service account with keys in acme's payments. */
export async function makeAccount(fixture: Fixture, roles: string[] = []): Promise<string> {
  const body = { name: fixture.fresh('robot'), authenticationMethod: 'key', roles }
  const { id } = await fixture.make('serviceAccounts.create', { params: inPayments, body })
  return id as string
}

/** The request target of an operation: its path with the parameters filled in, and the query. */
export function targetOf({ path }: Pick<Operation, 'path'>, { params = {}, query = {} }: Trial): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ''))
  const search = new URLSearchParams(query).toString()
  return `${API_PREFIX}${filled}${search === '' ? '' : `?${search}`}`
}

function sendOperation(
  stack: Stack,
  id: OperationId,
  trial: Trial,
  authorization: string | null,
): Promise<Answer> {
  const operation = OPERATIONS[id] as Operation
  return stack.send({
    host: GATEWAY_HOST,
    method: operation.method,
    path: targetOf(operation, trial),
    headers: {
      ...(authorization === null ? {} : { authorization }),
      ...(trial.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(trial.ifMatch === undefined ? {} : { 'if-match': trial.ifMatch }),
      ...trial.headers,
    },
    ...(trial.body === undefined ? {} : { body: JSON.stringify(trial.body) }),
  })
}

const PARALLEL = 16

/** So many at a time. */
export async function inParallel<Item>(
  items: readonly Item[],
  run: (item: Item) => Promise<void>,
): Promise<void> {
  const waiting = [...items]
  const workers = Array.from({ length: PARALLEL }, async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await run(next)
  })
  await Promise.all(workers)
}
