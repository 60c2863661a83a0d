// CASL: a rule for each mapping, with conditions on the place and on the caller's groups, in an ability for each
// organization. Its own documentation makes an ability for each caller instead; that is the other use.
import { type AnyMongoAbility, createMongoAbility, subject } from '@casl/ability'
import { permissionsWithImplied } from './floor.ts'
import { CATALOGUE, type Mapping, type Question } from './mappings.ts'
import { byOrganization, type LoadPeer } from './peer.ts'

export const loadCasl: LoadPeer = async (mappings) => {
  const permissions = new Map(Object.keys(CATALOGUE).map((role) => [role, [...permissionsWithImplied(role)]]))
  const rule = ({ role, group, organization, project }: Mapping) => {
    const place = organization === null ? {} : project === null ? { organization } : { organization, project }
    return { action: permissions.get(role)!, subject: 'Place', conditions: { ...place, groups: group } }
  }
  const parts = byOrganization(mappings)
  const abilities = new Map([...parts].map(([slug, part]) => [slug, createMongoAbility(part.map(rule))]))
  const can = (ability: AnyMongoAbility, { organization, project, permission, groups }: Question) => {
    return ability.can(permission, subject('Place', { organization, project, groups }))
  }
  return {
    ask: (question) => can(abilities.get(question.organization)!, question),
    async knowing(questions) {
      const made = new Map<readonly string[], AnyMongoAbility>()
      for (const { groups, organization } of questions) {
        if (made.has(groups)) continue
        const own = new Set(groups)
        const rules = parts.get(organization)!.filter(({ group }) => own.has(group))
        made.set(groups, createMongoAbility(rules.map(rule)))
      }
      return (question) => can(made.get(question.groups)!, question)
    },
  }
}
