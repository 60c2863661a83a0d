// `npm start`: the gateway on workerd, the demo identity provider and the demo upstream, on this machine
// only. It decides ports, the state folder and the order; each part has its own file, the Worker tools/.
//   npm start -- --reset
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { beginLifetime, bindChildren, type Lifetime } from './lifetime.ts'
import { DemoError, loopbackOrigin, type PortSetting, readPort, requireFreePorts } from './loopback.ts'
import { GATEWAY_PORT, IDP_PORT, UPSTREAM_PORT } from './names.ts'
import { PEOPLE } from './people.ts'
import { writeSecretFile } from './secret-file.ts'
import { startUpstream } from './upstream.ts'

const ROOT = join(import.meta.dirname, '..')
const READY_MS_MAX = 30_000
const READY_CHECK_MS = 50

const HELP = `npm start -- [--reset]

  --reset   forget everything first: keys, secret and stored state

PORT (${GATEWAY_PORT}), IDP_PORT (${IDP_PORT}) and UPSTREAM_PORT (${UPSTREAM_PORT}) choose the ports,
POSTERN_STATE (.postern) the folder for state. LOCAL_RESTORE=true shows how to sign in when no identity provider works.`

interface Ports {
  gateway: PortSetting
  idp: PortSetting
  upstream: PortSetting
}

async function main(lifetime: Lifetime): Promise<void> {
  const { reset, help } = readOptions()
  if (help) {
    console.log(HELP)
    return lifetime.end(0)
  }
  const ports: Ports = {
    gateway: readPort('PORT', GATEWAY_PORT, 'the gateway'),
    idp: readPort('IDP_PORT', IDP_PORT, 'the demo identity provider'),
    upstream: readPort('UPSTREAM_PORT', UPSTREAM_PORT, 'the demo upstream'),
  }
  await requireFreePorts(Object.values(ports))
  const folder = resolve(ROOT, process.env.POSTERN_STATE || '.postern')
  if (reset) deleteState(folder)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  await run(lifetime, ports, folder)
  printWelcome(ports, folder)
}

async function run(lifetime: Lifetime, ports: Ports, folder: string): Promise<void> {
  const gateway = loopbackOrigin('127.0.0.1', ports.gateway.port)
  // Loaded only now: they take a second, in which a taken port is already told and Ctrl-C already works.
  const { startIdp } = await import('./idp.ts')
  const { stop: stopBuilder } = await import('esbuild')
  const { buildWorker } = await import('../tools/build.ts')
  const { startLocalWorker } = await import('../tools/local.ts')

  const idp = await startIdp({
    port: ports.idp.port,
    keysFile: join(folder, 'idp.json'),
    redirectUris: [`${gateway}/oidc/callback`],
    postLogoutRedirectUris: [`${gateway}/logout`],
    backchannelLogoutUri: `${gateway}/oidc/backchannel-logout`,
  })
  lifetime.onEnd(idp.close)
  const upstream = await startUpstream({ port: ports.upstream.port })
  lifetime.onEnd(upstream.close)

  const file = join(folder, 'worker.js')
  lifetime.onEnd(stopBuilder)
  await buildWorker({
    policy: readPolicy(ports, { issuer: idp.issuer, upstream: upstream.origin }),
    outFile: file,
  })
  await stopBuilder()
  lifetime.onEnd(bindChildren('workerd'))
  const starting = startLocalWorker({
    file,
    ports: [ports.gateway.port],
    variables: {
      GATEWAY_ORIGINS: gateway,
      POSTERN_SECRET: keepSecret(join(folder, 'secret')),
      DANGEROUSLY_ALLOW_LOOPBACK: 'true',
      DEMO_CLIENT_SECRET: idp.clientSecret,
      ...(process.env.LOCAL_RESTORE ? { LOCAL_RESTORE: process.env.LOCAL_RESTORE } : {}),
    },
    persistTo: join(folder, 'state'),
    onUncaughtError: (error) => console.error(error.stack),
  })
  lifetime.takeSignals()
  lifetime.onEnd((await starting).close)
  await untilReady(gateway)
}

