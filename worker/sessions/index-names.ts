// Names by which an issuer's own words for a session (`sid`) and a person (`sub`) are found: an object for each
// (session-index-object.ts), asked here.
import type { Environment } from '../environment.ts'
import { digestOf } from '../opaque.ts'

/** `issuer` is the id of the issuer record, here and below. */
export function sidIndexName(issuer: string, sid: string): Promise<string> {
  return digestOf(JSON.stringify([issuer, 'sid', sid]))
}

export function subIndexName(issuer: string, sub: string): Promise<string> {
  return digestOf(JSON.stringify([issuer, 'sub', sub]))
}

/** Ids of the principals whose sessions have that `sid`. */
export async function principalsOfSid(
  environment: Environment,
  issuer: string,
  sid: string,
): Promise<string[]> {
  return principalsAt(environment, await sidIndexName(issuer, sid))
}

export async function principalsOfSub(
  environment: Environment,
  issuer: string,
  sub: string,
): Promise<string[]> {
  return principalsAt(environment, await subIndexName(issuer, sub))
}

async function principalsAt({ SESSION_INDEX }: Environment, name: string): Promise<string[]> {
  const found = await SESSION_INDEX.getByName(name).list()
  return found.map(({ principal }) => principal)
}
