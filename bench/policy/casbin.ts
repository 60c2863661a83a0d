// casbin, role-based with domains: a mapping gives a group a role in a domain, a policy line gives a role a
// permission. A caller's groups are asked one by one, as Argo CD does it.
import { newEnforcer, newModelFromString } from 'casbin'
import { permissionsWithImplied } from './floor.ts'
import { CATALOGUE, type Question } from './mappings.ts'
import type { LoadPeer } from './peer.ts'

/** The permission is compared first: it is what tells most lines apart, and cheapest. */
const MODEL = `
[request_definition]
r = sub, org, dom, act
[policy_definition]
p = sub, act
[role_definition]
g = _, _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.act == p.act && (g(r.sub, p.sub, "*") || g(r.sub, p.sub, r.org) || g(r.sub, p.sub, r.dom))
`

function domainOf(organization: string | null, project: string | null): string {
  return organization === null ? '*' : project === null ? organization : `${organization}/${project}`
}

export const loadCasbin: LoadPeer = async (mappings) => {
  const enforcer = await newEnforcer(newModelFromString(MODEL))
  const roles = Object.keys(CATALOGUE)
  const lines = roles.flatMap((role) =>
    [...permissionsWithImplied(role)].map((permission) => [role, permission]),
  )
  await enforcer.addPolicies(lines)
  // It refuses the whole batch when a line is there twice.
  const links = new Map<string, string[]>()
  for (const { group, role, organization, project } of mappings) {
    const link = [group, role, domainOf(organization, project)]
    links.set(link.join('\n'), link)
  }
  await enforcer.addGroupingPolicies([...links.values()])
  const enforce = (subject: string, { organization, project, permission }: Question) => {
    return enforcer.enforceSync(subject, organization, domainOf(organization, project), permission)
  }
  return {
    ask: (question) => question.groups.some((group) => enforce(group, question)),
    async knowing(questions) {
      const manager = enforcer.getRoleManager()
      const names = new Map<readonly string[], string>()
      const linked = new Set<string>()
      for (const { groups, organization, project } of questions) {
        const name = names.get(groups) ?? `caller ${names.size}`
        names.set(groups, name)
        for (const domain of ['*', organization, domainOf(organization, project)]) {
          if (linked.has(`${name}\n${domain}`)) continue
          linked.add(`${name}\n${domain}`)
          for (const group of groups) await manager.addLink(name, group, domain)
        }
      }
      return (question) => enforce(names.get(question.groups)!, question)
    },
  }
}
