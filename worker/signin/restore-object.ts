// The temporary password of LOCAL_RESTORE: a Durable Object makes one for each deployment, says it once in the log, keeps
// a salted hash for an hour, and counts the guesses. With LOCAL_RESTORE_PASSWORD_HASH it only counts.
import { DurableObject } from 'cloudflare:workers'
import { alarmTime, clock } from '../clock.ts'
import type { Environment } from '../environment.ts'
import { digestOf, randomText } from '../opaque.ts'
import { fitsPasswordHash, type PasswordHash, parsePasswordHash } from './password-hash.ts'

/** How long a password lives; those of LOCAL_RESTORE_PASSWORD_HASH have their guesses anew after it. */
export const RESTORE_LIFE_MS = 60 * 60_000
export const RESTORE_TRIES_MAX = 5
const PASSWORD_BYTES = 20
/** Of 32 characters, without those that are taken for each other. */
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789+'

interface Kept {
  /** The deployment it belongs to; '' where wrangler.toml does not bind VERSION. */
  version: string
  /** Whether the password was made here and logged, or its hash is given by the variable. */
  kind: 'logged' | 'given'
  /** Of a logged one while it lives. */
  secret: { salt: string; hash: string } | null
  madeAt: number
  triesLeft: number
}

/** `none`: one has to be made. `over`: its hour is over, or it was tried too often. */
export type RestoreState = 'none' | 'alive' | 'over'

export class RestoreObject extends DurableObject<Environment> {
  async state(): Promise<RestoreState> {
    const given = givenHash(this.env)
    const kept = this.#kept()
    if (kept === null) return given === null ? 'none' : 'alive'
    return isOver(kept) || kept.triesLeft === 0 ? 'over' : 'alive'
  }

  /** Makes and logs a password where `state` is `none`; what another call has made meanwhile stays. */
  async prepare(): Promise<void> {
    if (givenHash(this.env) !== null) return
    const password = makePassword()
    const salt = randomText()
    const secret = { salt, hash: await saltedHash(salt, password) }
    // From here on nothing is waited for, so that two first calls keep and log one password.
    if (this.#kept() !== null) return
    this.#keep('logged', secret)
    console.warn(`LOCAL_RESTORE: sign in with the temporary password ${password} within an hour`)
    await this.ctx.storage.setAlarm(alarmTime(RESTORE_LIFE_MS))
  }

  /** `over`: the hour is over, or there are no guesses left. */
  async guess(password: string): Promise<'right' | 'wrong' | 'over'> {
    const given = givenHash(this.env)
    const kept = this.#kept() ?? (given ? this.#keep('given', null) : null)
    if (kept === null || isOver(kept) || kept.triesLeft === 0) return 'over'
    // A guess is counted before it is looked at, so that many at once are no more.
    this.#put({ ...kept, triesLeft: kept.triesLeft - 1 })
    const isRight = given ? await fitsPasswordHash(given, password) : await fits(kept, password)
    if (!isRight) return 'wrong'
    const now = this.#kept()
    if (now?.madeAt === kept.madeAt) this.#put({ ...now, triesLeft: now.triesLeft + 1 })
    return 'right'
  }

  /** What is left behind tells that this deployment has had its password, and nothing else. */
  override async alarm(): Promise<void> {
    const kept = this.ctx.storage.kv.get<Kept>('kept')
    const left = kept ? kept.madeAt + RESTORE_LIFE_MS - clock.now() : 0
    if (left > 0) await this.ctx.storage.setAlarm(alarmTime(left))
    else if (kept && this.env.LOCAL_RESTORE === 'true') this.#put({ ...kept, secret: null })
    else await this.ctx.storage.deleteAll()
  }

  /** Null when nothing is kept that counts now: one deployment's password is not the next one's. */
  #kept(): Kept | null {
    const kept = this.ctx.storage.kv.get<Kept>('kept')
    if (!kept || kept.version !== versionOf(this.env) || kept.kind !== kindOf(this.env)) return null
    const begins = kept.kind === 'given' || kept.version === ''
    return begins && isOver(kept) ? null : kept
  }

  #keep(kind: Kept['kind'], secret: Kept['secret']): Kept {
    const kept = {
      version: versionOf(this.env),
      kind,
      secret,
      madeAt: clock.now(),
      triesLeft: RESTORE_TRIES_MAX,
    }
    this.#put(kept)
    return kept
  }

  #put(kept: Kept): void {
    this.ctx.storage.kv.put('kept', kept)
  }
}

const versionOf = ({ VERSION }: Environment) => VERSION?.id ?? ''
const kindOf = ({ LOCAL_RESTORE_PASSWORD_HASH: given }: Environment) => (given ? 'given' : 'logged')
const isOver = ({ madeAt }: Kept) => clock.now() - madeAt >= RESTORE_LIFE_MS

/** Null without the variable. Throws when it is no such hash: nobody could ever give the right password. */
function givenHash({ LOCAL_RESTORE_PASSWORD_HASH: given }: Environment): PasswordHash | null {
  if (!given) return null
  const hash = parsePasswordHash(given)
  if (hash === null)
    throw new Error('LOCAL_RESTORE_PASSWORD_HASH must be what `postern restore-password` prints')
  return hash
}

/** In groups, so that it can be read and typed. */
function makePassword(): string {
  const bytes = crypto.getRandomValues(new Uint8Array((PASSWORD_BYTES * 8) / 5))
  const text = [...bytes].map((byte) => ALPHABET[byte & 31]).join('')
  return (text.match(/.{1,8}/g) as string[]).join('-')
}

/** Of 160 random bits: a slow hash would guard them no better. */
function saltedHash(salt: string, password: string): Promise<string> {
  return digestOf(`${salt} ${password}`)
}

/** Hashes are compared, of which nobody can choose the beginning. */
async function fits({ secret }: Kept, password: string): Promise<boolean> {
  return secret !== null && (await saltedHash(secret.salt, password)) === secret.hash
}
