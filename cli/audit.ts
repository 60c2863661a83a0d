// `postern audit verify`: whether the audit is what it was, by its hashes and the heads the instance has signed.
import { createReadStream } from 'node:fs'
import type { Command } from 'commander'
import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from 'jose'
import { z } from 'zod'
import { AUDIT_HEAD_TYPE } from '../policy/audit-event.ts'
import { LINES_MEDIA_TYPE, requestOf } from '../policy/client.ts'
import { AuditEvent, AuditHead } from '../policy/operations/history.ts'
import { type Checked, checkChain, type Finding, type Head } from './audit-chain.ts'
import { readInput, trouble } from './input.ts'
import { linesIn, linesOf } from './lines.ts'
import {
  addServerOptions,
  explainProblem,
  openServer,
  SERVER_HELP,
  type Server,
  type ServerOptions,
  talking,
} from './server.ts'
import { count, EXIT, type ExitCode, type Terminal } from './terminal.ts'

interface Options extends ServerOptions {
  organization?: string
  file?: string
  heads?: string
  jwks?: string
  json?: true
}

export function addAudit(program: Command, terminal: Terminal): void {
  const audit = program
    .command('audit')
    .summary('check the audit')
    .description('Checks that the audit is what it was. Each command has its own --help.')
    .addHelpText(
      'after',
      `
Examples:
  $ postern audit verify
  $ postern audit verify --organization acme`,
    )
  const command = audit
    .command('verify')
    .summary('find rows of the audit that were altered, removed or cut off')
    .description(
      'Recomputes the hash of every event and the chain they make, and holds it against the heads that the\n' +
        'instance has signed. Says which events are altered, removed or cut off.',
    )
  addServerOptions(command)
    .option('--organization <slug>', "this organization's chain (default: the instance's)")
    .option('--file <file>', 'events saved as NDJSON, oldest first, instead of asking the server')
    .option('--heads <file>', 'with --file: the answer of audit/heads, saved')
    .option('--jwks <file>', "with --file: the instance's keys (/.well-known/jwks.json), saved")
    .option('--json', 'print one JSON value')
    .addHelpText(
      'after',
      `${SERVER_HELP}
With --file nothing is fetched. Without --heads a tail that was cut off is not seen, and without --jwks nobody
vouches for the heads.
Exit codes: 0 all is as it was, 1 something is not, 2 it could not be read.

Examples:
  $ postern audit verify --organization acme
  $ postern audit verify --file audit.ndjson --heads heads.json --jwks jwks.json`,
    )
    .action(async (options: Options) => {
      process.exitCode = await talking(terminal, () => verify(terminal, options))
    })
}

type Source =
  | { ok: true; events: AsyncIterable<string>; heads: unknown; jwks: unknown }
  | { ok: false; code: ExitCode }

const Heads = z.object({ items: z.array(AuditHead) })
type WrittenHead = z.infer<typeof AuditHead>
const Keys = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) })

async function verify(terminal: Terminal, options: Options): Promise<ExitCode> {
  const { file, heads, jwks, organization } = options
  if (file === undefined && (heads ?? jwks) !== undefined) {
    return trouble(terminal, '--heads and --jwks need --file.').code
  }
  const source = await (file === undefined
    ? fromServer(terminal, options)
    : fromFiles(terminal, file, options))
  if (!source.ok) return source.code
  const headList = Heads.safeParse(source.heads ?? { items: [] })
  if (!headList.success) return trouble(terminal, `the heads are none: ${headList.error.message}`).code
  const keys = source.jwks === null ? null : Keys.safeParse(source.jwks)
  if (keys && !keys.success) return trouble(terminal, 'the keys are no JWKS.').code
  const named = file === undefined || organization !== undefined ? (organization ?? '') : null
  const judged = await judgeHeads(headList.data.items, keys?.data ?? null, named)
  const read: { error: string | null } = { error: null }
  const checked = await checkChain(parsed(source.events, terminal, read), judged.heads)
  terminal.progress(null)
  if (read.error !== null) return trouble(terminal, read.error).code
  const wrongChain = checked.chain !== null && named !== null && checked.chain !== named
  if (wrongChain) return trouble(terminal, `these are events of chain "${checked.chain}".`).code
  return say(terminal, checked, judged, options, {
    headsGiven: source.heads !== null,
    keysGiven: keys !== null,
  })
}

async function fromServer(terminal: Terminal, { organization, ...options }: Options): Promise<Source> {
  const server = openServer(terminal, options)
  if (!server.ok) return server
  // Events after the heads were read are more than they vouch for, which is fine; the other way they would be missing.
  const heads = await headsOf(server, organization)
  if (!heads.ok) return { ok: false, code: explainProblem(terminal, heads.problem, options) }
  const jwks = await server.read('/.well-known/jwks.json')
  if (jwks.status !== 200)
    return trouble(terminal, `${server.origin} has no keys: it answers ${jwks.status}.`)
  const response = await server.open(
    organization === undefined
      ? requestOf('audit.list', { accept: LINES_MEDIA_TYPE })
      : requestOf('organizationAudit.list', { params: { organization }, accept: LINES_MEDIA_TYPE }),
  )
  if (!response.ok) return trouble(terminal, `${server.origin} answers ${response.status} to the audit.`)
  return { ok: true, events: linesOf(response), heads: heads.body, jwks: JSON.parse(jwks.text) }
}

