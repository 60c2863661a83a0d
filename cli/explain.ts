// `postern policy explain`: who has which role and why, from a description or a real token. What is printed of
// an explanation is explain-text.ts's.
import { type Command, InvalidArgumentError } from 'commander'
import type { JSONWebKeySet } from 'jose'
import type { IssuerRecord } from '../policy/compiled.ts'
import { explain } from '../policy/explain.ts'
import { type Level, levelOf } from '../policy/level.ts'
import { organizationAt } from '../policy/loaded.ts'
import { type Claims, principalFromClaims } from '../policy/principal.ts'
import { nowOption, secondsNow } from './clock.ts'
import { mappingsOf, printExplanation } from './explain-text.ts'
import { type OpenedPolicy, openPolicy, POLICY_FILE, readInput, trouble } from './input.ts'
import { claimsOf, type Described, findRecord } from './principals.ts'
import { EXIT, type ExitCode, type Terminal } from './terminal.ts'
import { checkSignature, checkToken, parseToken, recordOfToken, type TokenCheck } from './token.ts'

export interface Options {
  issuer?: string
  subject?: string
  groups?: string
  group: string[]
  claims?: string
  token?: string
  jwks?: string
  organization?: string
  project?: string
  permission?: string
  limit: number
  after: number
  now?: number
  json?: true
}

export function addExplain(parent: Command, terminal: Terminal): void {
  parent
    .command('explain')
    .summary('say why somebody has a role or lacks it')
    .description(
      'Says which roles somebody has and why, which mappings do not count and why not, what is nearly right,\n' +
        'and for a permission the fewest changes that would give it. Nothing is fetched.',
    )
    .argument('[file]', 'the policy, "-" for standard input', POLICY_FILE)
    .option(
      '--issuer <id>',
      'who vouches: "okta", or "acme/okta" for one of acme; needless where there is one',
    )
    .option('--subject <name>', 'who it is (default: "somebody")')
    .option('--groups <names>', 'groups as the token says them, joined by commas')
    .option('--group <name>', 'one group, commas and all; can be given several times', append, [])
    .option('--claims <json>', 'what else the token says: JSON, or @file')
    .option('--token <file>', 'a real token instead of all these, "-" for standard input')
    .option('--jwks <file>', "the issuer's keys (a JWKS), to verify the token with")
    .option('--organization <slug>', 'where: in this organization (default: the global level)')
    .option('--project <slug>', 'where: in this project of the organization')
    .option('--permission <name>', 'ask for this permission as well')
    .option('--limit <number>', 'mappings without any match to list', parseCount, 20)
    .option('--after <number>', 'where in their list to go on', parseCount, 0)
    .addOption(nowOption())
    .option('--json', 'print one JSON value')
    .addHelpText(
      'after',
      `
Exit codes: 0 fine, 1 the permission is refused, the gateway would refuse the token, or the policy is not
valid, 2 something cannot be read.

Examples:
  $ postern policy explain --issuer okta --groups acme-admins --organization acme
  $ postern policy explain --issuer okta --groups devs --claims '{"acr":"2"}' --organization acme \\
      --project payments --permission project.write
  $ postern policy explain --token token.txt --jwks keys.json --organization acme`,
    )
    .action(async (file: string, options: Options) => {
      process.exitCode = await runExplain(terminal, file, options)
    })
}

function append(value: string, values: string[]): string[] {
  return [...values, value]
}

function parseCount(text: string): number {
  if (!/^\d{1,7}$/.test(text)) throw new InvalidArgumentError('It must be a number.')
  return Number(text)
}

async function runExplain(terminal: Terminal, path: string, options: Options): Promise<ExitCode> {
  const wrong = wrongUse(path, options)
  if (wrong !== null) return trouble(terminal, wrong).code
  const opened = await openPolicy(terminal, path, options)
  if (!opened.ok) return opened.code
  const now = secondsNow(options.now)
  const caller = await (options.token === undefined
    ? describedCaller(terminal, opened, options)
    : tokenCaller(terminal, opened, options, now))
  if (!caller.ok) return caller.code
  const level = levelOf(options.organization ?? null, options.project ?? null)
  return answer(terminal, opened, caller, { level, now }, options)
}

function wrongUse(path: string, options: Options): string | null {
  const { token, jwks, claims, subject, groups, group, project, organization } = options
  if (project !== undefined && organization === undefined) return '--project needs --organization.'
  if (jwks !== undefined && token === undefined) return '--jwks needs --token.'
  const described = [claims, subject, groups, group[0]].some((option) => option !== undefined)
  if (token !== undefined && described) return '--token says all that --subject, --groups and --claims would.'
  if ([path, token, jwks, claims?.replace(/^@/, '')].filter((file) => file === '-').length > 1) {
    return 'standard input can be only one of the files.'
  }
  return null
}

/** Whose claims they are, on whose word, and what is known of the token they came in. */
interface Caller {
  ok: true
  record: IssuerRecord
  claims: Claims
  token: { verified: boolean; checks: TokenCheck[] } | null
}
type CallerResult = Caller | { ok: false; code: ExitCode }

