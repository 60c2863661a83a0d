// What the Worker is given: its bindings and variables. Variables are read once per isolate; one that is missing
// or wrong is a fault that names it.
import type { IssuerObject } from './keys/issuer-object.ts'
import type { SigningKeysObject } from './keys/signing-object.ts'
import type { PrincipalObject } from './principals/principal-object.ts'
import type { PublisherObject } from './publisher/publisher-object.ts'

export interface Environment {
  KV: KVNamespace
  DB: D1Database
  ISSUERS: DurableObjectNamespace<IssuerObject>
  SIGNING_KEYS: DurableObjectNamespace<SigningKeysObject>
  /** One object, named "instance": the change feed, and the only writer of published documents. */
  PUBLISHER: DurableObjectNamespace<PublisherObject>
  /** One object for each known principal, by its id (documents/published.ts). */
  PRINCIPALS: DurableObjectNamespace<PrincipalObject>
  /** Origins of the gateway hosts, comma-separated; the first is the `iss` of what we sign. */
  GATEWAY_ORIGINS: string
  /** 32 random bytes, base64url. While it is being changed, the one before it stands in the second. */
  POSTERN_SECRET?: string
  POSTERN_SECRET_PREVIOUS?: string
  /** "true" in the local stack only: issuers on this machine, and over http. */
  DANGEROUSLY_ALLOW_LOOPBACK?: string
  /** "git" where the policy is changed by deploying: the API then only reads it. */
  POLICY_MANAGED_IN?: string
  /** Settings that the environment sets; the API shows them as locked. */
  RECHECK_SECONDS?: string
  /** Groups, comma-separated, whose members have a global role whatever the policy says ([4-12] to [4-17]). */
  OIDC_GLOBAL_ROLE_OWNER?: string
  OIDC_GLOBAL_ROLE_AUTOMATION_ADMIN?: string
  OIDC_GLOBAL_ROLE_BACKUP_ADMIN?: string
  OIDC_GLOBAL_ROLE_MONITORING_ADMIN?: string
  OIDC_GLOBAL_ROLE_USER_ADMIN?: string
  OIDC_GLOBAL_ROLE_READ_ONLY?: string
}

export interface Settings {
  /** `iss` of the assertions we sign, without a trailing slash. */
  issuer: string
  gatewayOrigins: readonly string[]
  /** Host and port of each gateway origin, as in the Host header. */
  gatewayHosts: ReadonlySet<string>
  allowLoopback: boolean
}

const settingsByEnvironment = new WeakMap<Environment, Settings>()

/** Throws when GATEWAY_ORIGINS is missing or not a list of origins. */
export function settingsOf(environment: Environment): Settings {
  const known = settingsByEnvironment.get(environment)
  if (known) return known
  const gatewayOrigins = (environment.GATEWAY_ORIGINS ?? '')
    .split(',')
    .map((origin) => parseOrigin(origin.trim()))
  const settings = {
    issuer: gatewayOrigins[0] as string,
    gatewayOrigins,
    gatewayHosts: new Set(gatewayOrigins.map((origin) => new URL(origin).host)),
    allowLoopback: environment.DANGEROUSLY_ALLOW_LOOPBACK === 'true',
  }
  settingsByEnvironment.set(environment, settings)
  return settings
}

function parseOrigin(text: string): string {
  if (!URL.canParse(text) || new URL(text).origin !== text) {
    throw new Error(`GATEWAY_ORIGINS must list origins such as https://auth.example.com; "${text}" is none`)
  }
  return text
}
