// What the operations of the management API have in common: how one is declared, who made a change, pages,
// where something is set, and what a change would do. The table of all of them is table.ts's.
import { z } from 'zod'
import { RoleLevel, RoleName, Slug } from '../schema.ts'

export const API_PREFIX = '/api/v1'

/** Where an operation takes place; it decides at which level its permission is asked for. */
export type OperationLevel =
  /** The global level. */
  | 'instance'
  /** The organization in the path. */
  | 'organization'
  /** The project in the path. */
  | 'project'
  /** That of the document named in the query (history.ts). */
  | 'document'

export interface Operation<
  Params extends z.ZodObject = z.ZodObject,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodType,
  Output extends z.ZodType = z.ZodType,
> {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below API_PREFIX: `/organizations/{organization}`. */
  path: string
  tag: string
  /** One line; a sentence without a full stop. */
  summary: string
  description?: string
  level: OperationLevel
  /** What the caller must have at the level; null: whoever is known may, and sees what is theirs. */
  permission: string | null
  /** Further permissions it takes at the level. */
  besides?: readonly string[]
  /** Members of the body that take another permission besides. */
  alsoFor?: Record<string, string>
  params: Params
  query: Query
  /** null: the request has no body. */
  body: Body | null
  output: Output
  /** Of the answer when all went well. */
  status: 200 | 201 | 204
  /** How it writes; without, it only reads. */
  write?: WriteRules
}

export interface WriteRules {
  /** create: takes Idempotency-Key. update: needs If-Match, which may be "*"  only where it says so. act: neither. */
  kind: 'create' | 'update' | 'delete' | 'act'
  /** Takes `?dryRun=true`, which answers a Preview and changes nothing. */
  dryRun: boolean
}

/** Keeps the schemas' types, which the typed client is made of. */
export function operation<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Output extends z.ZodType,
>(declared: Operation<Params, Query, Body, Output>): Operation<Params, Query, Body, Output> {
  return declared
}

export const nothing = z.strictObject({})

/** Every write takes these. */
export const WriteQuery = z.strictObject({
  dryRun: z.stringbool().optional().describe('Answers what the change would do, and changes nothing.'),
  confirm: z
    .string()
    .max(200)
    .optional()
    .describe(
      'Says explicitly what else would be refused, comma-separated: "last-owner", "own-access", or for a deletion the slug or id of what goes.',
    ),
  cursor: z
    .string()
    .max(500)
    .optional()
    .describe('Of a dry run: the "next" of the page of principals before.'),
})

export const PAGE_LIMIT_MAX = 500
export const PageQuery = z.strictObject({
  cursor: z.string().max(500).optional().describe('The "next" of the page before.'),
  limit: z.coerce.number().int().min(1).max(PAGE_LIMIT_MAX).default(50),
})
export const SearchQuery = PageQuery.extend({
  search: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe('Words, or parts from their beginning; two characters of Chinese, Japanese or Korean suffice.'),
})

export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.strictObject({
    items: z.array(item),
    next: z.string().nullable().describe('The cursor of the next page; null on the last.'),
    total: z.int().nullable().describe('On all pages; null where counting would cost more than the page.'),
  })
}

/** Seconds since the epoch are for tokens; the API writes times out. */
export const Time = z.iso.datetime().meta({ id: 'Time' })

export const Origin = z
  .enum(['environment', 'policy', 'database', 'default'])
  .describe('Which layer sets it; the first of these that does, wins.')
  .meta({ id: 'Origin' })

/** Something that a higher layer sets, and that the API therefore does not change. */
export const Locked = z
  .strictObject({
    origin: Origin,
    place: z
      .string()
      .describe('Where it is set: "postern.policy.yaml:12:5 organizations.acme", or a variable.'),
  })
  .meta({ id: 'Locked' })
export type Locked = z.infer<typeof Locked>

export const Actor = z
  .strictObject({
    kind: z.enum(['user', 'service-account', 'system']),
    issuer: z
      .string()
      .describe('Id of the issuer record; "postern" for keys of ours and for the system itself.'),
    subject: z.string(),
    email: z.string().nullable(),
  })
  .meta({ id: 'Actor' })
export type Actor = z.infer<typeof Actor>

export const ManagedBy = z.enum(['file', 'api', 'console']).meta({ id: 'ManagedBy' })

const LevelOf = z.strictObject({
  kind: RoleLevel,
  organization: Slug.optional(),
  project: Slug.optional(),
})
export const PlaceLevel = LevelOf.meta({ id: 'Level' })

const Names = z.strictObject({ gained: z.array(z.string()), lost: z.array(z.string()) })

export const PrincipalChange = z
  .strictObject({
    issuer: z.string(),
    subject: z.string().nullable(),
    displayName: z.string().nullable(),
    email: z.string().nullable(),
    levels: z.array(z.strictObject({ level: PlaceLevel, roles: Names, permissions: Names })),
  })
  .meta({
    id: 'PrincipalChange',
    description: 'Which roles and permissions somebody gains and loses, level by level.',
  })

export const Finding = z
  .strictObject({
    code: z.string(),
    severity: z.enum(['error', 'warning', 'notice']),
    path: z.string(),
    message: z.string(),
  })
  .meta({ id: 'Finding' })

/** What an edit would do. */
export const Preview = z
  .strictObject({
    dryRun: z.literal(true),
    changes: z.array(
      z.strictObject({
        part: z.string(),
        change: z.enum(['added', 'removed', 'changed']),
        path: z.string(),
        name: z.string(),
        fields: z.array(z.string()),
        before: z.unknown(),
        after: z.unknown(),
      }),
    ),
    principals: z.strictObject({
      considered: z.int().describe('Known principals who carry a group that the edit touches.'),
      items: z.array(PrincipalChange).describe('Those for whom something changes, of this page.'),
      next: z.string().nullable(),
    }),
    findings: z.array(Finding),
    /** What `confirm` would have to say. */
    toConfirm: z.array(z.string()),
  })
  .meta({
    id: 'Preview',
    description: 'What an edit would change, who gains and loses what, and what is doubtful about it.',
  })
export type Preview = z.infer<typeof Preview>

export const Published = z
  .strictObject({
    state: z.enum(['published', 'pending']),
    lastError: z.string().nullable(),
  })
  .meta({
    id: 'Publication',
    description: 'Whether the edge has the edit. "pending": it is saved, and follows.',
  })

export const RoleNames = z.array(RoleName).max(100)
