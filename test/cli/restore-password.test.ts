// `postern restore-password`: the password and its hash go different ways, and belong together. That the Worker takes such
// a hash is test/worker/restore-login.test.ts's.
import { pbkdf2Sync } from 'node:crypto'
import { expect, test } from 'vitest'
import { postern } from './postern.ts'

test('the password is shown apart from its hash, which fits it [0-33]', async () => {
  const [first, second] = await Promise.all([postern(['restore-password']), postern(['restore-password'])])
  expect([first.code, second.code]).toEqual([0, 0])
  expect(first.stdout).not.toBe(second.stdout)
  const password = /^Password, shown this once: ([a-z2-9+]{8}(?:-[a-z2-9+]{8}){3})\n$/.exec(first.stderr)?.[1]
  const [name, iterations, salt, hash] = first.stdout.trim().split('$') as [string, string, string, string]
  expect([name, iterations]).toEqual(['pbkdf2-sha256', '100000'])
  const again = pbkdf2Sync(password ?? '', Buffer.from(salt, 'base64url'), 100_000, 32, 'sha256')
  expect(again.toString('base64url')).toBe(hash)
  expect(first.stdout).not.toContain(password)
})
