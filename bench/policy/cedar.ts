// Cedar: a policy for each mapping, in a policy set for each organization, parsed beforehand. Roles are groups of
// actions; a question carries the entities it is about.
import { preparsePolicySet, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs'
import { permissionsWithImplied } from './floor.ts'
import { CATALOGUE, type Mapping } from './mappings.ts'
import { byOrganization, type LoadPeer } from './peer.ts'

export const loadCedar: LoadPeer = async (mappings) => {
  for (const [slug, part] of byOrganization(mappings)) {
    const texts = part.map((mapping, index) => [`mapping-${index}`, policyOf(mapping)])
    const answer = preparsePolicySet(slug, { staticPolicies: Object.fromEntries(texts) })
    if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors))
  }
  const rolesWith = rolesByPermission()
  return {
    ask({ groups, organization, project, permission }) {
      const principal = { type: 'User', id: 'somebody' }
      const action = { type: 'Action', id: permission }
      const resource = { type: 'Place', id: placeOf(organization, project) }
      const inside = project === null ? [] : [{ type: 'Place', id: organization }]
      const answer = statefulIsAuthorized({
        principal,
        action,
        resource,
        context: {},
        preparsedPolicySetId: organization,
        entities: [
          { uid: principal, attrs: {}, parents: groups.map((id) => ({ type: 'Group', id })) },
          { uid: action, attrs: {}, parents: rolesWith.get(permission) ?? [] },
          { uid: resource, attrs: {}, parents: inside },
        ],
      })
      if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors))
      return answer.response.decision === 'allow'
    },
  }
}

function policyOf({ group, role, organization, project }: Mapping): string {
  const place = organization === null ? '' : ` in Place::${JSON.stringify(placeOf(organization, project))}`
  return `permit(principal in Group::${JSON.stringify(group)}, action in Action::"${role}", resource${place});`
}

function placeOf(organization: string, project: string | null): string {
  return project === null ? organization : `${organization}/${project}`
}

function rolesByPermission(): Map<string, { type: string; id: string }[]> {
  const roles = new Map<string, { type: string; id: string }[]>()
  for (const role of Object.keys(CATALOGUE)) {
    for (const permission of permissionsWithImplied(role)) {
      roles.set(permission, [...(roles.get(permission) ?? []), { type: 'Action', id: role }])
    }
  }
  return roles
}
