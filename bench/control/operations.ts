// What is asked of both sides: the same requests, which Postern answers as the management API does and the bare
// Worker with nothing but the statements. Every answer is looked at; a wrong one ends the bench.
import { API_PREFIX } from '../../policy/operations/common.ts'
import { GATEWAY_HOST } from '../sides.ts'
import type { Answered, Connection } from './connection.ts'
import { type BenchMapping, PROJECTS_PER_ORGANIZATION, projectSlugOf, type Size, slugOf } from './contents.ts'

export const READS = ['list', 'find', 'organization', 'project'] as const
export type Read = (typeof READS)[number]
export type Part = Read | 'save' | 'burst'

export const PART_NAMES: Record<Part, string> = {
  list: 'list a page of organizations',
  find: 'find an organization by name',
  organization: 'get an organization with its mappings',
  project: 'get a project with its mappings',
  save: 'save one mapping of a project',
  burst: 'save one mapping, several times one right after another',
}

/** As many as the smaller database has organizations, so that pages of both are equal. */
const PAGE_LIMIT = 10
/** Organizations that are worked on in turn, spread over all. */
const WORKED_ON = 10

/** One side: Postern or a bare Worker, with a database of a size. */
export interface Side {
  connection: Connection
  token: string
  size: Size
  /** Where the next request goes. */
  turn: number
  /** What was last read or saved, by place. */
  saved: Map<string, Saved>
}

interface Saved {
  etag: string
  mappings: BenchMapping[]
}

export function sideOf(connection: Connection, token: string, size: Size): Side {
  return { connection, token, size, turn: 0, saved: new Map() }
}

/** @returns milliseconds. */
export async function perform(side: Side, part: Part): Promise<number> {
  const turn = side.turn++
  const organization = slugOf((turn % WORKED_ON) * (side.size.organizations / WORKED_ON))
  const project = projectSlugOf(Math.floor(turn / WORKED_ON) % PROJECTS_PER_ORGANIZATION)
  switch (part) {
    case 'list': {
      const answered = await ask(side, `/organizations?limit=${PAGE_LIMIT}`)
      return expectItems(answered, PAGE_LIMIT)
    }
    case 'find': {
      const answered = await ask(side, `/organizations?limit=${PAGE_LIMIT}&search=${organization}`)
      return expectItems(answered, 1)
    }
    case 'organization':
      return expect(await ask(side, `/organizations/${organization}`), `"${organization}:team-0"`)
    case 'project': {
      const answered = await ask(side, `/organizations/${organization}/projects/${project}`)
      return expect(answered, `"${organization}:team-`)
    }
    case 'save':
    case 'burst':
      return save(side, organization, project)
  }
}

/** The last mapping's group changes, and nothing else. */
async function save(side: Side, organization: string, project: string): Promise<number> {
  const path = `/organizations/${organization}/projects/${project}`
  const before = side.saved.get(path) ?? (await readSaved(side, path))
  const last = before.mappings.at(-1)!
  const [group] = last.idpGroups as [string]
  const changed = group.endsWith(':again') ? group.slice(0, -':again'.length) : `${group}:again`
  const mappings = [...before.mappings.slice(0, -1), { ...last, idpGroups: [changed] }]
  const headers = { 'If-Match': `"${before.etag}"` }
  const answered = await ask(side, path, { method: 'PATCH', headers, body: { idpGroupMappings: mappings } })
  const { etag } = answered
  if (etag !== String(Number(before.etag) + 1)) {
    throw new Error(`A save of version ${before.etag} was answered with ETag ${etag}:\n${answered.body}`)
  }
  side.saved.set(path, { etag, mappings })
  return expect(answered, `"${changed}"`)
}

async function readSaved(side: Side, path: string): Promise<Saved> {
  const { etag, body } = await ask(side, path)
  if (etag === null) throw new Error(`${path} was answered without an ETag.`)
  return { etag, mappings: (JSON.parse(body) as { idpGroupMappings: BenchMapping[] }).idpGroupMappings }
}

/** Reads everything that was saved once more. @returns how many saves there were. */
export async function checkSaved(side: Side): Promise<number> {
  let saves = 0
  for (const [path, { etag, mappings }] of side.saved) {
    const read = await readSaved(side, path)
    if (read.etag !== etag || JSON.stringify(read.mappings) !== JSON.stringify(mappings)) {
      throw new Error(`${path} was saved as version ${etag}, and is now ${JSON.stringify(read)}.`)
    }
    saves += Number(etag) - 1
  }
  return saves
}

/** An operation of the management API. Throws unless all went well. */
export async function ask(
  { connection, token }: Pick<Side, 'connection' | 'token'>,
  path: string,
  {
    method = 'GET',
    headers = {},
    body,
  }: {
    method?: 'GET' | 'PATCH' | 'POST' | 'PUT' | 'DELETE'
    headers?: Record<string, string>
    body?: unknown
  } = {},
): Promise<Answered> {
  const answered = await connection.ask({
    method,
    host: GATEWAY_HOST,
    path: `${API_PREFIX}${path}`,
    headers: { Authorization: `Bearer ${token}`, 'User-Agent': 'postern-bench', ...headers },
    body,
  })
  if (answered.status !== 200 && answered.status !== 201) {
    throw new Error(
      `${method} ${path} was answered with ${answered.status}:\n${answered.body.slice(0, 2000)}`,
    )
  }
  return answered
}

function expect({ body, milliseconds }: Answered, text: string): number {
  if (!body.includes(text)) throw new Error(`Expected ${text} in:\n${body.slice(0, 2000)}`)
  return milliseconds
}

function expectItems({ body, milliseconds }: Answered, count: number): number {
  const { items } = JSON.parse(body) as { items: unknown[] }
  if (items.length !== count) throw new Error(`Expected ${count} items in:\n${body.slice(0, 2000)}`)
  return milliseconds
}
