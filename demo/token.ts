// `npm run token -- alice`: prints a token of the running demo identity provider, and nothing else, so that
// it fits into a command. What is in the token is decided there (demo/idp.ts).
import { parseArgs } from 'node:util'
import { DemoError, loopbackOrigin, readPort } from './loopback.ts'
import {
  IDP_PORT,
  SIGNING_ALGORITHMS,
  TOKEN_AUDIENCE,
  TOKEN_CLIENT,
  TOKEN_GRANT,
  TOKEN_SECONDS,
  TOKEN_SECONDS_MAX,
} from './names.ts'
import { findPerson, PEOPLE } from './people.ts'

const ANSWER_MS_MAX = 10_000
const NAMES = PEOPLE.map(({ name }) => name).join(', ')
const [DEFAULT_ALGORITHM] = SIGNING_ALGORITHMS

const HELP = `npm run -s token -- PERSON [options]

  PERSON             ${NAMES}
  --audience TEXT    who the token is for (${TOKEN_AUDIENCE})
  --groups A,B       these groups instead of the person's own; "" for none
  --expires SECONDS  how long it is valid, at most ${TOKEN_SECONDS_MAX} (${TOKEN_SECONDS})
  --alg ALG          ${SIGNING_ALGORITHMS.join(' or ')} (${DEFAULT_ALGORITHM})

IDP_PORT (${IDP_PORT}) says where the demo identity provider listens.`

async function main(): Promise<string> {
  const { values, positionals } = readOptions()
  if (values.help) return HELP
  const [name, ...others] = positionals
  if (!name) throw new DemoError(`Whose token? One of: ${NAMES}.\n\n${HELP}`)
  if (others.length > 0) throw new DemoError(`One person at a time, not also: ${others.join(' ')}`)
  if (!findPerson(name)) throw new DemoError(`There is no ${name} in the demo. Its people: ${NAMES}.`)
  const {
    audience = TOKEN_AUDIENCE,
    groups,
    expires = String(TOKEN_SECONDS),
    alg = DEFAULT_ALGORITHM,
  } = values
  if (audience === '') throw new DemoError('--audience takes a text that is not empty.')
  if (!/^\d{1,5}$/.test(expires) || Number(expires) < 1 || Number(expires) > TOKEN_SECONDS_MAX) {
    throw new DemoError(`--expires takes a number of seconds from 1 to ${TOKEN_SECONDS_MAX}, not ${expires}.`)
  }
  if (!SIGNING_ALGORITHMS.some((known) => known === alg)) {
    throw new DemoError(`--alg takes ${SIGNING_ALGORITHMS.join(' or ')}, not ${alg}.`)
  }
  const parameters = new URLSearchParams({ username: name, password: name, audience, expires, alg })
  // Form parameters without a value count as absent, but a comma is a list of nothing.
  if (groups !== undefined) parameters.set('groups', groups || ',')
  return requestToken(parameters)
}

function readOptions() {
  const text = { type: 'string' } as const
  const options = { audience: text, groups: text, expires: text, alg: text } as const
  try {
    const help = { type: 'boolean', short: 'h' } as const
    return parseArgs({ options: { ...options, help }, allowPositionals: true })
  } catch (error) {
    throw new DemoError(`${(error as Error).message}\n\n${HELP}`)
  }
}

async function requestToken(parameters: URLSearchParams): Promise<string> {
  const { port } = readPort('IDP_PORT', IDP_PORT, 'the demo identity provider')
  const issuer = loopbackOrigin('localhost', port)
  parameters.set('grant_type', TOKEN_GRANT)
  parameters.set('client_id', TOKEN_CLIENT)
  const signal = AbortSignal.timeout(ANSWER_MS_MAX)
  const response = await fetch(`${issuer}/token`, { method: 'POST', body: parameters, signal }).catch(() => {
    throw new DemoError(`The demo identity provider does not answer on ${issuer}; start it with npm start.`)
  })
  const answer: unknown = await response.json().catch(() => null)
  const { access_token: token, error_description: problem } = (answer ?? {}) as Record<string, unknown>
  if (response.ok && typeof token === 'string') return token
  const why = typeof problem === 'string' ? `refused: ${problem}.` : `answered ${response.status}.`
  const doubt = typeof problem === 'string' ? '' : ' Is it the demo identity provider of npm start?'
  throw new DemoError(`${issuer} ${why}${doubt}`)
}

await main().then(
  (output) => console.log(output),
  (error: Error) => {
    console.error(error instanceof DemoError ? error.message : error.stack)
    process.exitCode = 1
  },
)
