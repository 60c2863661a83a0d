// The `postern` command for tests: built once for each run of a test file, started as a process of its own.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { buildCli } from '../../tools/build-cli.ts'

/** A folder of the test's own; gone when the test file is through. */
export const folder = mkdtempSync(join(tmpdir(), 'postern-cli-'))
afterAll(() => rmSync(folder, { recursive: true }))

const program = join(folder, 'bin', 'postern.mjs')
await buildCli({ outFile: program })

export interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

export interface RunOptions {
  stdin?: string | Uint8Array
  env?: Record<string, string>
  cwd?: string
}

export function postern(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return run(process.execPath, [program, ...args], options)
}

export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { stdin = '', env = {}, cwd = folder } = options
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env } })
    const ended: Ended = { code: null, stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => (ended.stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (ended.stderr += text))
    child.on('error', reject)
    child.on('close', (code) => resolve({ ...ended, code }))
    // A command that does not read may be gone before all is written.
    child.stdin.on('error', () => {})
    child.stdin.end(stdin)
  })
}

/** Writes a file into the folder. @returns its name, which is how the command is told of it. */
export function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text)
  return name
}

export const POLICY = `version: 1
issuers:
  okta:
    issuer: https://acme.okta.com
    audiences: [postern]
idpGroupMappings:
  - roleName: GLOBAL_READ_ONLY
    idpGroups: [postern-readers]
organizations:
  acme:
    idpGroupMappings:
      - roleName: ORG_OWNER
        idpGroups: [acme-admins]
    projects:
      payments:
        idpGroupMappings:
          - roleName: GROUP_READ_ONLY
            idpGroups: [acme-payments-readers]
routes:
  read:
    hosts: [app.example]
    methods: [GET]
    path: /orgs/{org}/projects/{project}/*
    upstream: https://upstream.example
    permission: project.read
`
