// Takes a compact JWS (RFC 7515 7.1) apart, and refuses what could be read in two ways: other encodings of
// the same bytes, a member that stands twice, nesting nobody needs.
import { base64url } from 'jose'
import type { Claims } from '../../policy/principal.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'

export const TOKEN_BYTES_MAX = 16 * 1024
const JSON_DEPTH_MAX = 16

export interface CompactToken {
  ok: true
  header: Record<string, unknown>
  claims: Claims
  /** What the signature covers: header and payload as they came. */
  signed: string
  signature: string
}

export function parseCompact(token: string): CompactToken | Refusal {
  if (token.length > TOKEN_BYTES_MAX) {
    const detail = `It has ${token.length} bytes; at most ${TOKEN_BYTES_MAX} are read.`
    return refuse('token_too_large', detail, { check: 'size' })
  }
  const parts = token.split('.')
  if (parts.length !== 3) {
    const encrypted =
      parts.length === 5 ? ' Five parts make an encrypted token; encryption is not accepted.' : ''
    return malformed(`It has ${parts.length} parts; a signed JWT has 3.${encrypted}`)
  }
  const [headerPart, payloadPart, signature] = parts as [string, string, string]
  if (!isCanonicalBase64url(signature))
    return malformed('Its signature is not canonical base64url (RFC 4648 3.5).')
  const header = parsePart(headerPart, 'header')
  if (!header.ok) return header
  const claims = parsePart(payloadPart, 'payload')
  if (!claims.ok) return claims
  const signed = token.slice(0, headerPart.length + 1 + payloadPart.length)
  return { ok: true, header: header.members, claims: claims.members, signed, signature }
}

function malformed(detail: string): Refusal {
  return refuse('token_malformed', detail, { check: 'format' })
}

type Part = { ok: true; members: Record<string, unknown> } | Refusal

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function parsePart(part: string, name: 'header' | 'payload'): Part {
  if (!isCanonicalBase64url(part)) return malformed(`Its ${name} is not canonical base64url (RFC 4648 3.5).`)
  let text: string
  let members: unknown
  try {
    text = utf8.decode(base64url.decode(part))
    members = JSON.parse(text)
  } catch {
    return malformed(`Its ${name} is not JSON in UTF-8.`)
  }
  if (typeof members !== 'object' || members === null || Array.isArray(members)) {
    return malformed(`Its ${name} is not a JSON object.`)
  }
  const count = countMembers(members, JSON_DEPTH_MAX)
  if (count === null) {
    const detail = `Its ${name} is nested more than ${JSON_DEPTH_MAX} levels deep.`
    return refuse('token_ambiguous', detail, { check: 'format' })
  }
  // A member that stands twice is written twice and read once.
  if (count !== countWrittenMembers(text)) {
    return refuse('token_ambiguous', `Its ${name} has a member twice (RFC 8725 2.4).`, { check: 'format' })
  }
  return { ok: true, members: members as Record<string, unknown> }
}

/** RFC 7515 2: no padding, no white space; and no bits that decoding would drop. */
function isCanonicalBase64url(text: string): boolean {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) return false
  const dropped = text.length % 4
  if (dropped === 0) return true
  if (dropped === 1) return false
  const last = ALPHABET.indexOf(text[text.length - 1] as string)
  return (last & (dropped === 2 ? 0b1111 : 0b11)) === 0
}
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Members of all objects within the value, null when it is nested more than `levels` deep. */
export function countMembers(value: object, levels: number): number | null {
  if (levels < 1) return null
  let count = Array.isArray(value) ? 0 : Object.keys(value).length
  for (const member of Object.values(value)) {
    if (typeof member !== 'object' || member === null) continue
    const within = countMembers(member, levels - 1)
    if (within === null) return null
    count += within
  }
  return count
}

/** In valid JSON each colon outside of strings belongs to one member. */
export function countWrittenMembers(json: string): number {
  let count = 0
  let inString = false
  for (let index = 0; index < json.length; index++) {
    const char = json.charCodeAt(index)
    if (char === QUOTE) inString = !inString
    else if (inString && char === BACKSLASH) index += 1
    else if (!inString && char === COLON) count += 1
  }
  return count
}
const QUOTE = 0x22
const COLON = 0x3a
const BACKSLASH = 0x5c

/** Header parameters any token may have (RFC 7515 4.1); the rest could change how the token is read. */
const HEADERS: readonly string[] = ['alg', 'kid', 'typ', 'x5t', 'x5t#S256']

/** What a header must be whatever the issuer: no key of its own, nothing critical, nothing unknown. */
export function checkHeader(header: Record<string, unknown>, allowed: readonly string[]): Refusal | null {
  for (const name of Object.keys(header)) {
    if (name === 'crit' || name === 'b64' || !(HEADERS.includes(name) || allowed.includes(name))) {
      const detail = `The header parameter ${shown(name)} is not accepted.`
      return refuse('header_not_allowed', detail, { check: name.slice(0, 50) })
    }
    if (typeof header[name] !== 'string' && HEADERS.includes(name)) {
      return malformed(`The header parameter "${name}" is not a string.`)
    }
  }
  return null
}
