// Whether somebody may make a change (design.md section 4, "Granting"): no role outside what they may give, no
// role for themselves that they lack, no last owner gone and no right of their own lost without saying so.
import type { Level } from './level.ts'
import type { DirectGrant, Principal } from './principal.ts'
import type { PolicyDocument } from './schema.ts'

export interface Judgement {
  /** Each by itself refuses the change; `path` is in the effective document. */
  refused: { reason: 'grant_not_allowed' | 'grant_to_self'; path: string; message: string }[]
  /** Needs to be said explicitly. */
  toConfirm: { what: 'last-owner' | 'own-access'; message: string }[]
}
export const NOTHING_TO_JUDGE: Judgement = { refused: [], toConfirm: [] }

export interface GrantingActor {
  principal: Principal
  /** Every role held there before the change, given or implied. */
  rolesAt(level: Level): readonly string[]
}

export interface Granting {
  before: PolicyDocument
  after: PolicyDocument
  actor: GrantingActor
  /** Seconds since the epoch. */
  now: number
}

export function judgeGranting(_granting: Granting): Judgement {
  return NOTHING_TO_JUDGE
}

export interface GivingDirectly {
  roles: PolicyDocument['roles']
  before: readonly DirectGrant[]
  after: readonly DirectGrant[]
  actor: GrantingActor
  /** Whether the roles go to the actor itself: one of its identities is the holder's. */
  holder: 'actor' | 'another'
}

/** The same rules for roles given directly, to users and to service accounts. */
export function judgeGivenDirectly(_giving: GivingDirectly): Judgement {
  return NOTHING_TO_JUDGE
}
