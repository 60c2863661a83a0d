// The setting most tests start from: an issuer of the instance, two organizations, routes to a recording
// upstream, and a Postern in front of it. A test adds to the policy what it is about.

import { startIssuer, type TestIssuer } from './issuer.ts'
import { type Asked, GATEWAY_HOST, type Stack, type StackOptions, startStack } from './stack.ts'
import { makeKey, mintToken, type SigningKey } from './tokens.ts'
import { startUpstream, type Upstream } from './upstream.ts'

export const API_HOST = 'api.test'
/** A path of acme's project "payments"; a caller with the group "readers" may read it. */
export const PAYMENTS = '/orgs/acme/projects/payments/hello'
export const WEB = '/orgs/globex/projects/web/hello'

type Members = Record<string, unknown>

interface OrganizationSource {
  issuers: Members
  idpGroupMappings: Members[]
  projects: Members
}

export interface PolicySource {
  version: 1
  issuers: Record<string, Members>
  idpGroupMappings: Members[]
  organizations: Record<'acme' | 'globex', OrganizationSource>
  routes: Members
}

export interface Setting {
  issuer: TestIssuer
  upstream: Upstream
  stack: Stack
  /** A token of the issuer with the group "readers" but for what is given. */
  token(claims?: object, header?: object, key?: SigningKey): string
  /** GET with the token, of a path of acme's project "payments" unless it is another. */
  get(token: string | null, asked?: Partial<Asked>): ReturnType<Stack['send']>
  /** `/readyz` of the gateway host as somebody with the permission sees it. */
  health(isolate?: number): Promise<Health>
  close(): Promise<void>
}

export interface Health {
  status: string
  signingKeys: { ready: boolean; lastError: string | null }
  warnings: string[]
  /** By the id of the issuer record. */
  issuers: Record<string, IssuerHealth>
}

export interface IssuerHealth {
  id: string
  ready: boolean
  source: string | null
  discoveredAt: string | null
  keys: number
  ageSeconds: number | null
  lastError: string | null
}

export interface SettingOptions extends Omit<StackOptions, 'policy'> {
  keys?: SigningKey[]
  /** Changes the usual policy in place. */
  policy?: (policy: PolicySource, servers: { issuer: TestIssuer; upstream: Upstream }) => void
}

export async function startSetting(options: SettingOptions = {}): Promise<Setting> {
  const { keys = [makeKey('ES256')], policy: change, ...stackOptions } = options
  const issuer = await startIssuer({ keys })
  const upstream = await startUpstream()
  const policy = usualPolicy(issuer.url, upstream.origin)
  change?.(policy, { issuer, upstream })
  const stack = await startStack({ ...stackOptions, policy: JSON.stringify(policy) })
  // So that no test's first request waits for it.
  await stack.publish()
  return {
    issuer,
    upstream,
    stack,
    token: (claims, header, key) => issuer.token({ groups: ['readers'], ...claims }, header, key),
    get: (token, asked) => {
      const bearer = token === null ? {} : { token }
      return stack.send({ host: API_HOST, path: PAYMENTS, ...bearer, ...asked })
    },
    health: async (isolate = 0) => {
      const token = operatorToken()
      const { text } = await stack.send({ host: GATEWAY_HOST, path: '/readyz', token, isolate })
      const { issuers, ...rest } = JSON.parse(text) as Omit<Health, 'issuers'> & { issuers: IssuerHealth[] }
      return { ...rest, issuers: Object.fromEntries(issuers.map((health) => [health.id, health])) }
    },
    close: async () => {
      await stack.close()
      await Promise.all([issuer.stop(), upstream.stop()])
    },
  }
}

/** Operators are vouched for by an issuer whose keys are pinned, so they are known in every outage. */
const OPERATORS = 'https://operators.idp.test'
const operatorKey = makeKey('ES256')

/** May see the health of the instance. */
export function operatorToken(claims: object = {}): string {
  return mintToken(OPERATORS, operatorKey, { sub: 'operator', groups: ['operators'], ...claims })
}

/** A route of the API host for every method. */
export function routeTo(upstream: string, path: string, more: Members): Members {
  const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
  return { hosts: [API_HOST], methods, path, upstream, ...more }
}

export function usualPolicy(issuer: string, upstream: string): PolicySource {
  return {
    version: 1,
    issuers: { main: { issuer }, operators: { issuer: OPERATORS, jwks: { keys: [operatorKey.jwk] } } },
    idpGroupMappings: [{ roleName: 'GLOBAL_READ_ONLY', idpGroups: ['operators'] }],
    organizations: {
      acme: {
        issuers: {},
        idpGroupMappings: [{ roleName: 'ORG_OWNER', idpGroups: ['acme-admins'] }],
        projects: {
          payments: { idpGroupMappings: [{ roleName: 'GROUP_READ_ONLY', idpGroups: ['readers'] }] },
        },
      },
      globex: {
        issuers: {},
        idpGroupMappings: [],
        projects: {
          web: { idpGroupMappings: [{ roleName: 'GROUP_READ_ONLY', idpGroups: ['web-readers'] }] },
        },
      },
    },
    routes: {
      project: routeTo(upstream, '/orgs/{org}/projects/{project}/*', { permission: 'project.read' }),
      organization: routeTo(upstream, '/orgs/{org}', { permission: 'organization.read' }),
      instance: routeTo(upstream, '/instance', { permission: 'instance.read' }),
      whoami: routeTo(upstream, '/whoami', { access: 'authenticated' }),
      open: routeTo(upstream, '/open/*', { access: 'anonymous' }),
    },
  }
}
