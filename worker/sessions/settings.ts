// What is set of single sign-on: the policy goes before the database, and that before the defaults. Where a sign-out
// may lead to, each of them may say.
import type { Policy } from '../../policy/loaded.ts'
import type { SingleSignOn } from '../../policy/schema-sign-in.ts'
import { DEFAULT_SINGLE_SIGN_ON } from '../../policy/single-sign-on.ts'
import { storedSingleSignOn } from '../documents/feed.ts'
import { holdPolicy, policyNow } from '../documents/held.ts'
import type { Environment } from '../environment.ts'
import type { Refusal } from '../refusal.ts'

export async function singleSignOnOf(environment: Environment): Promise<SingleSignOn | Refusal> {
  const policy = policyNow(environment) ?? (await holdPolicy(environment))
  return policy.ok ? singleSignOnBy(policy.content) : policy
}

/** The merged settings of the two that they were merged from last. */
let merged: { policy: Policy; stored: Partial<SingleSignOn>; settings: SingleSignOn } | null = null

/** The hot path: the same objects mean the same settings. */
export function singleSignOnBy(policy: Policy): SingleSignOn {
  const stored = storedSingleSignOn()
  if (merged?.policy === policy && merged.stored === stored) return merged.settings
  const settings = mergeSingleSignOn(policy.singleSignOn, stored)
  merged = { policy, stored, settings }
  return settings
}

export function mergeSingleSignOn(
  ofPolicy: Partial<SingleSignOn>,
  stored: Partial<SingleSignOn>,
): SingleSignOn {
  const uris = [...(ofPolicy.logoutRedirectUris ?? []), ...(stored.logoutRedirectUris ?? [])]
  return { ...DEFAULT_SINGLE_SIGN_ON, ...stored, ...ofPolicy, logoutRedirectUris: [...new Set(uris)] }
}
