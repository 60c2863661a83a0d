// Postern's side of the policy suite: the mappings as a policy document, compiled, and loaded from the text of
// its documents as a Worker loads them.
import { compilePolicy } from '../../policy/compile.ts'
import type { CompiledDocuments } from '../../policy/compiled.ts'
import { type Decision, decide } from '../../policy/decide.ts'
import { loadPolicy, type WholePolicy } from '../../policy/loaded.ts'
import { type Principal, principalFromClaims } from '../../policy/principal.ts'
import { PolicyDocument, type Project } from '../../policy/schema.ts'
import { CATALOGUE, type Mapping, PROJECTS_PER_ORGANIZATION, projectName, type Question } from './mappings.ts'

export const NOW = 1_800_000_000

/** As parsePolicy would have given it; from YAML a million mappings are more than a policy's source may hold. */
export function documentOf(mappings: readonly Mapping[]): PolicyDocument {
  const document = PolicyDocument.parse({ version: 1, issuers: { okta: { issuer: 'https://okta.example' } } })
  document.roles = CATALOGUE
  for (const { role, group, organization, project } of mappings) {
    const mapping = { roleName: role, idpGroups: [group] }
    if (organization === null) document.idpGroupMappings.push(mapping)
    else {
      document.organizations[organization] ??= emptyOrganization()
      const owner = document.organizations[organization]
      if (project === null) owner.idpGroupMappings.push(mapping)
      else owner.projects[project]!.idpGroupMappings.push(mapping)
    }
  }
  return document
}

function emptyOrganization(): PolicyDocument['organizations'][string] {
  const names = Array.from({ length: PROJECTS_PER_ORGANIZATION }, (_, index) => projectName(index))
  const projects = names.map((name): [string, Project] => [
    name,
    { idpGroupMappings: [], patternMappings: [] },
  ])
  return { issuers: {}, idpGroupMappings: [], patternMappings: [], projects: Object.fromEntries(projects) }
}

export interface Compiled {
  policy: string
  organizations: [slug: string, header: string][]
  buckets: [name: string, bucket: string][]
}

/** The documents as KV holds them. */
export function compileToText(document: PolicyDocument): Compiled {
  const { policy, organizations, buckets } = compilePolicy(document)
  return {
    policy: JSON.stringify(policy),
    organizations: organizations.map(([slug, header]) => [slug, JSON.stringify(header)]),
    buckets: buckets.map(([name, bucket]) => [name, JSON.stringify(bucket)]),
  }
}

export function bytesOf({ policy, organizations, buckets }: Compiled): number {
  return [...organizations, ...buckets].reduce((sum, [, text]) => sum + text.length, policy.length)
}

export function loadFromText({ policy, organizations, buckets }: Compiled): WholePolicy {
  const read = ([name, text]: [string, string]) => [name, JSON.parse(text)]
  return loadPolicy({
    policy: JSON.parse(policy),
    organizations: organizations.map(read),
    buckets: buckets.map(read),
  } as CompiledDocuments)
}

/** A question as decide is asked it. */
export interface Asked {
  principal: Principal
  organization: NonNullable<ReturnType<WholePolicy['organization']>>
  question: { permission: string; level: Question['level']; now: number }
}

export function askedOf(policy: WholePolicy, questions: readonly Question[]): Asked[] {
  const principals = new Map<readonly string[], Principal>()
  return questions.map(({ groups, organization, permission, level }) => {
    const principal = principals.get(groups) ?? principalOf(policy, groups)
    principals.set(groups, principal)
    return {
      principal,
      organization: policy.organization(organization)!,
      question: { permission, level, now: NOW },
    }
  })
}

function principalOf(policy: WholePolicy, groups: readonly string[]): Principal {
  const result = principalFromClaims(policy.issuers[0]!, { sub: 'somebody', groups })
  if (!result.ok) throw new Error(result.detail)
  return result.principal
}

export function answer(policy: WholePolicy, { organization, principal, question }: Asked): Decision {
  return decide(policy, organization, principal, question)
}
