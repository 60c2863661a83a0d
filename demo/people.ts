// The demo's people and what the demo identity provider says about each. Which roles their groups give is
// the policy's business (demo/policy.yaml), not known here.

export interface Person {
  /** User name, subject and password, all the same: this is a demo. */
  name: string
  givenName: string
  familyName: string
  email: string
  groups: readonly string[]
}

export const PEOPLE: readonly Person[] = [
  person('alice', 'Alice', 'Anders', 'acme', ['acme-admins']),
  person('bob', 'Bob', 'Brandt', 'acme', ['acme-payments-readers']),
  person('carol', 'Carol', 'Castillo', 'postern', ['postern-admins']),
  person('dave', 'Dave', 'Dubois', 'acme', []),
  person('erin', 'Erin', 'Eriksen', 'globex', ['globex-web-admins']),
]

export function findPerson(name: string): Person | undefined {
  return PEOPLE.find((person) => person.name === name)
}

export function checkPassword(name: string, password: string): Person | undefined {
  const person = findPerson(name)
  return person && person.name === password ? person : undefined
}

/** The claims of OpenID Connect Core 5.1, and `groups`, which is an empty list for who has none. */
export function claimsOf(person: Person) {
  return {
    name: `${person.givenName} ${person.familyName}`,
    given_name: person.givenName,
    family_name: person.familyName,
    preferred_username: person.name,
    email: person.email,
    email_verified: true,
    groups: [...person.groups],
  }
}

function person(
  name: string,
  givenName: string,
  familyName: string,
  domain: string,
  groups: readonly string[],
): Person {
  return { name, givenName, familyName, email: `${name}@${domain}.example`, groups }
}
