// Handlers of single sign-on ([2-9], [2-12] to [2-14]): each member with the layer that sets it. It is kept as a member
// of the settings; the edge reads it by sessions/settings.ts, which merges the same layers.
import { placeOf } from '../../policy/layers.ts'
import type { OutputOf } from '../../policy/operations/table.ts'
import type { SingleSignOn } from '../../policy/schema-sign-in.ts'
import { DEFAULT_SINGLE_SIGN_ON } from '../../policy/single-sign-on.ts'
import { changedMembers } from '../database/audit.ts'
import { contentOf, newestVersion, readAll, type VersionRow } from '../database/batch.ts'
import { SETTINGS, type SettingsContent } from '../database/documents.ts'
import type { Environment } from '../environment.ts'
import type { Refusal } from '../refusal.ts'
import { mergeSingleSignOn } from '../sessions/settings.ts'
import { setElsewhere } from './answers.ts'
import type { SomeHandlers } from './call.ts'
import { type SourceRow, sourceInForce, sourceStatement } from './effective.ts'
import { changeOf } from './people/given-preview.ts'
import { checkMatch, write } from './write.ts'

type Resource = OutputOf<'singleSignOn.get'>
type Name = keyof SingleSignOn
type Members = Partial<SingleSignOn>

/** What of the policy is above the database, and where it stands. */
interface Above {
  members: Members
  place(...path: (string | number)[]): string
}

export const singleSignOnHandlers = {
  'singleSignOn.get': async ({ environment }) => {
    const { version, content, above } = await read(environment)
    return { ok: true, body: resourceOf(above, content.singleSignOn ?? {}, version), version }
  },

  'singleSignOn.update': async (call) => {
    const { version: present, content, above } = await read(call.environment)
    const mismatch = checkMatch(call, present)
    if (mismatch) return mismatch
    const before = content.singleSignOn ?? {}
    const taken = take(call.body as Members, before, above)
    if (!taken.ok) return taken
    const after: SettingsContent = { ...content, singleSignOn: taken.members }
    const same = JSON.stringify(before) === JSON.stringify(taken.members)
    const version = same ? present : present + 1
    return write(call, {
      documents: same ? [] : [{ name: SETTINGS, version: present, content: after }],
      derived: [],
      audit: [
        {
          chain: '',
          target: { kind: 'settings', id: 'singleSignOn' },
          ...changedMembers(before, taken.members),
        },
      ],
      version,
      judgement: { refused: [], toConfirm: [] },
      preview: async () => ({
        changes: same ? [] : [changeOf('setting', SETTINGS, 'singleSignOn', before, taken.members)],
        principals: { considered: 0, items: [], next: null },
        findings: [],
      }),
      body: () => resourceOf(above, taken.members, version),
    })
  },
} satisfies SomeHandlers

async function read(environment: Environment) {
  const rows = await readAll<SourceRow & { settings: VersionRow }>(environment.DB, {
    ...sourceStatement(environment),
    settings: newestVersion(SETTINGS),
  })
  const { source } = await sourceInForce(environment, rows)
  const [row] = rows.settings
  const above: Above = {
    members: source.policy.singleSignOn as Members,
    place: (...path) => placeOf(source, ['singleSignOn', ...path]),
  }
  return { version: row?.version ?? 0, content: contentOf<SettingsContent>(row) ?? {}, above }
}

/** What the database keeps. What the policy sets may be said as it is; its addresses count whether said or not. */
function take(body: Members, before: Members, above: Above): { ok: true; members: Members } | Refusal {
  const members: Record<string, unknown> = { ...before }
  for (const [name, value] of Object.entries(body) as [Name, unknown][]) {
    if (value === undefined) continue
    const set = above.members[name]
    if (name === 'logoutRedirectUris') {
      const ofPolicy = above.members.logoutRedirectUris ?? []
      members[name] = [...new Set(value as string[])].filter((uri) => !ofPolicy.includes(uri))
    } else if (set === undefined) members[name] = value
    else if (set !== value) return setElsewhere(name, { place: above.place(name) })
  }
  const sorted = Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1))
  return { ok: true, members: Object.fromEntries(sorted) as Members }
}

function resourceOf(above: Above, stored: Members, version: number): Resource {
  const origins: Resource['origins'] = {}
  const locked: Resource['locked'] = {}
  for (const name of Object.keys(DEFAULT_SINGLE_SIGN_ON) as Name[]) {
    const [set, own] = [above.members[name], stored[name]]
    const isList = Array.isArray(own) && own.length > 0
    if (set !== undefined && !(name === 'logoutRedirectUris' && isList)) origins[name] = 'policy'
    else origins[name] = own === undefined ? 'default' : 'database'
    if (set === undefined) continue
    if (name !== 'logoutRedirectUris') locked[name] = { origin: 'policy', place: above.place(name) }
    else {
      ;(set as string[]).forEach((_uri, index) => {
        locked[`${name}[${index}]`] = { origin: 'policy', place: above.place(name, index) }
      })
    }
  }
  return { ...mergeSingleSignOn(above.members, stored), origins, locked, version }
}
