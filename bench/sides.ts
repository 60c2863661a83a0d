// The Workers that are compared: Postern as it is deployed, with a policy made for the bench, and the peers.

import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { buildWorker, ROOT } from '../tools/build.ts'
import type { BenchWorker } from './configuration.ts'
import { ALGORITHMS, AUDIENCE, GROUP, ISSUER, type TokenIssuer } from './tokens.ts'

export const GATEWAY_HOST = 'gateway.localhost'
export const FRONTED_HOST = 'app.localhost'

/** Requests go to many paths, as those of an API do. */
export function pathOf(index: number): string {
  return `/orgs/acme/projects/payments/invoices/${100_000 + (index % 1000)}`
}

/** Postern, built by the same program that builds what is deployed. */
export async function gatewayWorker(issuer: TokenIssuer, upstream: string): Promise<BenchWorker> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-bench-'))
  const outFile = join(folder, 'worker.js')
  try {
    await buildWorker({ policy: { text: policyText(issuer, upstream), file: 'bench policy' }, outFile })
    return {
      name: 'gateway',
      code: `${readFileSync(outFile, 'utf8')}\n${UNHEARD_OBJECT}`,
      variables: {
        GATEWAY_ORIGINS: `http://${GATEWAY_HOST}`,
        POSTERN_SECRET: randomBytes(32).toString('base64url'),
        DANGEROUSLY_ALLOW_LOOPBACK: 'true',
      },
      kv: ['KV'],
      objects: {
        ISSUERS: 'IssuerObject',
        SIGNING_KEYS: 'SigningKeysObject',
        PUBLISHER: 'PublisherObject',
        PRINCIPALS: 'UnheardObject',
      },
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * In place of what keeps who was seen: that writes to a database, which the bench has not, and is another machine's
 * work. The isolate's part, telling it, is measured.
 */
const UNHEARD_OBJECT = `
import { DurableObject as BenchObject } from 'cloudflare:workers'
export class UnheardObject extends BenchObject {
  async seen() {}
}
`

export type Peer = 'bare-hono' | 'pass-through' | 'jose-verify' | 'hono-jwk'

export async function peerWorker(peer: Peer, issuer: TokenIssuer, upstream: string): Promise<BenchWorker> {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: [`bench/peers/${peer}.ts`],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    minify: true,
    legalComments: 'none',
  })
  const variables = { UPSTREAM: upstream, ISSUER, AUDIENCE, JWKS: JSON.stringify(issuer.jwks) }
  return { name: peer, code: outputFiles[0]!.text, variables }
}

/** YAML takes JSON as it is. */
function policyText({ jwks }: TokenIssuer, upstream: string): string {
  return JSON.stringify({
    version: 1,
    audience: AUDIENCE,
    issuers: { staff: { issuer: ISSUER, algorithms: ALGORITHMS, jwks } },
    organizations: {
      acme: {
        projects: { payments: { idpGroupMappings: [{ roleName: 'GROUP_READ_ONLY', idpGroups: [GROUP] }] } },
      },
    },
    routes: {
      project: {
        hosts: [FRONTED_HOST],
        methods: ['GET', 'HEAD'],
        path: '/orgs/{org}/projects/{project}/*',
        upstream,
        permission: 'project.read',
      },
    },
  })
}
