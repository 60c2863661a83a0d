// Ops Manager's paths for organizations and groups, for scripts that were made for it ([4-25] to [4-30]): each
// request is one of our own operations, asked through the same steps, and answered in Ops Manager's shape.
import type { Context, Hono } from 'hono'
import { settingsOf } from '../../environment.ts'
import type { Served } from '../mount.ts'
import { getGroup, getGroupByName, getOrg, listAllGroups, listGroupsOf, listOrgs } from './read.ts'
import type { Asked, Done, Kind, Mounted } from './request.ts'
import { errorOf, respondError, respondShape } from './shapes.ts'
import { createGroup, createOrg, deleteGroup, deleteOrg, updateGroup, updateOrg } from './write.ts'

export const OPS_MANAGER_PREFIX = '/api/public/v1.0'

type Serve = (asked: Asked, id: string) => Promise<Done>

export function mountOpsManager(api: Hono<Served>, mounted: Mounted): void {
  const at = (path: string, kind: Kind, methods: Record<string, Serve>) => {
    for (const [method, serve] of Object.entries(methods)) {
      api.on(method, OPS_MANAGER_PREFIX + path, (context) => answer(context, kind, mounted, serve))
    }
    api.all(OPS_MANAGER_PREFIX + path, (context) => mounted.answerMethod(context, Object.keys(methods)))
  }
  at('/orgs', 'ORG', { GET: listOrgs, POST: createOrg })
  at('/orgs/:id', 'ORG', { GET: getOrg, PATCH: updateOrg, DELETE: deleteOrg })
  at('/orgs/:id/groups', 'ORG', { GET: listGroupsOf })
  at('/groups', 'GROUP', { GET: listAllGroups, POST: createGroup })
  at('/groups/byName/:id', 'GROUP', { GET: getGroupByName })
  at('/groups/:id', 'GROUP', { GET: getGroup, PATCH: updateGroup, DELETE: deleteGroup })
}

async function answer(
  context: Context<Served>,
  kind: Kind,
  mounted: Mounted,
  serve: Serve,
): Promise<Response> {
  const { environment, requestId } = context.env
  const form = { pretty: isSet(context, 'pretty'), envelope: isSet(context, 'envelope') }
  const { host } = new URL(context.req.url)
  const { gatewayOrigins, issuer } = settingsOf(environment)
  const origin = gatewayOrigins.find((one) => new URL(one).host === host) ?? issuer
  const base = `${origin}${OPS_MANAGER_PREFIX}`
  const asked = { context, environment, requestId, kind, form, base, mounted }
  const done = await serve(asked, context.req.param('id') ?? '')
  if (!done.ok) return respondError(errorOf(done, kind, requestId), form)
  return respondShape(done.status, done.body, form, { 'x-request-id': requestId, ...done.headers })
}

function isSet(context: Context<Served>, name: string): boolean {
  return context.req.query(name) === 'true'
}
