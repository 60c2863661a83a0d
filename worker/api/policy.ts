// Handlers of the policy's source: reading it, checking and previewing another one, and publishing that. Its history
// is versions.list of the document "policy".
import { describePath } from '../../policy/problems.ts'
import { UnsoundError } from '../../policy/sound.ts'
import { sha256 } from '../database/audit.ts'
import { contentOf, readNewest } from '../database/batch.ts'
import { POLICY } from '../database/documents.ts'
import { policyRows } from '../database/policy-rows.ts'
import { bundledPolicy, policyText, type StoredPolicy } from '../database/policy-source.ts'
import type { Environment } from '../environment.ts'
import type { Refusal } from '../refusal.ts'
import { refuseInput, setElsewhere } from './answers.ts'
import type { Call, SomeHandlers } from './call.ts'
import { judgeChange } from './change.ts'
import { readInstance } from './effective.ts'
import { judgedChange, policyChange } from './policy-change.ts'
import { checkPolicyText } from './policy-check.ts'
import { type PreviewParts, previewChange } from './preview.ts'
import { checkMatch, type Plan, write } from './write.ts'

const seconds = ({ now }: Pick<Call, 'now'>) => Math.floor(now / 1000)

export const policyHandlers = {
  'policy.get': async ({ environment }) => {
    const stored = await readPolicyDocument(environment)
    return { ok: true, body: resourceOf(environment, stored), version: stored.version }
  },

  'policy.validate': async (call) => {
    const { problems, findings } = await checkPolicyText(call.environment, call.body.source, seconds(call))
    return {
      ok: true,
      body: {
        valid: problems.length === 0,
        problems: problems.map(({ line, column, path, message }) => ({
          line,
          column,
          path: describePath(path),
          message,
        })),
        findings: findings.map(({ code, severity, path, message, line, column }) => {
          return { code, severity, path: describePath(path), message, line, column }
        }),
      },
    }
  },

  'policy.preview': async (call) => {
    const planned = await planPolicy(call, call.body.source, await readPolicyDocument(call.environment))
    if (!planned.ok) return planned
    const toConfirm = planned.judgement.toConfirm.map(({ what }) => what)
    return { ok: true, body: { dryRun: true, ...(await planned.preview()), toConfirm } }
  },

  'policy.put': async (call) => {
    const { environment, body } = call
    const stored = await readPolicyDocument(environment)
    const locked = lockOf(environment)
    if (locked) return setElsewhere('The policy', locked)
    const mismatch = checkMatch(call, stored.version)
    if (mismatch) return mismatch
    const planned = await planPolicy(call, body.source, stored)
    if (!planned.ok) return planned
    const { version } = planned
    const changed = { version, at: call.now, text: body.source, bundled: stored.bundle === body.source }
    const shown = planned.documents.length === 0 ? stored : { ...stored, ...changed }
    return write(call, { ...planned, body: () => resourceOf(environment, shown) })
  },
} satisfies SomeHandlers

interface StoredDocument {
  version: number
  at: number
  text: string
  /** The source in the bundle. */
  bundle: string
}

export async function readPolicyDocument({ DB }: Environment): Promise<StoredDocument> {
  const { text: bundle } = await bundledPolicy()
  const row = await readNewest(DB, POLICY)
  const content = contentOf<StoredPolicy>(row)
  const { text } = content === null ? { text: bundle } : await policyText(content)
  return { version: row?.version ?? 0, at: row?.at ?? 0, text, bundle }
}

/** Set where the policy is changed by deploying. */
export function lockOf({ POLICY_MANAGED_IN }: Environment) {
  return POLICY_MANAGED_IN === 'git'
    ? {
        origin: 'environment' as const,
        place: 'POLICY_MANAGED_IN=git; change it in the repository and deploy',
      }
    : null
}

function resourceOf(environment: Environment, { version, at, text, bundle }: StoredDocument) {
  return {
    source: text,
    version,
    updatedAt: new Date(at).toISOString(),
    locked: lockOf(environment),
    bundled: text === bundle,
  }
}

type Planned = { ok: true; version: number; preview: () => Promise<PreviewParts> } & Omit<
  Plan<'policy.put'>,
  'body' | 'version'
>

/** The plan of making this text the policy, for whoever writes it and for a version that is restored. */
export async function planPolicy(
  call: Call,
  source: string,
  stored: StoredDocument,
): Promise<Planned | Refusal> {
  const { environment, now } = call
  const { problems, parsed, findings } = await checkPolicyText(environment, source, seconds(call))
  if (parsed === null || problems.length > 0) {
    return refuseInput(
      problems.map(({ line, column, path, message }) => {
        const at = describePath(path)
        return { path: 'source', message: `${line}:${column}: ${at === '' ? '' : `${at}: `}${message}` }
      }),
    )
  }
  const instance = await readInstance(environment)
  const change = await policyChange(environment, instance, parsed).catch((error: unknown) => {
    if (error instanceof UnsoundError) return error
    throw error
  })
  if (change instanceof UnsoundError) return refuseUnsound(change)
  const same = source === stored.text
  const version = same ? stored.version : stored.version + 1
  const { considered, left } = change
  const above = { mappings: instance.environmentMappings, issuer: instance.described }
  return {
    ok: true,
    documents: same ? [] : [{ name: POLICY, version: stored.version, content: { source } }],
    derived: same ? [] : await policyRows(environment.DB, parsed.policy, above, now),
    // The versions have the texts; the event says which they were.
    audit: [
      {
        chain: '',
        target: { kind: 'policy', id: '' },
        before: { version: stored.version, sha256: await sha256(stored.text) },
        after: { version, sha256: await sha256(source) },
      },
    ],
    version,
    judgement: await judgeChange(call, judgedChange(change), instance.settings),
    preview: async () => {
      const parts = await previewChange(call, change, { considered })
      const own = findings.map(({ code, severity, path, message }) => {
        return { code, severity, path: describePath(path), message }
      })
      const known = new Set(parts.findings.map(({ code, path }) => `${code} ${path}`))
      return {
        ...parts,
        findings: [
          ...(left === 0 ? [] : [notCompared(left)]),
          ...parts.findings,
          ...own.filter(({ code, path }) => !known.has(`${code} ${path}`)),
        ],
      }
    },
  }
}

/** The policy is sound by itself, and not together with what the database holds: together they are too many. */
function refuseUnsound({ faults }: UnsoundError): Refusal {
  return refuseInput(
    faults.map(({ path, message }) => ({
      path: 'source',
      message: `${describePath(path)} with what the database holds: ${message}`,
    })),
  )
}

function notCompared(left: number) {
  const message = `the change reaches every organization, and ${left} of them were not compared for this preview`
  return { code: 'preview_partial', severity: 'notice' as const, path: '', message }
}
