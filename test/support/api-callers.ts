// Everybody who tries the management API in the tests that walk its table: one caller for each role of the
// catalogue, at its own place and elsewhere, and those who have none. Whom an issuer speaks for here is known by
// pinned keys, so that no caller depends on a network.
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import type { RoleCatalogue, RoleLevel } from '../../policy/schema.ts'
import { makeKey, mintToken } from './tokens.ts'

/** The instance's issuer, which vouches everywhere. */
export const CALLERS = 'https://callers.idp.test'
const callersKey = makeKey('ES256')
/** An issuer of acme's own, which vouches in acme only. */
export const ACME_IDP = 'https://idp.acme.test'
const acmeKey = makeKey('ES256')

export const CALLERS_ISSUER = { issuer: CALLERS, jwks: { keys: [callersKey.jwk] } }
export const ACME_ISSUER = { issuer: ACME_IDP, jwks: { keys: [acmeKey.jwk] } }

/** Acme is what is asked about, payments its project; what the others are given there must not reach it. */
export const ACME = 'acme'
export const GLOBEX = 'globex'
export const PAYMENTS_PROJECT = 'payments'

const catalogue = parse(
  readFileSync(new URL('../../policy/catalogue.yaml', import.meta.url), 'utf8'),
) as RoleCatalogue

export function rolesOf(level: RoleLevel): string[] {
  return Object.entries(catalogue.roles).flatMap(([name, role]) => (role.level === level ? [name] : []))
}

/** The group whose members have the role at a place: "acme/payments GROUP_OWNER". */
export const groupOf = (place: string, role: string) => `${place} ${role}`

/** A mapping for every role of the level, each from a group of its own. */
export function mappingsAt(place: string, level: RoleLevel): { roleName: string; idpGroups: string[] }[] {
  return rolesOf(level).map((roleName) => ({ roleName, idpGroups: [groupOf(place, roleName)] }))
}

export interface Caller {
  /** Unique. */
  name: string
  /** The part of the table it stands in, and how it is called there. */
  section: string
  column: string
  /** Null: no credentials. */
  authorization: () => string | null
  /** Groups and roles given directly, for what `decide` says of it; null where it says nothing. */
  known: KnownCaller | null
}

export interface KnownCaller {
  groups: string[]
  /** The organization whose issuer vouches. */
  organization: string | null
  given: { role: string; organization: string | null; project: string | null }[]
}

export const SECTIONS = {
  global: 'Global roles',
  acme: 'Roles of organization acme, which is asked about',
  globex: 'The same roles of organization globex, which is not asked about',
  project: "Roles of acme's project payments, which is asked about",
  others: 'Others',
} as const

export function tokenOf(subject: string, groups: string[] | null, claims: object = {}): string {
  return mintToken(CALLERS, callersKey, { sub: subject, ...(groups ? { groups } : {}), ...claims })
}

export function acmeTokenOf(subject: string, groups: string[]): string {
  return mintToken(ACME_IDP, acmeKey, { sub: subject, groups })
}

function withGroup(section: string, column: string, place: string, role: string): Caller {
  const groups = [groupOf(place, role)]
  const name = `${role} of ${place}`
  // Minted once: what was verified before is recognised, and the table does not depend on it.
  const bearer = `Bearer ${tokenOf(name, groups)}`
  return {
    name,
    section,
    column,
    authorization: () => bearer,
    known: { groups, organization: null, given: [] },
  }
}

const short = (role: string) => role.replace(/^(?:GLOBAL|ORG|GROUP)_/, '')

/** Subjects that the fixture links to users of ours. */
export const SUBJECTS = {
  owner: 'owner',
  member: 'member without a role',
  inactive: 'inactive',
  direct: 'given ORG_OWNER directly',
  federated: 'a federated service account',
} as const

export const INSTANCE = 'instance'

/** Whoever makes the fixture; not one of those who are tried. */
export const ownerToken = () => tokenOf(SUBJECTS.owner, [groupOf(INSTANCE, 'GLOBAL_OWNER')])

/** `key` is the built-in service account's. */
export function callersWith({ key }: { key: string }): Caller[] {
  const acmePayments = `${ACME}/${PAYMENTS_PROJECT}`
  const projectOf = { organization: ACME, project: PAYMENTS_PROJECT }
  const other = (
    column: string,
    authorization: string | null,
    known: Partial<KnownCaller> | null,
  ): Caller => ({
    name: column,
    section: SECTIONS.others,
    column,
    authorization: () => authorization,
    known: known && { groups: [], organization: null, given: [], ...known },
  })
  const globalOwner = groupOf(INSTANCE, 'GLOBAL_OWNER')
  const viaAcme = (column: string, group: string) =>
    other(column, `Bearer ${acmeTokenOf(column, [group])}`, { groups: [group], organization: ACME })
  return [
    ...rolesOf('global').map((role) => withGroup(SECTIONS.global, short(role), INSTANCE, role)),
    ...rolesOf('organization').map((role) => withGroup(SECTIONS.acme, short(role), ACME, role)),
    ...rolesOf('organization').map((role) => withGroup(SECTIONS.globex, short(role), GLOBEX, role)),
    ...rolesOf('project').map((role) => withGroup(SECTIONS.project, short(role), acmePayments, role)),
    { ...withGroup(SECTIONS.others, 'GROUP_OWNER of acme/reports', `${ACME}/reports`, 'GROUP_OWNER') },
    { ...withGroup(SECTIONS.others, 'GROUP_OWNER of globex/web', `${GLOBEX}/web`, 'GROUP_OWNER') },
    other('member of acme, no role', `Bearer ${tokenOf(SUBJECTS.member, [])}`, {}),
    other('user given ORG_OWNER of acme', `Bearer ${tokenOf(SUBJECTS.direct, [])}`, {
      given: [{ role: 'ORG_OWNER', organization: ACME, project: null }],
    }),
    viaAcme('acme issuer: GLOBAL_OWNER', globalOwner),
    viaAcme('acme issuer: ORG_OWNER of acme', groupOf(ACME, 'ORG_OWNER')),
    viaAcme('acme issuer: ORG_OWNER of globex', groupOf(GLOBEX, 'ORG_OWNER')),
    other('key with GROUP_OWNER', `Bearer ${key}`, {
      organization: ACME,
      given: [{ role: 'GROUP_OWNER', ...projectOf }],
    }),
    other('service account with GROUP_USER_ADMIN', `Bearer ${tokenOf(SUBJECTS.federated, [])}`, {
      given: [{ role: 'GROUP_USER_ADMIN', ...projectOf }],
    }),
    other('no role', `Bearer ${tokenOf('nobody', ['nothing'])}`, {}),
    other('no groups claim', `Bearer ${tokenOf('groupless', null)}`, null),
    other('inactive GLOBAL_OWNER', `Bearer ${tokenOf(SUBJECTS.inactive, [globalOwner])}`, null),
    other('anonymous', null, null),
  ]
}
