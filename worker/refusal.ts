// A refusal: an expected no, as a value. What it looks like on the wire is answers.ts's.
import type { Reason } from '../policy/reasons.ts'

export interface Refusal {
  ok: false
  reason: Reason
  /** What exactly failed and with which value; a full sentence. Never the token itself. */
  detail: string
  /** The claim or header parameter that failed. */
  check?: string
  /** For a claim that is a time, all in seconds since the epoch. */
  times?: { token: number; now: number; differenceSeconds: number; leewaySeconds: number }
  /** Who was refused, when that is known. */
  subject?: string
  /** Of a session that an organization ended: when, in milliseconds since the epoch. */
  endedAt?: number
  /** What the API says besides, in the problem document. */
  members?: RefusalMembers
}

export interface RefusalMembers {
  /** Each thing that is wrong with a request, with the place in it: `idpGroupMappings[0].roleName`. */
  errors?: { path: string; message: string }[]
  /** What `confirm` would have to say. */
  toConfirm?: string[]
  /** Where it is set instead: "postern.policy.yaml:12:5 organizations.acme". */
  place?: string
  /** The version in force. */
  version?: number
  /** Where a person with a browser signs in. */
  login_url?: string
  limit?: number
  count?: number
}

export function refuse(reason: Reason, detail: string, more: Partial<Refusal> = {}): Refusal {
  return { ok: false, reason, detail, ...more }
}

/** A value that somebody sent, fit to be shown: bounded, printable, quoted. */
export function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined')
  const short = text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}...` : text
  return `"${short.replace(/[\p{C}\p{Zl}\p{Zp}"\\]/gu, '?')}"`
}
const SHOWN_LENGTH_MAX = 200
