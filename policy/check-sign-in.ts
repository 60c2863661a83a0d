// What must hold of signing in: a flow that the issuer can serve, a secret only where one is used and sent, and clients
// of single sign-on that are told apart. What merely looks wrong is lint-sign-in.ts's.
import { isCognito, isProtected } from './addresses.ts'
import type { Fault, Path } from './problems.ts'
import type { PolicyDocument } from './schema.ts'
import type { Issuer } from './schema-issuer.ts'
import type { SignIn } from './schema-sign-in.ts'

/** Of one issuer record by itself; `path` is the record's. */
export function checkSignIn(issuer: Issuer, path: Path, faults: Fault[]): void {
  const { signIn } = issuer
  if (signIn === undefined) return
  const fault = (member: string, message: string) => {
    faults.push({ path: [...path, 'signIn', ...member.split('.')], message })
  }
  checkFlow(issuer, signIn, fault)
  checkClient(signIn, fault)
  for (const [name, address] of Object.entries(signIn.endpoints ?? {})) {
    if (address !== undefined && !isProtected(address)) {
      fault(`endpoints.${name}`, 'must use https (http only on this machine)')
    }
  }
  if (signIn.graph === undefined) return
  if (issuer.preset !== 'entra') {
    fault('graph', 'is for Microsoft Entra, which leaves groups out of tokens; write "preset: entra" as well')
  }
  if (!isProtected(signIn.graph.endpoint)) {
    fault('graph.endpoint', 'must use https (http only on this machine)')
  }
}

type Say = (member: string, message: string) => void

function checkFlow({ issuer, preset, jwksUri, jwks }: Issuer, signIn: SignIn, fault: Say): void {
  const { authMethod, endpoints } = signIn
  // [0-20]
  if (authMethod === 'implicit' && (preset === 'cognito' || isCognito(issuer))) {
    fault('authMethod', 'must be "pkce": Cognito gives no id_token by form post')
  }
  if (endpoints === undefined && (jwksUri !== undefined || jwks !== undefined)) {
    const where = jwks === undefined ? 'jwksUri' : 'jwks'
    fault('endpoints', `is missing: with "${where}" there is no discovery that would name them`)
  }
  if (endpoints !== undefined && endpoints.token === undefined && authMethod === 'pkce') {
    fault('endpoints.token', 'is missing; only "authMethod: implicit" does without')
  }
}

/**
 * Any variable of the Worker could be named, and what it holds is sent to the issuer: the ending keeps every other
 * secret, first of all POSTERN_SECRET, from being one of them.
 */
const CLIENT_SECRET_VARIABLE = /CLIENT_SECRET$/

function checkClient(signIn: SignIn, fault: Say): void {
  const { clientAuthentication, clientSecretFrom, pkce, authMethod } = signIn
  if (clientSecretFrom !== undefined && !CLIENT_SECRET_VARIABLE.test(clientSecretFrom)) {
    fault('clientSecretFrom', 'must end in CLIENT_SECRET, so that no other secret is ever sent to an issuer')
  }
  if (clientSecretFrom !== undefined && clientAuthentication === 'none') {
    fault('clientSecretFrom', 'stands beside "clientAuthentication: none", which sends no secret; remove one')
  }
  // [4-9]; RFC 9700 2.1.1: a client without a secret has nothing else to hold a code by.
  if (!pkce && authMethod === 'pkce' && clientAuthentication === 'none') {
    fault('pkce', 'can be off for clients with a secret only, and "clientAuthentication" is "none"')
  }
}

/** Of the issuers of one owner: an address leads to one of them. */
export function checkEmailDomains(issuers: PolicyDocument['issuers'], path: Path, faults: Fault[]): void {
  const taken = new Map<string, string>()
  for (const [id, { signIn }] of Object.entries(issuers)) {
    signIn?.emailDomains.forEach((domain, index) => {
      const holder = taken.get(domain)
      if (holder !== undefined && holder !== id) {
        const message = `${domain} is already a domain of the issuer "${holder}"`
        faults.push({ path: [...path, id, 'signIn', 'emailDomains', index], message })
      }
      taken.set(domain, holder ?? id)
    })
  }
}

export function checkApplications({ applications, routes }: PolicyDocument, faults: Fault[]): void {
  const clients = new Map<string, string>()
  const owners = new Map<string, string>()
  const fronted = new Set(Object.values(routes).flatMap(({ hosts }) => hosts))
  for (const [id, application] of Object.entries(applications)) {
    const path = ['applications', id]
    const holder = clients.get(application.clientId)
    if (holder !== undefined) {
      const message = `${application.clientId} is already the client id of the application "${holder}"`
      faults.push({ path: [...path, 'clientId'], message })
    }
    clients.set(application.clientId, holder ?? id)
    application.hosts.forEach((host, index) => {
      const at = [...path, 'hosts', index]
      const owner = owners.get(host)
      if (!fronted.has(host)) faults.push({ path: at, message: `no route is on the host ${host}` })
      // Hosts of one application trust each other.
      else if (owner !== undefined && owner !== id) {
        faults.push({ path: at, message: `${host} is already a host of the application "${owner}"` })
      }
      owners.set(host, owner ?? id)
    })
    application.redirectUris.forEach((address, index) => {
      if (isProtected(address)) return
      const message = 'must use https (http only on this machine): it is told that somebody has signed in'
      faults.push({ path: [...path, 'redirectUris', index], message })
    })
  }
}
