// A Postern whose management API is asked by people of an issuer with pinned keys: the usual two organizations,
// a real issuer over HTTP for what needs one, and one line for each request.
import { API_PREFIX } from '../../policy/operations/common.ts'
import { type Answer, GATEWAY_HOST, type Stack, type StackOptions, startStack } from './stack.ts'
import { makeKey, mintToken, type SigningKey } from './tokens.ts'

export const PEOPLE = 'https://people.idp.test'
const peopleKey = makeKey('ES256')

/** Somebody with these groups. */
export interface Person {
  subject: string
  groups: string[]
}
export const OWNER: Person = { subject: 'olivia', groups: ['owners'] }
export const USER_ADMIN: Person = { subject: 'uma', groups: ['user-admins'] }
export const ACME_OWNER: Person = { subject: 'ada', groups: ['acme-owners'] }
export const GLOBEX_OWNER: Person = { subject: 'gus', groups: ['globex-owners'] }
/** GROUP_USER_ADMIN of acme's payments. */
export const TEAM_ADMIN: Person = { subject: 'tim', groups: ['payments-admins'] }
export const NOBODY: Person = { subject: 'nora', groups: ['nothing'] }

export interface Asked {
  /** OWNER unless given; null: no credentials. */
  as?: Person | null
  /** In place of somebody's token. */
  authorization?: string
  body?: unknown
  /** A version. */
  ifMatch?: number
  query?: Record<string, string>
  headers?: Record<string, string>
}

export interface Json {
  status: number
  headers: Answer['headers']
  // biome-ignore lint/suspicious/noExplicitAny: whatever the test expects of it.
  json: any
  text: string
}

export interface Api {
  stack: Stack
  /** `path` is below /api/v1. Waits until the edge has what was written. */
  ask(method: string, path: string, asked?: Asked): Promise<Json>
  /** The same, when it has to go well. */
  make(method: string, path: string, asked?: Asked): Promise<Json['json']>
  token(person: Person, claims?: object): string
  /** What D1 has. */
  rows<Row>(sql: string): Promise<Row[]>
  close(): Promise<void>
}

type Members = Record<string, unknown>

export function apiPolicy(more: Members = {}): Members {
  return {
    version: 1,
    issuers: { people: { issuer: PEOPLE, jwks: { keys: [peopleKey.jwk] } } },
    idpGroupMappings: [
      { roleName: 'GLOBAL_OWNER', idpGroups: ['owners'] },
      { roleName: 'GLOBAL_USER_ADMIN', idpGroups: ['user-admins'] },
    ],
    organizations: {
      acme: {
        idpGroupMappings: [{ roleName: 'ORG_OWNER', idpGroups: ['acme-owners'] }],
        projects: {
          payments: {
            idpGroupMappings: [
              { roleName: 'GROUP_USER_ADMIN', idpGroups: ['payments-admins'] },
              { roleName: 'GROUP_READ_ONLY', idpGroups: ['payments-readers'] },
            ],
          },
          web: {},
        },
      },
      globex: {
        idpGroupMappings: [{ roleName: 'ORG_OWNER', idpGroups: ['globex-owners'] }],
        projects: { shop: {} },
      },
    },
    ...more,
  }
}

export async function startApi(options: Partial<StackOptions> & { more?: Members } = {}): Promise<Api> {
  const { more, ...rest } = options
  const stack = await startStack({ policy: JSON.stringify(apiPolicy(more)), ...rest })
  const token = ({ subject, groups }: Person, claims: object = {}) => {
    return mintToken(PEOPLE, peopleKey as SigningKey, { sub: subject, groups, ...claims })
  }
  const ask = async (method: string, path: string, asked: Asked = {}): Promise<Json> => {
    const { as = OWNER, authorization, body, ifMatch, query = {}, headers = {} } = asked
    const search = new URLSearchParams(query).toString()
    const bearer = authorization ?? (as === null ? undefined : `Bearer ${token(as)}`)
    const answer = await stack.send({
      host: GATEWAY_HOST,
      method,
      path: `${API_PREFIX}${path}${search === '' ? '' : `?${search}`}`,
      headers: {
        prefer: 'wait',
        ...(bearer === undefined ? {} : { authorization: bearer }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(ifMatch === undefined ? {} : { 'if-match': `"${ifMatch}"` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const { status, text } = answer
    return { status, headers: answer.headers, text, json: text === '' ? null : JSON.parse(text) }
  }
  return {
    stack,
    ask,
    make: async (method, path, asked) => {
      const { status, json, text } = await ask(method, path, asked)
      if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`)
      return json
    },
    token,
    rows: async <Row>(sql: string) => {
      const database = await stack.database()
      return (await database.prepare(sql).all()).results as Row[]
    },
    close: () => stack.close(),
  }
}
