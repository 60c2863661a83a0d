// What is typed about an issuer, made into a record: a discovery document's address becomes the issuer that it names,
// what may never be fetched is refused, and discovery says what it found.
import type { z } from 'zod'
import { issuerOfDocument } from '../../../policy/addresses.ts'
import { checkIssuer } from '../../../policy/check.ts'
import type { DiscoveryResult } from '../../../policy/operations/issuers.ts'
import { describePath, type Fault } from '../../../policy/problems.ts'
import type { Issuer } from '../../../policy/schema-issuer.ts'
import type { Environment } from '../../environment.ts'
import { judgeAddress } from '../../keys/address.ts'
import { readKeySet } from '../../keys/key-set.ts'
import { type Probed, probeIssuer } from '../../keys/probe.ts'
import type { ProviderMetadata } from '../../keys/provider-metadata.ts'
import { reachOf } from '../../keys/reach.ts'
import { type Refusal, refuse } from '../../refusal.ts'
import { type InputError, refuseInput } from '../answers.ts'
import { hintFor, hintOfAddress } from './hints.ts'

export type Discovery = z.infer<typeof DiscoveryResult>

export interface ReadSettings {
  ok: true
  /** With the issuer that is meant. */
  settings: Issuer
  discovery: Discovery
  /** What discovery said to a relying party; null where none answered. */
  metadata: ProviderMetadata | null
}

/** `path` is where the settings stand in the request. Discovery that fails refuses nothing; it is told of. */
export async function readSettings(
  environment: Environment,
  written: Issuer,
  path: string,
): Promise<ReadSettings | Refusal> {
  const errors = [
    ...shapeErrors(written, path),
    ...secretErrors(written, path),
    ...(await addressErrors(environment, written, path)),
  ]
  if (errors.length > 0) return refuseInput(errors)
  const { settings, discovery, metadata } = await discover(environment, written)
  if (settings.issuer === written.issuer) return { ok: true, settings, discovery, metadata }
  const wrong = await addressErrors(environment, settings, path)
  return wrong.length > 0 ? refuseInput(wrong) : { ok: true, settings, discovery, metadata }
}

/** For an address alone: what discovery says of it. */
export async function testAddress(
  environment: Environment,
  { issuer, vpcBinding }: { issuer: string; vpcBinding?: string | undefined },
): Promise<Discovery | Refusal> {
  const errors = await addressErrors(environment, { issuer, vpcBinding }, '')
  if (errors.length > 0) return refuseInput(errors)
  return (await discover(environment, { issuer, vpcBinding })).discovery
}

type Named = Pick<Issuer, 'issuer' | 'jwksUri' | 'jwks' | 'vpcBinding'>

/** [4-5] Where a discovery document's address was given, the issuer that the document names. */
async function discover<Settings extends Named>(
  environment: Environment,
  written: Settings,
): Promise<{ settings: Settings; discovery: Discovery; metadata: ProviderMetadata | null }> {
  const base = issuerOfDocument(written.issuer)
  if (base === null) {
    const probed = await probe(environment, written)
    return { settings: written, discovery: withHint(written.issuer, probed), metadata: probed.metadata }
  }
  const first = { ...written, issuer: base }
  const probed = await probe(environment, first)
  const named = namedIn(probed)
  // The document may write itself otherwise: with a slash at the end, or in another host's name.
  const settings = named === null ? first : { ...first, issuer: named }
  const discovery = named === null ? probed : await probe(environment, settings)
  const turned = `The address of a discovery document was given; the issuer it names is ${settings.issuer}.`
  const found = withHint(settings.issuer, discovery)
  const hint = found.hint === null ? turned : `${turned} ${found.hint}`
  return { settings, discovery: { ...found, hint }, metadata: discovery.metadata }
}

function probe(environment: Environment, { issuer, jwksUri, jwks, vpcBinding }: Named): Promise<Probed> {
  return probeIssuer(environment, { issuer, jwksUri, jwks, vpcBinding: vpcBinding ?? null })
}

function withHint(issuer: string, probed: Probed): Discovery {
  const { ok, foundAt, jwksUri, keys, left, endpoints, problem } = probed
  const hint = hintFor({ issuer, problem, named: namedIn(probed) })
  return { ok, foundAt, jwksUri, keys, left, endpoints, problem, hint }
}

