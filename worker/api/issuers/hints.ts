// Recognises what people type where an issuer's address belongs, and says what to do. Pure: whoever asks has
// fetched what there was to fetch.

import { knownMistake } from '../../../policy/issuer-mistakes.ts'

/** What discovery came to, as far as hints go. */
export interface Tried {
  /** As it was typed. */
  issuer: string
  /** Null when all is well. */
  problem: string | null
  /** The issuer that the document which answered names. */
  named: string | null
}

/** A recognised mistake and what to do about it; null when nothing is recognised or nothing is wrong. */
export function hintFor({ issuer, problem, named }: Tried): string | null {
  if (problem === null) return null
  const known = knownMistake(issuer)
  if (known !== null) return known
  if (named !== null && named !== issuer) return namedOtherwise(issuer, named)
  if (/^http:/.test(issuer)) return hintOfAddress(issuer)
  if (/answered 404/.test(problem)) {
    if (/\/auth\/realms\//.test(issuer)) {
      return `Keycloak from version 17 on has no /auth in its addresses; try ${issuer.replace('/auth/realms/', '/realms/')}.`
    }
    return 'There is no discovery document. Compare the address with the "iss" of one of its tokens; for an issuer without discovery set "jwksUri" or pin its keys in "jwks".'
  }
  if (/could not be reached|did not answer/.test(problem)) {
    return 'If it is on a private network, bind it to a VPC service ("vpcBinding") or pin its keys in "jwks".'
  }
  if (/redirects are not followed/.test(problem)) {
    return 'Give the address that it leads to, if that is the "iss" of its tokens.'
  }
  return null
}

/** Of an address that may not be fetched at all. */
export function hintOfAddress(issuer: string): string | null {
  const known = knownMistake(issuer)
  if (known !== null) return known
  return /^http:/.test(issuer) ? `Use ${issuer.replace(/^http:/, 'https:')}.` : null
}

function namedOtherwise(issuer: string, named: string): string {
  const plain = (text: string) => text.replace(/\/$/, '')
  if (plain(issuer) === plain(named)) {
    return issuer.endsWith('/')
      ? `Its document names it without the slash at the end: use ${named}.`
      : `Its document names it with a slash at the end: use ${named}.`
  }
  if (/^https:\/\/sts\.windows\.net\//.test(named)) return knownMistake(named) as string
  if (plain(issuer).toLowerCase() === plain(named).toLowerCase()) {
    return `Its document writes it otherwise, and both must be equal to the letter: use ${named}.`
  }
  return `Its document names the issuer ${named}. If that is the "iss" of its tokens, use it.`
}
