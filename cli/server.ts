// The server that a command talks to: its address, the credentials, requests and their answers. Credentials go
// to that address alone, and are never printed.
import { readFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { type Client, createClient, type Received, type Sent } from '../policy/client.ts'
import type { ProblemDocument } from '../policy/problem-document.ts'
import { trouble } from './input.ts'
import { EXIT, type ExitCode, type Terminal } from './terminal.ts'

/** An import of 100,000 mappings takes seconds; a server that says nothing for this long is not there. */
const TIMEOUT_SECONDS = 300

export interface ServerOptions {
  url?: string
}

export interface Server {
  ok: true
  origin: string
  client: Client
  /** For answers that come as lines; the caller reads the body. */
  open(sent: Sent): Promise<Response>
  /** What anybody may read: sent without credentials. */
  read(path: string): Promise<Received>
}

export function addServerOptions(command: Command): Command {
  return command.addOption(
    new Option('--url <origin>', 'the gateway, such as https://auth.example.com (or POSTERN_URL)').default(
      undefined,
    ),
  )
}

export const SERVER_HELP = `
The gateway is named by --url or POSTERN_URL. Credentials come from the environment: POSTERN_TOKEN (a token of a
trusted issuer), POSTERN_IDENTITY_TOKEN_FILE (a file with one), or POSTERN_API_KEY (a key of a service account).`

export function openServer(
  terminal: Terminal,
  options: ServerOptions,
): Server | { ok: false; code: ExitCode } {
  const origin = originOf(options.url ?? terminal.env.POSTERN_URL)
  if (!origin.ok) return trouble(terminal, origin.message)
  const credentials = credentialsOf(terminal.env)
  if (!credentials.ok) return trouble(terminal, credentials.message)
  const ask = async (sent: Pick<Sent, 'method' | 'path' | 'headers' | 'body'>) => {
    try {
      return await fetch(`${origin.origin}${sent.path}`, {
        method: sent.method,
        headers: sent.headers,
        body: sent.body,
        // Credentials are for the server that was named, not for another that it names.
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_SECONDS * 1000),
      })
    } catch (error) {
      throw unanswered(`${origin.origin} does not answer: ${whyOf(error)}`)
    }
  }
  const open = (sent: Sent) => {
    return ask({ ...sent, headers: { ...sent.headers, authorization: credentials.authorization } })
  }
  return {
    ok: true,
    origin: origin.origin,
    client: createClient(async (sent) => receivedOf(await open(sent))),
    open,
    read: async (path) => receivedOf(await ask({ method: 'GET', path, headers: {}, body: null })),
  }
}

async function receivedOf(response: Response): Promise<Received> {
  const text = await response.text().catch((error: unknown) => {
    throw unanswered(`the answer of ${response.url} breaks off: ${whyOf(error)}`)
  })
  return { status: response.status, text, header: (name) => response.headers.get(name) }
}

/** A request that got no answer: nobody there, a time-out, a redirect. */
export function unanswered(message: string): Error {
  return Object.assign(new Error(message), { name: UNANSWERED })
}
const UNANSWERED = 'Unanswered'

/** fetch wraps what happened, sometimes twice. */
export function whyOf(error: unknown): string {
  const { message, cause, name, code } = error as Error & { code?: string }
  if (name === 'TimeoutError') return `there was no answer within ${TIMEOUT_SECONDS} seconds`
  if (cause !== undefined) return whyOf(cause)
  return message || code || name
}

const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\]|.+\.localhost)$/

function originOf(url: string | undefined): { ok: true; origin: string } | { ok: false; message: string } {
  if (url === undefined || url === '') {
    return { ok: false, message: 'which gateway? Say --url https://auth.example.com, or set POSTERN_URL.' }
  }
  if (!URL.canParse(url)) return { ok: false, message: `${url} is no URL.` }
  const { protocol, hostname, origin, pathname, search, username } = new URL(url)
  if (protocol !== 'https:' && !(protocol === 'http:' && LOOPBACK.test(hostname))) {
    return { ok: false, message: `${origin} would get the credentials over an open line; use https.` }
  }
  if (pathname !== '/' || search !== '' || username !== '') {
    return { ok: false, message: `the URL must be scheme, host and port only: ${origin}` }
  }
  return { ok: true, origin }
}

