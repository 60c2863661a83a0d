// What a refusal must look like to its caller, and that it went no further: the same for every attack.
import { expect, it } from 'vitest'
import type { Setting } from './setting.ts'
import type { Answer, Asked } from './stack.ts'
import type { Upstream } from './upstream.ts'

export interface Refused {
  status: number
  reason: string
  /** The claim or header parameter that failed. */
  check?: string
  /** Must be in the detail. */
  detail?: string | RegExp
  /** What was sent and must not come back. */
  token?: string
}

/** A token that must not pass, named as the attack. */
export interface RefusedToken {
  attack: string
  token: () => string
  reason: string
  /** 401 unless it says otherwise. */
  status?: number
  check?: string
  detail?: RegExp
  /** Where it is sent, when that is not a path of acme's project "payments". */
  asked?: Partial<Asked>
}

/** One test for each row. Every token is sent twice: a refusal is not remembered as anything better. */
export function testRefusals(rows: readonly RefusedToken[], setting: () => Setting): void {
  for (const { attack, token: make, reason, status = 401, check, detail, asked } of rows) {
    it(`${attack} is refused: ${reason}`, async () => {
      const { get, upstream } = setting()
      const token = make()
      const refused = { status, reason, token, ...(check ? { check } : {}), ...(detail ? { detail } : {}) }
      expectRefused(await get(token, asked), upstream, refused)
      expectRefused(await get(token, asked), upstream, refused)
    })
  }
}

/** A refusal's problem document (RFC 9457) as JSON. */
export type ProblemJson = Record<string, unknown>

export function expectRefused(answer: Answer, upstream: Upstream, refused: Refused): ProblemJson {
  const { status, reason, check, detail, token } = refused
  const problem = JSON.parse(answer.text) as ProblemJson
  expect({ status: answer.status, reason: problem.reason, detail: problem.detail }).toEqual({
    status,
    reason,
    detail: problem.detail,
  })
  expect(problem.status).toBe(status)
  expect(problem.type).toBe(`urn:postern:problem:${reason}`)
  expect(problem.title).toMatch(/^[A-Z].*\.$/)
  expect(problem.detail).toMatch(detail ?? /./)
  if (check !== undefined) expect(problem.check).toBe(check)
  expect(answer.headers['content-type']).toBe('application/problem+json')
  expect(answer.headers['cache-control']).toBe('no-store')
  expect(answer.headers['x-request-id']).toBe(problem.requestId)
  expect(answer.headers['www-authenticate'] ?? '').toMatch(challengeOf(status, reason))
  if (token !== undefined) expectNotEchoed(answer, token)
  expect(upstream.take(), 'what the upstream saw').toEqual([])
  return problem
}

/** RFC 6750 3: `error` and `error_description`, and neither when no credentials came. */
function challengeOf(status: number, reason: string): RegExp {
  if (status !== 401 && status !== 403) return /^$/
  if (reason === 'credentials_missing') return /^Bearer realm="postern"$/
  const error =
    status === 403
      ? 'insufficient_scope'
      : reason === 'credentials_malformed'
        ? 'invalid_request'
        : 'invalid_token'
  return new RegExp(
    `^Bearer realm="postern", error="${error}", error_description="[\\x20-\\x21\\x23-\\x5b\\x5d-\\x7e]+"$`,
  )
}

/** Neither the token nor its signature, which is what makes it one. */
function expectNotEchoed(answer: Answer, token: string): void {
  const whole = `${answer.rawHeaders.join('\n')}\n${answer.text}`
  for (const part of [token, token.split('.').at(-1) ?? '']) {
    if (part.length > 10) expect(whole).not.toContain(part)
  }
}
