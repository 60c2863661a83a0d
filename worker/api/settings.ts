// Handlers of the settings: every one with its value and the layer that sets it, and how far publishing is.
import { DEFAULT_SETTINGS, type Settings } from '../../policy/operations/instance.ts'
import type { OutputOf } from '../../policy/operations/table.ts'
import { changedMembers } from '../database/audit.ts'
import { contentOf, readNewest } from '../database/batch.ts'
import { SETTINGS, type SettingsContent } from '../database/documents.ts'
import type { Environment } from '../environment.ts'
import { recheckSecondsOf } from '../publisher/settings.ts'
import { setElsewhere } from './answers.ts'
import type { SomeHandlers } from './call.ts'
import { changeOf } from './people/given-preview.ts'
import { checkMatch, write } from './write.ts'

type Resource = OutputOf<'settings.get'>
type Name = keyof Settings

export const settingsHandlers = {
  'settings.get': async ({ environment }) => {
    const { version, content } = await readSettings(environment)
    return { ok: true, body: resourceOf(environment, content, version), version }
  },

  'settings.update': async (call) => {
    const { environment, body } = call
    const stored = await readSettings(environment)
    const mismatch = checkMatch(call, stored.version)
    if (mismatch) return mismatch
    const present = resourceOf(environment, stored.content, stored.version)
    for (const [name, value] of Object.entries(body)) {
      const locked = present.locked[name]
      if (locked && value !== undefined && value !== present.settings[name as Name])
        return setElsewhere(name, locked)
    }
    // What a variable sets is not kept as well: it would come into force unseen once the variable goes.
    const changed = Object.entries(body).filter(([name, value]) => {
      return value !== undefined && present.locked[name] === undefined
    })
    const after: SettingsContent = { ...stored.content, ...Object.fromEntries(changed) }
    const same = JSON.stringify(after) === JSON.stringify(stored.content)
    const version = same ? stored.version : stored.version + 1
    return write(call, {
      documents: same ? [] : [{ name: SETTINGS, version: stored.version, content: after }],
      derived: [],
      audit: [{ chain: '', target: { kind: 'settings', id: '' }, ...changedMembers(stored.content, after) }],
      version,
      judgement: { refused: [], toConfirm: [] },
      preview: async () => ({
        changes: same ? [] : [changeOf('setting', SETTINGS, SETTINGS, stored.content, after)],
        principals: { considered: 0, items: [], next: null },
        findings: [],
      }),
      body: () => resourceOf(environment, after, version),
    })
  },

  'publication.get': async ({ environment }) => {
    const { state, seq, pending, lastError } = await environment.PUBLISHER.getByName('instance').status()
    return { ok: true, body: { state, seq, pending, lastError } }
  },
} satisfies SomeHandlers

async function readSettings({ DB }: Environment): Promise<{ version: number; content: SettingsContent }> {
  const row = await readNewest(DB, SETTINGS)
  return { version: row?.version ?? 0, content: contentOf<SettingsContent>(row) ?? {} }
}

/** Settings that a variable of the Worker sets, and what it sets them to; null where it does not. */
const VARIABLES: Partial<
  Record<Name, { variable: keyof Environment; read: (environment: Environment) => number | null }>
> = {
  recheckSeconds: {
    variable: 'RECHECK_SECONDS',
    read: (environment) => {
      // A variable that is no such number counts as not set: then what is stored would come through.
      const [first, second] = [0, 1].map((stored) =>
        recheckSecondsOf(environment, { recheckSeconds: stored }),
      )
      return first === second ? (first as number) : null
    },
  },
}

function resourceOf(environment: Environment, stored: SettingsContent, version: number): Resource {
  // Single sign-on is kept beside these (single-sign-on.ts).
  const { singleSignOn: _singleSignOn, ...plain } = stored
  const settings: Record<string, unknown> = { ...DEFAULT_SETTINGS, ...plain }
  const origins: Resource['origins'] = {}
  const locked: Resource['locked'] = {}
  for (const name of Object.keys(DEFAULT_SETTINGS) as Name[]) {
    origins[name] = stored[name] === undefined ? 'default' : 'database'
    const set = VARIABLES[name]
    const value = set?.read(environment) ?? null
    if (set === undefined || value === null) continue
    settings[name] = value
    origins[name] = 'environment'
    locked[name] = { origin: 'environment', place: set.variable }
  }
  return { settings: settings as Settings, origins, locked, version }
}
