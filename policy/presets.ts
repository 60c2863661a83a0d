// What the tokens of well-known products call things. A preset fills in only what an issuer record leaves out.
import type { ClaimNames, GroupsClaim, Preset } from './schema-issuer.ts'

/** OpenID Connect Core 5.1, and the claim most products use for groups. */
const DEFAULT_CLAIMS = {
  subject: ['sub'],
  userName: ['preferred_username'],
  email: ['email'],
  firstName: ['given_name'],
  lastName: ['family_name'],
}
const DEFAULT_GROUPS: GroupsClaim = { claim: ['groups'] }

interface PresetClaims {
  claims?: ClaimNames
  groups?: 'none' | GroupsClaim
}

const PRESETS: Record<Preset, PresetClaims> = {
  okta: {},
  // Application roles come in `roles`; `groups` holds object ids.
  entra: { claims: { subject: ['oid'], userName: ['preferred_username'] } },
  cognito: { claims: { userName: ['cognito:username'] }, groups: { claim: ['cognito:groups'] } },
  // Full group paths begin with a slash. Realm roles: claim realm_access.roles.
  keycloak: { groups: { claim: ['groups'], stripPrefix: '/' } },
  // People sign in with their address; there is no other name of theirs.
  google: { claims: { userName: ['email'] }, groups: 'none' },
  // Custom claims are named by a URL; the namespace is the tenant's own, so the claim has to be written.
  auth0: { claims: { userName: ['nickname'] }, groups: { claim: ['https://postern/groups'] } },
  'github-actions': { claims: { userName: ['actor'] }, groups: 'none' },
  'gitlab-ci': {
    claims: { userName: ['user_login'], email: ['user_email'] },
    groups: { claim: ['groups_direct'] },
  },
  kubernetes: {
    claims: { userName: ['kubernetes.io', 'serviceaccount', 'name'] },
    groups: { claim: ['kubernetes.io', 'namespace'], addPrefix: 'namespace:' },
  },
  spiffe: { groups: 'none' },
}

export type NamedClaims = Record<keyof typeof DEFAULT_CLAIMS, string[]> & { access: string[] | null }

export function claimsOf(preset: Preset | undefined, claims: ClaimNames): NamedClaims {
  const filled = { ...DEFAULT_CLAIMS, access: null, ...(preset ? PRESETS[preset].claims : {}) }
  const written = Object.entries(claims).filter(([, path]) => path !== undefined)
  return { ...filled, ...Object.fromEntries(written) } as NamedClaims
}

/** Null: the issuer says nothing about groups. */
export function groupsOf(
  preset: Preset | undefined,
  groups: 'none' | GroupsClaim | undefined,
): (GroupsClaim & { claim: string[] }) | null {
  const filled = (preset ? PRESETS[preset].groups : undefined) ?? DEFAULT_GROUPS
  if (groups === 'none' || (groups === undefined && filled === 'none')) return null
  return { ...DEFAULT_GROUPS, ...(filled === 'none' ? {} : filled), ...groups } as GroupsClaim & {
    claim: string[]
  }
}