function readOptions() {
  try {
    const options = { reset: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const
    return parseArgs({ options }).values
  } catch (error) {
    throw new DemoError(`${(error as Error).message}\n\n${HELP}`)
  }
}

/** Only a folder this program filled is deleted, whatever POSTERN_STATE says. */
function deleteState(folder: string): void {
  if (!existsSync(folder)) return
  const content = readdirSync(folder)
  if (content.length > 0 && !content.includes('secret') && !content.includes('idp.json')) {
    throw new DemoError(`${folder} has no state of Postern in it, so --reset leaves it alone.`)
  }
  rmSync(folder, { recursive: true, force: true })
}

function keepSecret(file: string): string {
  if (!existsSync(file)) writeSecretFile(file, randomBytes(32).toString('base64url'))
  return readFileSync(file, 'utf8').trim()
}

/** The demo's policy names the default ports. */
function readPolicy({ gateway }: Ports, { issuer, upstream }: { issuer: string; upstream: string }) {
  const file = 'demo/policy.yaml'
  const text = readFileSync(join(ROOT, file), 'utf8')
    .replaceAll(`.localhost:${GATEWAY_PORT}`, `.localhost:${gateway.port}`)
    .replaceAll(`http://localhost:${IDP_PORT}`, issuer)
    .replaceAll(`http://127.0.0.1:${UPSTREAM_PORT}`, upstream)
  return { text, file }
}

async function untilReady(gateway: string): Promise<void> {
  const deadline = Date.now() + READY_MS_MAX
  while (Date.now() < deadline) {
    const response = await fetch(`${gateway}/healthz`).catch(() => null)
    await response?.body?.cancel()
    if (response?.ok) return
    if (response)
      throw new DemoError(`The gateway does not work: ${gateway}/healthz says ${response.status}.`)
    await new Promise((resume) => setTimeout(resume, READY_CHECK_MS))
  }
  throw new DemoError(`The gateway does not answer on ${gateway} within ${READY_MS_MAX / 1000} s.`)
}

function printWelcome(ports: Ports, folder: string): void {
  const { gateway, idp, upstream } = ports
  const app = loopbackOrigin('app.localhost', gateway.port)
  const token = `${idp.port === IDP_PORT ? '' : `IDP_PORT=${idp.port} `}npm run -s token --`
  const bearer = (name: string) => `-H "Authorization: Bearer $(${token} ${name})"`
  const path = `${app}/orgs/acme/projects/payments/hello`
  const people = PEOPLE.map(({ name, groups }) => `    ${name.padEnd(8)}${groups.join(', ') || 'no groups'}`)
  console.log(`Postern is running. Ctrl-C stops it.

  gateway          ${loopbackOrigin('127.0.0.1', gateway.port)}
  fronted host     ${app}
  demo IdP         ${loopbackOrigin('localhost', idp.port)}
  demo upstream    ${loopbackOrigin('127.0.0.1', upstream.port)}
  state            ${shortPath(folder)}

  Demo people and their groups (the password is the name):
${people.join('\n')}

${isRestoring() ? RESTORING : SIGNING_IN}

  ${path}
  ${loopbackOrigin('other.localhost', gateway.port)}/whoami
  ${loopbackOrigin('127.0.0.1', gateway.port)}/logout

Try, in another terminal:

  ${token} alice
  curl ${bearer('alice')} ${path}
  curl -X POST ${bearer('bob')} ${path}
`)
}

const SIGNING_IN =
  'In a browser, sign in as one of them, go to the other host without being asked again, and sign out of both:'
const RESTORING =
  'LOCAL_RESTORE is set: in a browser, sign in with the password that is printed here when you open the first of:'

function isRestoring(): boolean {
  return process.env.LOCAL_RESTORE === 'true'
}

function shortPath(folder: string): string {
  const path = relative(process.cwd(), folder)
  return path.startsWith('..') ? folder : path || '.'
}

// Nothing here may reach for the internet: no metrics, no look-up of where this machine is.
process.env.WRANGLER_SEND_METRICS ??= 'false'
process.env.CLOUDFLARE_CF_FETCH_ENABLED ??= 'false'
const lifetime = beginLifetime()
await main(lifetime).catch(lifetime.fail)