function headsOf({ client }: Server, organization: string | undefined) {
  return organization === undefined
    ? client.call('audit.heads')
    : client.call('organizationAudit.heads', { params: { organization } })
}

async function fromFiles(terminal: Terminal, file: string, options: Options): Promise<Source> {
  const json: unknown[] = []
  for (const path of [options.heads, options.jwks]) {
    if (path === undefined) {
      json.push(null)
      continue
    }
    const read = await readInput(terminal, path)
    if (!read.ok) return read
    try {
      json.push(JSON.parse(read.text))
    } catch (error) {
      return trouble(terminal, `${path} is not JSON: ${(error as Error).message}.`)
    }
  }
  const input: AsyncIterable<Uint8Array> = file === '-' ? terminal.stdin : createReadStream(file)
  return { ok: true, events: linesIn(input), heads: json[0], jwks: json[1] }
}

/** A line that is no event ends the reading: nothing is known of the rest. */
async function* parsed(
  lines: AsyncIterable<string>,
  terminal: Terminal,
  read: { error: string | null },
): AsyncGenerator<AuditEvent> {
  let number = 0
  try {
    for await (const line of lines) {
      number += 1
      if (line.trim() === '') continue
      if (number % 1000 === 0) terminal.progress(`${number} events`)
      const event = AuditEvent.safeParse(JSON.parse(line))
      if (!event.success) {
        read.error = `line ${number} is no audit event: ${event.error.issues[0]?.path.join('.')}.`
        return
      }
      yield event.data
    }
  } catch (error) {
    if ((error as Error).name === 'Unanswered') throw error
    read.error = `line ${number + (error instanceof SyntaxError ? 0 : 1)}: ${(error as Error).message}.`
  }
}

interface Judged {
  heads: Head[]
  signed: number
  findings: Finding[]
}

const Payload = z.object({ chain: z.string(), number: z.int(), cumulative: z.string() })

/** A head counts as what its signature covers; what stands beside it must be the same. */
async function judgeHeads(
  heads: readonly WrittenHead[],
  jwks: z.infer<typeof Keys> | null,
  chain: string | null,
): Promise<Judged> {
  const judged: Judged = { heads: [], signed: 0, findings: [] }
  const fault = (number: number, message: string) => {
    judged.findings.push({ kind: 'signature', number, message: `the head at ${number} ${message}` })
  }
  for (const head of heads) {
    const { number, cumulative, signature } = head
    if (chain !== null && head.chain !== chain) fault(number, `is of chain "${head.chain}"`)
    else if (signature === null || jwks === null) judged.heads.push({ number, cumulative, isSigned: false })
    else {
      const payload = await payloadOf(signature, jwks)
      if (payload === null) fault(number, 'has a signature that none of the keys verifies')
      else if (
        payload.chain !== head.chain ||
        payload.number !== number ||
        payload.cumulative !== cumulative
      ) {
        fault(number, 'says something else than what was signed')
      } else {
        judged.heads.push({ number, cumulative, isSigned: true })
        judged.signed += 1
      }
    }
  }
  return judged
}

/** ES256 and the type of audit heads alone, so that nothing else we sign passes for one. */
async function payloadOf(
  signature: string,
  jwks: z.infer<typeof Keys>,
): Promise<z.infer<typeof Payload> | null> {
  try {
    const keys = createLocalJWKSet(jwks as unknown as JSONWebKeySet)
    const { payload, protectedHeader } = await compactVerify(signature, keys, { algorithms: ['ES256'] })
    if (protectedHeader.typ !== AUDIT_HEAD_TYPE) return null
    const parsed = Payload.safeParse(JSON.parse(new TextDecoder().decode(payload)))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}

function say(
  terminal: Terminal,
  { chain, events, cumulative, findings: found }: Checked,
  { signed, findings: ofHeads }: Judged,
  { json }: Options,
  { headsGiven, keysGiven }: { headsGiven: boolean; keysGiven: boolean },
): ExitCode {
  const findings = [...ofHeads, ...found]
  const whole = findings.length === 0
  if (json) {
    terminal.printJson({ whole, chain, events, cumulative, signedHeads: signed, findings })
    return whole ? EXIT.fine : EXIT.no
  }
  for (const { kind, message } of findings) terminal.print(`${terminal.paint('red', kind)}: ${message}.`)
  const name = chain === null ? 'The audit' : chain === '' ? "The instance's audit" : `The audit of ${chain}`
  const what = `${count(events, 'event')}, ${count(signed, 'signed head')}`
  if (whole) terminal.print(`${name} is ${terminal.paint('green', 'whole')}: ${what}.`)
  else terminal.print(`${name} is ${terminal.paint('red', 'not what it was')}: ${what}.`)
  if (!headsGiven) terminal.note('Without heads a tail that was cut off is not seen.')
  else if (!keysGiven) terminal.note('Without keys nobody vouches for the heads.')
  else if (signed === 0) terminal.note('No head is signed yet; the first is signed within the hour.')
  return whole ? EXIT.fine : EXIT.no
}
