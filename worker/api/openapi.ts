// Serves the OpenAPI document and the reference page, which anybody may read: they say what there is to ask
// for, and nothing of what is there.
import type { Context, Hono } from 'hono'
import { type OpenApiDocument, openApiDocument } from '../../policy/openapi.ts'
import { API_PREFIX } from '../../policy/operations/common.ts'
import { settingsOf } from '../environment.ts'
import { docsPage } from './docs-page.ts'
import { SCRIPT, STYLE } from './docs-style.ts'
import type { Served } from './mount.ts'

/** Changes with a deployment only. */
const MAX_AGE = 'public, max-age=300'

/** Made once for each of the gateway's origins. */
const documents = new Map<string, OpenApiDocument>()
const pages = new Map<string, Promise<{ page: string; policy: string }>>()

/** `answerMethod` answers whatever a path does not take; mount.ts has it, which mounts this. */
export function mountOpenApi(
  api: Hono<Served>,
  answerMethod: (context: Context<Served>, methods: readonly string[]) => Response,
): void {
  api.get(`${API_PREFIX}/openapi.json`, ({ req, env, json }) => {
    const headers = { 'cache-control': MAX_AGE, 'access-control-allow-origin': '*' }
    return json(documentOf(originOf(req.url, env.environment)), 200, headers)
  })
  api.get(`${API_PREFIX}/docs`, async ({ req, env, body }) => {
    const { page, policy } = await pageOf(originOf(req.url, env.environment))
    return body(page, 200, {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': MAX_AGE,
      'content-security-policy': policy,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    })
  })
  for (const path of ['openapi.json', 'docs']) {
    api.all(`${API_PREFIX}/${path}`, (context) => answerMethod(context, ['GET']))
  }
}

/** Of the gateway's origins the one that was asked; never one that a Host header makes up. */
function originOf(url: string, environment: Served['Bindings']['environment']): string {
  const { host } = new URL(url)
  const { gatewayOrigins, issuer } = settingsOf(environment)
  return gatewayOrigins.find((origin) => new URL(origin).host === host) ?? issuer
}

function documentOf(origin: string): OpenApiDocument {
  const known = documents.get(origin)
  if (known) return known
  const document = openApiDocument({ origin })
  documents.set(origin, document)
  return document
}

function pageOf(origin: string): Promise<{ page: string; policy: string }> {
  const known = pages.get(origin)
  if (known) return known
  const made = policyOf().then((policy) => ({ page: docsPage(documentOf(origin)), policy }))
  pages.set(origin, made)
  return made
}

/** The page has one style and one script; nothing else is loaded, sent or framed. */
async function policyOf(): Promise<string> {
  const [style, script] = await Promise.all([hashOf(STYLE), hashOf(SCRIPT)])
  return `default-src 'none'; style-src ${style}; script-src ${script}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`
}

async function hashOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return `'sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}'`
}