/** The original names are honoured too, so that jobs which have them keep working. */
const TOKEN_FILES = ['POSTERN_IDENTITY_TOKEN_FILE', 'WANDB_IDENTITY_TOKEN_FILE']

function credentialsOf(
  env: NodeJS.ProcessEnv,
): { ok: true; authorization: string } | { ok: false; message: string } {
  const file = TOKEN_FILES.find((name) => env[name])
  const given = [
    ...(env.POSTERN_TOKEN ? ['POSTERN_TOKEN'] : []),
    ...(file ? [file] : []),
    ...(env.POSTERN_API_KEY ? ['POSTERN_API_KEY'] : []),
  ]
  if (given.length > 1) return { ok: false, message: `${given.join(' and ')} are both set; which is meant?` }
  if (given.length === 0) {
    const message =
      'there are no credentials: set POSTERN_TOKEN, POSTERN_IDENTITY_TOKEN_FILE or POSTERN_API_KEY.'
    return { ok: false, message }
  }
  let text = env.POSTERN_TOKEN || env.POSTERN_API_KEY || ''
  if (file) {
    try {
      text = readFileSync(env[file] as string, 'utf8')
    } catch (error) {
      return { ok: false, message: `${file}: ${(error as Error).message}.` }
    }
  }
  const credential = text.trim()
  // What is no token must not reach a header; nor may it be shown, since it may be a secret all the same.
  if (!/^[\x21-\x7e]+$/.test(credential)) {
    return { ok: false, message: `${given[0]} holds no token: it has spaces, lines, or nothing at all.` }
  }
  return { ok: true, authorization: `Bearer ${credential}` }
}

/** Runs what talks to a server; a server that cannot be reached is trouble. */
export async function talking(terminal: Terminal, run: () => Promise<ExitCode>): Promise<ExitCode> {
  try {
    return await run()
  } catch (error) {
    terminal.progress(null)
    if (!(error instanceof Error) || error.name !== UNANSWERED) throw error
    return trouble(terminal, `${error.message}.`).code
  }
}

const HINTS: Record<string, string> = {
  version_conflict: 'Somebody changed it meanwhile. Run the command again and look at what is different now.',
  credentials_missing: 'Set POSTERN_TOKEN, POSTERN_IDENTITY_TOKEN_FILE or POSTERN_API_KEY.',
  token_expired: 'Fetch a new token.',
  audience_mismatch: 'The token must be made for the audience of this instance.',
  route_not_found: 'Is --url the address of a gateway host, and of this version?',
  host_unknown: 'Is --url the address of a gateway host?',
  answer_not_understood: 'Is --url the address of a gateway, and is there a proxy in between?',
  permission_missing: 'Ask somebody who may, or have the role given that has this permission.',
}

/** What the server said, in words; what it said of members of the request comes a line each. */
export function explainProblem(
  terminal: Terminal,
  problem: ProblemDocument,
  { json }: { json?: boolean | undefined } = {},
): ExitCode {
  const { title, detail, status, reason, requestId, errors = [], toConfirm = [] } = problem
  if (json) terminal.printJson({ problem })
  terminal.note(`${terminal.paintNote('red', 'error:')} ${title} ${detail}`)
  for (const { path, message } of errors.length > 1 ? errors : []) {
    terminal.note(`  ${terminal.paintNote('bold', path)}: ${message}`)
  }
  if (toConfirm.length > 0) terminal.note(`Say --confirm ${toConfirm.join(',')} if that is meant.`)
  const hint = HINTS[reason]
  if (hint !== undefined) terminal.note(hint)
  terminal.note(terminal.paintNote('dim', `(${status} ${reason}, request ${requestId})`))
  // What was sent is wrong, which is an answer; everything else keeps the command from doing what it should.
  return status === 400 ? EXIT.no : EXIT.trouble
}