async function describedCaller(
  terminal: Terminal,
  opened: OpenedPolicy,
  options: Options,
): Promise<CallerResult> {
  const record = findRecord(opened.policy, options.issuer)
  if (typeof record === 'string') return trouble(terminal, `${record}.`)
  const said = await readClaims(terminal, options.claims ?? '{}')
  if (!said.ok) return said
  const groups = [...(options.groups?.split(',').filter((name) => name !== '') ?? []), ...options.group]
  const listed = options.groups === undefined && groups.length === 0 ? {} : { groups }
  const { subject = 'somebody' } = options
  const made = claimsOf(record, { issuer: record.id, subject, ...listed, claims: said.claims })
  if (!made.ok) return trouble(terminal, `--${made.message}.`)
  return { ok: true, record, claims: made.claims, token: null }
}

async function readClaims(
  terminal: Terminal,
  option: string,
): Promise<{ ok: true; claims: Described['claims'] } | { ok: false; code: ExitCode }> {
  const read = option.startsWith('@')
    ? await readInput(terminal, option.slice(1))
    : { ok: true as const, text: option, file: '--claims' }
  if (!read.ok) return read
  const claims = parseObject(read.text)
  if (claims === null) return trouble(terminal, `${read.file} is not a JSON object.`)
  return { ok: true, claims: claims as Described['claims'] }
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null
  } catch {
    return null
  }
}

async function tokenCaller(
  terminal: Terminal,
  { policy }: OpenedPolicy,
  options: Options,
  now: number,
): Promise<CallerResult> {
  const read = await readInput(terminal, options.token as string)
  if (!read.ok) return read
  const token = parseToken(read.text)
  if (!token.ok) return trouble(terminal, `the token in ${read.file} ${token.message}.`)
  const record = recordOfToken(policy, token, options)
  if (typeof record === 'string') return trouble(terminal, `${record}.`)
  const organization = record.organization ?? options.organization ?? null
  const own = organization === null ? undefined : policy.organization(organization)?.audience
  const audiences = record.audiences ?? [policy.audience, ...(own === undefined ? [] : [own])]
  const checks = checkToken(record, token, audiences, now)
  const keys = await readKeys(terminal, record, options.jwks)
  if (!keys.ok) return keys
  if (keys.jwks === null) {
    warnUnverified(terminal)
    return { ok: true, record, claims: token.claims, token: { verified: false, checks } }
  }
  const signature = await checkSignature(record, token, keys.jwks)
  const verified = { verified: signature.passed, checks: [signature, ...checks] }
  return { ok: true, record, claims: token.claims, token: verified }
}

function warnUnverified({ note, paintNote }: Terminal): void {
  note(
    paintNote(
      'yellow',
      'WARNING: the signature of this token was NOT verified: anybody can have written it.',
    ),
  )
  note("To verify it, give the issuer's keys: --jwks FILE.")
}

/** From the file, else those the policy itself pins; null when there are none. */
async function readKeys(
  terminal: Terminal,
  { keyOrigin }: IssuerRecord,
  path: string | undefined,
): Promise<{ ok: true; jwks: JSONWebKeySet | null } | { ok: false; code: ExitCode }> {
  if (path === undefined) {
    return { ok: true, jwks: keyOrigin.kind === 'pinned' ? (keyOrigin.jwks as JSONWebKeySet) : null }
  }
  const read = await readInput(terminal, path)
  if (!read.ok) return read
  const jwks = parseObject(read.text)
  if (!Array.isArray(jwks?.keys)) return trouble(terminal, `${read.file} is not a JWKS: {"keys": [...]}.`)
  return { ok: true, jwks: jwks as unknown as JSONWebKeySet }
}

function answer(
  terminal: Terminal,
  opened: OpenedPolicy,
  { record, claims, token }: Caller,
  { level, now }: { level: Level; now: number },
  options: Options,
): ExitCode {
  const refusedToken = token?.checks.some(({ passed }) => !passed) ?? false
  const made = principalFromClaims(record, claims)
  if (!made.ok) {
    const { reason, detail } = made
    if (options.json)
      terminal.printJson({
        valid: true,
        file: opened.file,
        issuer: record.id,
        token,
        refused: { reason, detail },
      })
    else terminal.print(`${terminal.paint('red', `Refused (${reason})`)}: ${detail}`)
    return EXIT.no
  }
  const { policy, file, locate } = opened
  const { permission, limit, after } = options
  const explanation = explain(policy, organizationAt(policy, level), made.principal, {
    level,
    now,
    page: { after, size: limit },
    ...(permission === undefined ? {} : { permission }),
  })
  if (options.json) {
    const origins = Object.fromEntries(mappingsOf(explanation).map((mapping) => [mapping, locate(mapping)]))
    const { issuer, subject } = made.principal
    terminal.printJson({ valid: true, file, principal: { issuer, subject }, token, ...explanation, origins })
  } else printExplanation(terminal, opened, made.principal, explanation, token)
  return refusedToken || explanation.wanted?.decision.allowed === false ? EXIT.no : EXIT.fine
}
