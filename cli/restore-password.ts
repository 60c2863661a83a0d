// `postern restore-password`: a password for break-glass, and the hash of it that the Worker is given
// (LOCAL_RESTORE_PASSWORD_HASH). Nothing is sent or kept; worker/signin/password-hash.ts reads the hash.
import { pbkdf2Sync, randomBytes } from 'node:crypto'
import type { Command } from 'commander'
import type { Terminal } from './terminal.ts'

const PASSWORD_BYTES = 20
const SALT_BYTES = 16
const HASH_BYTES = 32
/** As many as Workers do. The password has 160 random bits, so it does not hang on them. */
const ITERATIONS = 100_000
/** 32 characters, without those that are taken for each other. */
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789+'

export function addRestorePassword(program: Command, terminal: Terminal): void {
  program
    .command('restore-password')
    .summary('make a password for when nobody can sign in')
    .description(
      'Makes a password for LOCAL_RESTORE. It is shown once, on standard error; its hash, which the Worker gets as\n' +
        'LOCAL_RESTORE_PASSWORD_HASH, goes to standard output. Nothing is sent or kept.',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ postern restore-password
  $ postern restore-password | npx wrangler secret put LOCAL_RESTORE_PASSWORD_HASH`,
    )
    .action(() => {
      const password = makePassword()
      terminal.note(`Password, shown this once: ${password}`)
      terminal.print(hashOf(password))
    })
}

function makePassword(): string {
  const bytes = [...randomBytes((PASSWORD_BYTES * 8) / 5)]
  const text = bytes.map((byte) => ALPHABET[byte & 31]).join('')
  return (text.match(/.{1,8}/g) as string[]).join('-')
}

function hashOf(password: string): string {
  const salt = randomBytes(SALT_BYTES)
  const hash = pbkdf2Sync(password, salt, ITERATIONS, HASH_BYTES, 'sha256')
  return ['pbkdf2-sha256', ITERATIONS, salt.toString('base64url'), hash.toString('base64url')].join('$')
}
