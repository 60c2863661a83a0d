// How each kind of document is put back to an old content: by the plan that any edit of it is made with, so that it is
// checked against what stands around it today and judged like an edit.
import { NOTHING_TO_JUDGE } from '../../policy/granting.ts'
import type { OperationId } from '../../policy/operations/table.ts'
import { changedMembers, sha256 } from '../database/audit.ts'
import { contentOf, type VersionRow } from '../database/batch.ts'
import {
  type ContentOf,
  chainOf,
  type DocumentKind,
  type DocumentRef,
  type OrganizationContent,
  type ProjectContent,
} from '../database/documents.ts'
import { bundledPolicy, policyText, type StoredPolicy } from '../database/policy-source.ts'
import type { Refusal } from '../refusal.ts'
import { notFound, refuseInput, setElsewhere } from './answers.ts'
import type { Call } from './call.ts'
import { planInstance, readInstanceState } from './instance-edit.ts'
import { planIssuerRestore } from './issuers/issuers.ts'
import { planOrganization, readOrganizationState } from './organizations/organization-edit.ts'
import { planProject, readProjectState } from './organizations/project-edit.ts'
import { planUser } from './people/people.ts'
import { planAccount } from './people/service-accounts.ts'
import { lockOf, planPolicy, readPolicyDocument } from './policy.ts'
import type { Plan } from './write.ts'

/** All of a plan but its answer. */
export type Restoring = ({ ok: true } & Omit<Plan<OperationId>, 'body'> & { version: number }) | Refusal

type RefOf<Kind extends DocumentKind> = Extract<DocumentRef, { kind: Kind }>
/** `now` is the version in force. */
export type Restorer<Kind extends DocumentKind> = (
  call: Call,
  ref: RefOf<Kind>,
  content: ContentOf[Kind],
  now: VersionRow,
) => Promise<Restoring>

/** What a content does not have is taken away, where an update would leave it. */
const organizationMembers = ({ displayName = undefined, ...rest }: Partial<OrganizationContent>) => ({
  audience: null,
  onUnmatched: null,
  ...rest,
  displayName: displayName ?? null,
})

export const RESTORERS: { [Kind in DocumentKind]: Restorer<Kind> } = {
  instance: async (call, _ref, content) => {
    return planned(await planInstance(call, await readInstanceState(call.environment), content, noBody))
  },
  organization: async (call, { organization }, content) => {
    const state = await readOrganizationState(call.environment, organization)
    if (!state.organization) return notFound('organization', organization)
    return planned(await planOrganization(call, organization, state, organizationMembers(content), noBody))
  },
  project: async (call, { organization, project }, content: ProjectContent) => {
    const state = await readProjectState(call.environment, organization, project)
    if (!state.organization || !state.project) return notFound('project', project)
    const written = { ...content, displayName: content.displayName ?? null }
    return planned(await planProject(call, { organization, project }, state, written, noBody))
  },
  policy: async (call, _ref, content: StoredPolicy) => {
    const { environment } = call
    const locked = lockOf(environment)
    if (locked) return setElsewhere('The policy', locked)
    if (content.source === null && content.bundled !== (await sha256((await bundledPolicy()).text))) {
      const message =
        'came with another build of the Worker, and is too long to be kept here; deploy that one'
      return refuseInput([{ path: 'version', message }])
    }
    const { text } = await policyText(content)
    return planPolicy(call, text, await readPolicyDocument(environment))
  },
  issuer: async (call, { id }, content) => planIssuerRestore(call, id, content),
  'service-account': async (call, { id }, content, now) => {
    const before = contentOf<ContentOf['service-account']>(now)
    const present = before === null ? null : { version: now.version, content: before }
    const made = await planAccount(call, id, present, content, now.version)
    return made.ok ? { ok: true, ...made.plan } : made
  },
  settings: plain,
  'issuer-keys': plain,
  user: async (call, { id }, content, now) => {
    const { environment } = call
    const row = await environment.DB.prepare('SELECT created_at FROM users WHERE id = ?')
      .bind(id)
      .first<{ created_at: number }>()
    const before = contentOf<ContentOf['user']>(now)
    const made = await planUser(call, {
      id,
      before: before === null ? null : { version: now.version, content: before },
      after: content,
      createdAt: row?.created_at ?? call.now,
      version: now.version,
    })
    return made.ok ? { ok: true, ...made.plan } : made
  },
}

/** The answer of a restore is the version, which versions.ts makes. */
const noBody = () => undefined as never

function planned(plan: ({ ok: true } & Plan<OperationId>) | Refusal): Restoring {
  return plan.ok ? { ...plan, version: plan.version ?? 0 } : plan
}

/** Documents that nothing is derived from and that give nobody anything. */
async function plain(
  _call: Call,
  ref: DocumentRef & { id?: string },
  content: unknown,
  now: VersionRow,
): Promise<Restoring> {
  const name = ref.id === undefined ? ref.kind : `${ref.kind}/${ref.id}`
  const before = contentOf<unknown>(now)
  const isSame = JSON.stringify(before) === JSON.stringify(content)
  return {
    ok: true,
    documents: isSame ? [] : [{ name, version: now.version, content }],
    derived: [],
    audit: [
      {
        chain: chainOf(ref),
        target: { kind: ref.kind, id: ref.id ?? '' },
        ...changedMembers(before, content),
      },
    ],
    version: isSame ? now.version : now.version + 1,
    judgement: NOTHING_TO_JUDGE,
    preview: async () => ({
      changes: isSame
        ? []
        : [{ part: ref.kind, change: 'changed', path: name, name, fields: [], before, after: content }],
      principals: { considered: 0, items: [], next: null },
      findings: [],
    }),
  }
}
