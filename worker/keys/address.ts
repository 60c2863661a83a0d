// Judges an address that people or discovery documents name, before anything is fetched from it. A Worker
// cannot see what a name resolves to; DNS rebinding is out of its reach (SECURITY.md).
import type { Settings } from '../environment.ts'

/** Names that lead nowhere, or to somewhere only a private network knows. */
const PRIVATE_SUFFIXES = [
  'local',
  'localhost',
  'internal',
  'intranet',
  'lan',
  'home',
  'home.arpa',
  'corp',
  'private',
  'test',
  'invalid',
  'onion',
]

/** From where an issuer is reached: over the public network, or through a binding to a private one. */
export type Network = 'public' | 'private'

export interface AddressRules extends Pick<Settings, 'allowLoopback' | 'gatewayHosts'> {
  network: Network
  /** Whether a host name is one that we front. */
  isFronted(hostname: string): boolean
}

/** @returns what is wrong with the address, as the end of a sentence, or null when it may be fetched. */
export function judgeAddress(address: string, rules: AddressRules): string | null {
  if (!URL.canParse(address)) return 'is not a URL'
  const url = new URL(address)
  if (url.username !== '' || url.password !== '') return 'must not carry user information'
  if (url.hash !== '') return 'must not have a fragment'
  const hostname = url.hostname.replace(/\.$/, '')
  if (rules.gatewayHosts.has(url.host) || rules.isFronted(hostname))
    return "must not be one of Postern's own hosts"
  if (isLoopback(hostname) && rules.allowLoopback && /^https?:$/.test(url.protocol)) return null
  if (url.protocol !== 'https:') return 'must use https'
  // The URL parser has turned every spelling of an IPv4 address into dotted decimals by now.
  if (/^[0-9.]+$/.test(hostname) || hostname.startsWith('[')) return 'must name a host, not an IP address'
  // A binding leads into one private network, where such names are the usual ones.
  if (rules.network === 'private') return null
  if (!hostname.includes('.') || PRIVATE_SUFFIXES.some((suffix) => hostname.endsWith(`.${suffix}`))) {
    return 'must name a public host'
  }
  return null
}

function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '127.0.0.1' ||
    hostname === '[::1]'
  )
}
