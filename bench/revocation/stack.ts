// What the revocation suite runs: Postern as it is deployed, on several isolates that share local KV, D1 and Durable Objects,
// with identity providers whose keys the suite has.
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeKey, mintToken } from '../../test/support/tokens.ts'
import { buildWorker, ROOT } from '../../tools/build.ts'
import { startLocalWorker } from '../../tools/local.ts'
import type { NewSession } from '../../worker/sessions/session.ts'
import { FRONTED_HOST, GATEWAY_HOST } from '../sides.ts'
import { AUDIENCE } from '../tokens.ts'
import { onWorkersCore } from '../workerd.ts'

export const ISOLATES = 3
export const CLIENT = 'postern'
const OWNERS = 'owners'
export const READERS = 'readers'
const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout'

/** Issuer records, each with its `iss`. The last is acme's own. */
export const ISSUERS = {
  staff: 'https://staff.example.com',
  partners: 'https://partners.example.com',
  'acme/own': 'https://acme.example.com',
} as const
export type IssuerId = keyof typeof ISSUERS

const keys = Object.fromEntries(Object.keys(ISSUERS).map((id) => [id, makeKey('ES256')]))

export interface Stack {
  ports: number[]
  secret: string
  /** Of somebody who may do anything. */
  adminToken: string
  begin(principal: string, session: NewSession): Promise<void>
  close(): Promise<void>
}

export async function startStack(upstream: string): Promise<Stack> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-bench-'))
  const secret = randomBytes(32).toString('base64url')
  const file = join(folder, 'worker.js')
  await buildWorker({ policy: { text: policyText(upstream), file: 'bench policy' }, outFile: file })
  // The files that the console will have; the Worker's configuration names their folder.
  mkdirSync(join(ROOT, 'dist/assets'), { recursive: true })
  const local = await onWorkersCore(() => {
    return startLocalWorker({
      file,
      ports: Array.from({ length: ISOLATES }, () => 0),
      variables: {
        GATEWAY_ORIGINS: `http://${GATEWAY_HOST}`,
        POSTERN_SECRET: secret,
        DANGEROUSLY_ALLOW_LOOPBACK: 'true',
      },
      persistTo: join(folder, 'state'),
      // That sessions have ended is logged; what goes wrong shows in the answers.
      onLog: () => {},
    })
  })
  const objects = await local.miniflare.getDurableObjectNamespace('SESSIONS', 'postern')
  return {
    ports: local.origins.map((origin) => Number(new URL(origin).port)),
    secret,
    adminToken: mintToken(ISSUERS.staff, keys.staff!, { sub: 'admin', groups: [OWNERS] }),
    begin: async (principal, session) => {
      const object = objects.getByName(principal) as unknown as { start(session: NewSession): Promise<void> }
      await object.start(session)
    },
    close: async () => {
      await local.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Of somebody who may read. */
export function readerToken(): string {
  return mintToken(ISSUERS.staff, keys.staff!, { sub: 'reader', groups: [READERS] })
}

/** What the issuer sends to say that a session, or all of a person, has ended at its own. */
export function logoutToken(issuer: IssuerId, names: { sid: string } | { sub: string }): string {
  const claims = { aud: CLIENT, sub: undefined, jti: randomBytes(16).toString('hex'), ...names }
  const events = { [LOGOUT_EVENT]: {} }
  return mintToken(ISSUERS[issuer], keys[issuer]!, { ...claims, events }, { typ: 'logout+jwt' })
}

function policyText(upstream: string): string {
  const issuer = (id: IssuerId) => ({
    issuer: ISSUERS[id],
    jwks: { keys: [keys[id]!.jwk] },
    signIn: {
      clientId: CLIENT,
      clientAuthentication: 'none',
      endpoints: { authorization: `${ISSUERS[id]}/authorize`, token: `${ISSUERS[id]}/token` },
    },
  })
  const projects = {
    payments: { idpGroupMappings: [{ roleName: 'GROUP_READ_ONLY', idpGroups: [READERS] }] },
  }
  return JSON.stringify({
    version: 1,
    audience: AUDIENCE,
    issuers: { staff: issuer('staff'), partners: issuer('partners') },
    idpGroupMappings: [{ roleName: 'GLOBAL_OWNER', idpGroups: [OWNERS] }],
    organizations: { acme: { issuers: { own: issuer('acme/own') }, projects }, globex: { projects } },
    routes: {
      project: {
        hosts: [FRONTED_HOST],
        methods: ['GET'],
        path: '/orgs/{org}/projects/{project}/*',
        upstream,
        permission: 'project.read',
      },
    },
  })
}
