// What lint can say of a policy that is sound: one closed list, a sentence each. Who finds what stands in the
// files beside lint.ts.
import type { Fault, Path } from './problems.ts'

/**
 * error: must not be saved or cannot work. warning: most likely not what was meant. notice: works, and somebody
 * should have looked at it.
 */
export type Severity = 'error' | 'warning' | 'notice'

export const WARNINGS = {
  owner_removed: ['error', 'The change takes the last owner away.'],
  grant_not_allowed: ['error', 'The change gives a role that whoever makes it may not give.'],
  issuer_not_https: ['error', 'The address of an issuer is neither https nor on this machine.'],
  sign_in_secret_missing: ['warning', 'An issuer is to be shown a secret, and none is named.'],
  sign_in_groups_left_out: [
    'warning',
    'An issuer leaves the groups of many out of what people sign in with.',
  ],
  sign_in_refresh_pointless: ['warning', 'An issuer gives no refresh token to the way people sign in.'],
  sign_in_part_unused: ['notice', 'The way people sign in makes no use of a part of it.'],
  issuer_names_collide: ['warning', 'An issuer gives two groups one name.'],
  mapping_expired: ['warning', 'The time in which a mapping counts is over.'],
  mapping_contradictory: ['warning', 'The conditions of a mapping exclude each other.'],
  mapping_unmatchable: ['warning', 'No issuer that a mapping believes can say its group.'],
  mapping_duplicate: ['warning', 'Two mappings say the same.'],
  mapping_believes_any: ['warning', 'A mapping names no issuers where several are trusted.'],
  pattern_spans_organizations: ['notice', 'A pattern gives its role in every organization a group names.'],
  patterns_overlap: ['notice', 'A group can match two patterns.'],
  organization_without_owner: ['warning', 'Nobody can be the owner of an organization.'],
  role_unobtainable: ['notice', 'Nobody can get a role that the policy defines.'],
  permission_unneeded: ['notice', 'No route and no operation needs a permission that the policy defines.'],
  inactivity_never_reached: ['notice', 'A session ends before it could end for not being used.'],
  preflight_never_asked: ['warning', 'A route lets preflights pass, and has no method that asks for one.'],
  route_unreachable: ['error', 'No request can reach a route.'],
  route_method_hidden: ['warning', 'A path lacks a method that a broader route would have served.'],
  route_on_gateway_host: ['error', 'A route is on a host that carries the gateway itself.'],
  route_permission_ungiven: ['warning', 'No role that can be held where a route is gives its permission.'],
} as const satisfies Record<string, readonly [Severity, string]>
export type WarningCode = keyof typeof WARNINGS

/** The message says what is there and what would mend it. */
export interface Warning extends Fault {
  code: WarningCode
  severity: Severity
}

export function warning(code: WarningCode, path: Path, message: string): Warning {
  return { code, severity: WARNINGS[code][0], path, message }
}
