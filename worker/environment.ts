// What the Worker is given: its bindings and variables. Variables are read once per isolate; one that is missing
// or wrong is a fault that names it.
import type { IssuerObject } from './keys/issuer-object.ts'
import type { SigningKeysObject } from './keys/signing-object.ts'
import type { PrincipalObject } from './principals/principal-object.ts'
import type { PublisherObject } from './publisher/publisher-object.ts'
import type { SessionIndexObject } from './sessions/session-index-object.ts'
import type { SessionsObject } from './sessions/sessions-object.ts'
import type { SingleUseObject } from './sessions/single-use-object.ts'
import type { RestoreObject } from './signin/restore-object.ts'

export interface Environment {
  KV: KVNamespace
  DB: D1Database
  ISSUERS: DurableObjectNamespace<IssuerObject>
  SIGNING_KEYS: DurableObjectNamespace<SigningKeysObject>
  /** One object, named "instance": the change feed, and the only writer of published documents. */
  PUBLISHER: DurableObjectNamespace<PublisherObject>
  /** One object for each known principal, by its id (documents/published.ts). */
  PRINCIPALS: DurableObjectNamespace<PrincipalObject>
  /** One object for each principal, by its id: its sessions. */
  SESSIONS: DurableObjectNamespace<SessionsObject>
  /** One for each `sid` and `sub` of an issuer record: which sessions it means. */
  SESSION_INDEX: DurableObjectNamespace<SessionIndexObject>
  /** One for each thing that may be used once. */
  SINGLE_USE: DurableObjectNamespace<SingleUseObject>
  /** One object, named "instance": the temporary password of LOCAL_RESTORE. */
  RESTORE: DurableObjectNamespace<RestoreObject>
  /** Which deployment this is: each has a temporary password of its own. */
  VERSION?: WorkerVersionMetadata
  /** The platform's rate limits, by address: of starting to sign in, and of guessing. */
  SIGN_IN_LIMIT: RateLimit
  /** Origins of the gateway hosts, comma-separated; the first is the `iss` of what we sign. */
  GATEWAY_ORIGINS: string
  /** 32 random bytes, base64url. While it is being changed, the one before it stands in the second. */
  POSTERN_SECRET?: string
  POSTERN_SECRET_PREVIOUS?: string
  /** "true" in the local stack only: issuers on this machine, and over http. */
  DANGEROUSLY_ALLOW_LOOPBACK?: string
  /** "true": signing in over http is allowed on hosts that are not loopback. Whoever listens can take sessions. */
  DANGEROUSLY_ALLOW_HTTP_SIGN_IN?: string
  /** The id of the instance, in paths that carry one (App ID's "tenant"); "postern" unless set. */
  INSTANCE_ID?: string
  /** "true": signing in is by a temporary password alone, which makes whoever has it GLOBAL_OWNER ([0-33]). */
  LOCAL_RESTORE?: string
  /** The password's hash, for those whose logs are kept (cli/restore-password.ts). */
  LOCAL_RESTORE_PASSWORD_HASH?: string
  /** An issuer of the instance that people sign in with, set by variables ([0-19] to [0-32]). */
  OIDC_ISSUER?: string
  OIDC_CLIENT_ID?: string
  OIDC_CLIENT_SECRET?: string
  OIDC_AUTH_METHOD?: string
  OIDC_SCOPES?: string
  OIDC_GROUPS_CLAIM?: string
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
  /** Of paths that carry one (App ID's "tenant"). */
  instanceId: string
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
    instanceId: environment.INSTANCE_ID || 'postern',
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
