// What the management API answers: JSON with its version as ETag, problem documents for what it does not do, and
// the words for the refusals that many handlers share.
import type { Locked } from '../../policy/operations/common.ts'
import { answerRefusal } from '../answers.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'
import type { Answer } from './call.ts'

export const NO_STORE = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

export function respond(answered: Answer | Refusal, status: number, requestId: string): Response {
  if (!answered.ok) return answerRefusal(answered, requestId)
  if (answered.body instanceof Response) return answered.body
  const { version, headers } = answered
  return new Response(JSON.stringify(answered.body), {
    status: answered.status ?? status,
    headers: {
      ...NO_STORE,
      'content-type': 'application/json',
      ...(version === undefined ? {} : { etag: etagOf(version) }),
      ...headers,
    },
  })
}

export const etagOf = (version: number) => `"${version}"`

export interface InputError {
  /** `idpGroupMappings[0].roleName` */
  path: string
  message: string
}

export function refuseInput(errors: readonly InputError[]): Refusal {
  const [first] = errors
  const where = first?.path ? `${first.path}: ` : ''
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : ''
  const shownErrors = errors.slice(0, ERRORS_MAX)
  return refuse('input_invalid', `${where}${first?.message ?? ''}${more}`, {
    members: { errors: shownErrors },
  })
}
const ERRORS_MAX = 100

/** For what there is not and for what the caller may not see: never a word more. */
export function notFound(what: string, name: string): Refusal {
  return refuse('not_found', `There is no ${what} ${shown(name)} that you may see.`)
}

export function setElsewhere(what: string, { place }: Pick<Locked, 'place'>): Refusal {
  return refuse('set_elsewhere', `${what} is set in ${place}; change it there.`, { members: { place } })
}

export function limitReached(what: string, count: number, limit: number): Refusal {
  const detail = `There would be ${count} ${what}; there may be ${limit}.`
  return refuse('limit_reached', detail, { members: { limit, count } })
}

export function versionConflict(version: number): Refusal {
  const detail = `The version in force is ${version}; read it again and repeat the change.`
  return refuse('version_conflict', detail, { members: { version } })
}