/** What the document that answered names instead of what is configured (discovery.ts). */
function namedIn({ problem }: Probed): string | null {
  return /names the issuer "([^"]+)", configured is/.exec(problem ?? '')?.[1] ?? null
}

/**
 * Whoever may write an issuer could have any secret of the Worker sent to a host of their own by naming it. So secrets
 * are named where the Worker is deployed, in the policy's file and its variables, and over the API they are given.
 */
function secretErrors({ signIn }: Issuer, path: string): InputError[] {
  if (signIn?.clientSecretFrom === undefined) return []
  const message = 'is for the policy\'s file; over the API give the secret itself, as "clientSecret"'
  return [{ path: `${path}.signIn.clientSecretFrom`, message }]
}

/** RFC 7518 6.2.2, 6.3.2 and 6.4: what only the issuer may know. */
const SECRET_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/** What the record says of itself alone: tenants, and where its keys come from. */
function shapeErrors(settings: Issuer, path: string): InputError[] {
  const faults: Fault[] = []
  checkIssuer(settings, [path], faults)
  const errors = faults.map((fault) => ({ path: describePath(fault.path), message: fault.message }))
  if (settings.jwks === undefined) return errors
  const secret = settings.jwks.keys.findIndex((key) =>
    SECRET_MEMBERS.some((name) => Object.hasOwn(key, name)),
  )
  if (secret !== -1) {
    const message = 'is a secret; it is kept nowhere. Make a new key, and give its public members only'
    return [...errors, { path: `${path}.jwks.keys[${secret}]`, message }]
  }
  const keys = readKeySet(settings.jwks)
  return keys.ok ? errors : [...errors, { path: `${path}.jwks`, message: keys.problem }]
}

/** An address that may never be fetched. One whose keys are pinned is only compared. */
async function addressErrors(
  environment: Environment,
  named: Named & Pick<Partial<Issuer>, 'signIn'>,
  path: string,
): Promise<InputError[]> {
  const { issuer, jwksUri, jwks, vpcBinding, signIn } = named
  const at = (member: string) => (path === '' ? member : `${path}.${member}`)
  const reach = await reachOf(environment, vpcBinding ?? null)
  if (!reach.ok) return [{ path: at('vpcBinding'), message: reach.problem }]
  const judge = (member: string, address: string): InputError[] => {
    const wrong = judgeAddress(address, reach.rules)
    const hint = wrong === null ? null : hintOfAddress(address)
    return wrong === null ? [] : [{ path: at(member), message: hint === null ? wrong : `${wrong}. ${hint}` }]
  }
  const endpoints = Object.entries({ ...signIn?.endpoints }).flatMap(([name, address]) => {
    return address === undefined ? [] : judge(`signIn.endpoints.${name}`, address)
  })
  if (jwks !== undefined) return endpoints
  return [
    ...endpoints,
    // With the address of its keys, the issuer itself is a name that nothing is fetched from.
    ...(jwksUri === undefined ? judge('issuer', issuer.replaceAll('{tenantid}', 'common')) : []),
    ...(jwksUri === undefined ? [] : judge('jwksUri', jwksUri)),
  ]
}

/**
 * Whether the settings lead through a binding to where nobody has led it before: naming one, or sending one that is
 * named already to another address.
 */
export function leadsElsewhere(
  written: Named,
  before: Partial<Record<keyof Named, unknown>> | null,
): boolean {
  if (written.vpcBinding === undefined) return false
  return (['vpcBinding', 'issuer', 'jwksUri'] as const).some((name) => written[name] !== before?.[name])
}

/** A binding leads into a private network, which is the instance's to open (SECURITY.md). */
export function bindingRefused(): Refusal {
  const detail =
    'A binding of the Worker ("vpcBinding") is set by whoever may change the issuers of the instance.'
  return refuse('permission_missing', detail)
}

/** Whether a secret that is kept would be sent to another place than the one it was given for. */
export function movesSecret(written: Issuer, before: Issuer): boolean {
  const places = ({ issuer, vpcBinding, signIn }: Issuer) => {
    const { authorization, token, userInfo, endSession } = signIn?.endpoints ?? {}
    return JSON.stringify([issuer, vpcBinding, authorization, token, userInfo, endSession])
  }
  return places(written) !== places(before)
}
