// A request's path: read in one way only, or refused. What is matched is what is forwarded, and an upstream
// must have no second way to read it.
import { type Refusal, refuse, shown } from './refusal.ts'

/** Host and port as they stand in a request's URL, in lower case. */
export function hostIn(url: string): string {
  const start = url.indexOf('//') + 2
  const end = url.indexOf('/', start)
  return url.slice(start, end === -1 ? url.length : end).toLowerCase()
}

export type ReadPath = { ok: true; hostname: string; pathname: string } | Refusal

/**
 * `raw` is the request's URL as it came. Its path is canonical when the URL parser changes nothing, no
 * unreserved character is percent-encoded (RFC 3986 6.2.2.2), and no separator hides in an encoding, an empty
 * segment or a parameter.
 */
export function readPath(raw: string): ReadPath {
  const plain = PLAIN.exec(raw)
  if (plain) return { ok: true, hostname: plain[1] as string, pathname: plain[2] as string }
  if (!URL.canParse(raw)) return notCanonical(`The URL ${shown(raw)} is none.`)
  const { hostname, pathname } = new URL(raw)
  const start = raw.indexOf('/', raw.indexOf('//') + 2)
  const query = raw.indexOf('?', start)
  const rawPath = start === -1 ? '' : raw.slice(start, query === -1 ? raw.length : query)
  if (rawPath !== pathname) return notCanonical(`The path ${shown(rawPath)} reads as ${shown(pathname)}.`)
  if (!isUtf8(pathname)) return notCanonical('The path encodes something that is not UTF-8.')
  const suspect = SUSPECT.exec(pathname)
  return suspect === null
    ? { ok: true, hostname, pathname }
    : notCanonical(`The path has ${explain(suspect[0])}.`)
}

/**
 * Most URLs: a lower-case host, and a path of segments that neither are empty but for the last, nor begin with
 * a dot, nor encode anything. A parser would change nothing of them, and costs more than deciding does.
 */
const PLAIN =
  /^https?:\/\/([a-z0-9.-]+)(?::\d+)?((?=\/)(?:\/[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9._~!$&'()*+,=:@-]*)*\/?)(?:\?|$)/

/**
 * An empty segment, a parameter, or a percent sign that encodes a control, an unreserved character, or another
 * percent-encoding.
 */
const SUSPECT =
  /\/\/|;|\\|%(?:[01].|2[def]|25[0-9a-f]{2}|3[0-9b]|4[1-9a-f]|5[0-9acf]|6[1-9a-f]|7[0-9aef]|(?![0-9a-f]{2}).{0,2})/i

function explain(found: string): string {
  if (found === '//') return 'an empty segment'
  if (found === ';') return 'a parameter (";"), which upstreams read in different ways'
  const encodes = /^%(?:2f|5c|00|3b)$/i.test(found) ? 'hides a separator' : 'is not the canonical encoding'
  return `${shown(found)}, which ${encodes}`
}

function notCanonical(detail: string): Refusal {
  return refuse('path_not_canonical', detail, { check: 'path' })
}

function isUtf8(pathname: string): boolean {
  try {
    decodeURIComponent(pathname)
    return true
  } catch {
    return false
  }
}
