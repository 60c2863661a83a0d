// The temporary password of LOCAL_RESTORE: a Durable Object makes it, says it once in the log, keeps a salted hash, and
// counts the guesses. With LOCAL_RESTORE_PASSWORD_HASH it only counts.
import { DurableObject } from 'cloudflare:workers'
import { base64url } from 'jose'
import { alarmTime, clock } from '../clock.ts'
import type { Environment } from '../environment.ts'

/** How long a password lives, and how many wrong guesses there are in that time. Then another is made. */
export const RESTORE_LIFE_MS = 60 * 60_000
export const RESTORE_TRIES_MAX = 5
const PASSWORD_BYTES = 20
const SALT_BYTES = 16
/** Of 32 characters, without those that are taken for each other. */
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789+'

interface Kept {
  salt: string
  /** Null where the variable has it. */
  hash: string | null
  madeAt: number
  triesLeft: number
}

export class RestoreObject extends DurableObject<Environment> {
  /** Has a password made and logged, where none lives. True when this call made it. */
  async prepare(): Promise<boolean> {
    const now = clock.now()
    const known = this.ctx.storage.kv.get<Kept>('kept')
    if (known && now - known.madeAt < RESTORE_LIFE_MS) return false
    const salt = base64url.encode(crypto.getRandomValues(new Uint8Array(SALT_BYTES)))
    const kept: Kept = { salt, hash: null, madeAt: now, triesLeft: RESTORE_TRIES_MAX }
    const isGiven = Boolean(this.env.LOCAL_RESTORE_PASSWORD_HASH)
    const password = isGiven ? null : makePassword()
    // Before anything is waited for: two first calls make one password.
    this.ctx.storage.kv.put('kept', kept)
    if (password !== null) {
      // 160 random bits: a slow hash would guard them no better than this one.
      this.ctx.storage.kv.put('kept', { ...kept, hash: await saltedHash(salt, password) })
      console.warn(`LOCAL_RESTORE: sign in with the temporary password ${password} within an hour`)
    }
    await this.ctx.storage.setAlarm(alarmTime(RESTORE_LIFE_MS))
    return password !== null
  }

  /** Each wrong guess is counted before it is looked at, so that many at once are no more. */
  async guess(password: string): Promise<'right' | 'wrong' | 'spent'> {
    await this.prepare()
    const kept = this.ctx.storage.kv.get<Kept>('kept') as Kept
    if (kept.triesLeft <= 0) return 'spent'
    this.ctx.storage.kv.put('kept', { ...kept, triesLeft: kept.triesLeft - 1 })
    const given = this.env.LOCAL_RESTORE_PASSWORD_HASH
    const isRight = given ? await fitsGivenHash(given, password) : await fits(kept, password)
    if (!isRight) return 'wrong'
    const now = this.ctx.storage.kv.get<Kept>('kept') as Kept
    this.ctx.storage.kv.put('kept', { ...now, triesLeft: now.triesLeft + 1 })
    return 'right'
  }

  override async alarm(): Promise<void> {
    const kept = this.ctx.storage.kv.get<Kept>('kept')
    const left = kept ? kept.madeAt + RESTORE_LIFE_MS - clock.now() : 0
    if (left <= 0) await this.ctx.storage.deleteAll()
    else await this.ctx.storage.setAlarm(alarmTime(left))
  }
}

/** In groups, so that it can be read and typed. */
function makePassword(): string {
  const bytes = crypto.getRandomValues(new Uint8Array((PASSWORD_BYTES * 8) / 5))
  const text = [...bytes].map((byte) => ALPHABET[byte & 31]).join('')
  return (text.match(/.{1,8}/g) as string[]).join('-')
}

async function saltedHash(salt: string, password: string): Promise<string> {
  const text = new TextEncoder().encode(`${salt} ${password}`)
  return base64url.encode(new Uint8Array(await crypto.subtle.digest('SHA-256', text)))
}

/** Hashes are compared, of which nobody can choose the beginning. */
async function fits({ salt, hash }: Kept, password: string): Promise<boolean> {
  return hash !== null && (await saltedHash(salt, password)) === hash
}

/** `pbkdf2-sha256$ITERATIONS$SALT$HASH`, both base64url; the platform allows 100,000 iterations. */
async function fitsGivenHash(given: string, password: string): Promise<boolean> {
  const [, iterations, salt, hash] = GIVEN.exec(given) ?? []
  if (!iterations || !salt || !hash) {
    console.error('LOCAL_RESTORE_PASSWORD_HASH is not of the form pbkdf2-sha256$100000$SALT$HASH')
    return false
  }
  const text = new TextEncoder().encode(password)
  const key = await crypto.subtle.importKey('raw', text, 'PBKDF2', false, ['deriveBits'])
  const parameters = {
    name: 'PBKDF2',
    hash: 'SHA-256',
    salt: base64url.decode(salt),
    iterations: Number(iterations),
  }
  return base64url.encode(new Uint8Array(await crypto.subtle.deriveBits(parameters, key, 256))) === hash
}
const GIVEN = /^pbkdf2-sha256\$(\d{4,6})\$([\w-]{16,86})\$([\w-]{43})$/
