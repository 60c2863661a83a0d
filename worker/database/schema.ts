// The tables of D1: what is kept, under which keys, and what the indexes are for. Drizzle reads this file to
// generate migrations/ (npm run migrations) and to type the queries. STORAGE.md tells of each table.
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

/** Times are milliseconds since the epoch throughout. */
const time = (name: string) => integer(name)

/**
 * Every version of every document; the newest of a document is what is in force. An edit inserts here first:
 * whoever lost the race fails at (document, version), and with it the whole batch.
 */
export const versions = sqliteTable(
  'versions',
  {
    /** Rises with each edit of whatever document: the order in which the publisher takes them. */
    seq: integer('seq').primaryKey({ autoIncrement: true }),
    /** `policy`, `instance`, `organization/acme`, `project/acme/payments` ... (database/documents.ts). */
    document: text('document').notNull(),
    /** From 1, without gaps. */
    version: integer('version').notNull(),
    /** The whole content as JSON (the policy: its source); null when this version deleted the document. */
    content: text('content'),
    operation: text('operation').notNull(),
    /** Who: JSON of Actor (policy/operations/common.ts). */
    actor: text('actor').notNull(),
    requestId: text('request_id').notNull(),
    at: time('at').notNull(),
  },
  (table) => [uniqueIndex('versions_document').on(table.document, table.version)],
)

/** One row for each organization there ever was; a slug is never used again. */
export const organizations = sqliteTable(
  'organizations',
  {
    slug: text('slug').primaryKey(),
    /** 24 hexadecimal digits, as Ops Manager's ids are; made from the slug. */
    publicId: text('public_id').notNull().unique(),
    displayName: text('display_name').notNull(),
    /** The `aud` of tokens meant for it. */
    audience: text('audience').notNull(),
    /** Named by the policy's source. It may hold what the API wrote as well. */
    inPolicy: integer('in_policy', { mode: 'boolean' }).notNull(),
    /** Of its document; 0 while only the policy names it. */
    version: integer('version').notNull(),
    createdAt: time('created_at').notNull(),
    updatedAt: time('updated_at').notNull(),
    deletedAt: time('deleted_at'),
  },
  (table) => [
    index('organizations_display_name').on(table.displayName),
    index('organizations_audience').on(table.audience),
  ],
)

export const projects = sqliteTable(
  'projects',
  {
    organization: text('organization').notNull(),
    slug: text('slug').notNull(),
    publicId: text('public_id').notNull().unique(),
    displayName: text('display_name').notNull(),
    inPolicy: integer('in_policy', { mode: 'boolean' }).notNull(),
    version: integer('version').notNull(),
    createdAt: time('created_at').notNull(),
    updatedAt: time('updated_at').notNull(),
    deletedAt: time('deleted_at'),
  },
  (table) => [
    primaryKey({ columns: [table.organization, table.slug] }),
    index('projects_display_name').on(table.displayName),
  ],
)

/**
 * A row for each group of each mapping, derived from the documents in the same batch: which mappings name a
 * group, over all organizations, and how many there are. The mapping itself stands in its document.
 */
export const groupMappings = sqliteTable(
  'group_mappings',
  {
    /** `policy` for what the source says, else the document that holds the mapping. */
    document: text('document').notNull(),
    /** `idpGroupMappings[3]`, within the level it is written at; of the merged list, as explain names it. */
    mapping: text('mapping').notNull(),
    groupName: text('group_name').notNull(),
    /**
     * The name in folded case (policy/fold-case.ts), by which it is found; of a pattern the text before its first
     * "*" or capture.
     */
    groupKey: text('group_key').notNull(),
    kind: text('kind', { enum: ['name', 'pattern'] }).notNull(),
    roleName: text('role_name').notNull(),
    /** Where it is written; empty at the global level. */
    organization: text('organization').notNull(),
    project: text('project').notNull(),
  },
  (table) => [
    index('group_mappings_document').on(table.document),
    index('group_mappings_group').on(table.groupKey),
    index('group_mappings_place').on(table.organization, table.project),
    index('group_mappings_role').on(table.roleName),
  ],
)

export const issuers = sqliteTable('issuers', {
  /** The record id: `okta`, or `acme/okta` for one of organization acme. */
  id: text('id').primaryKey(),
  /** Empty: the instance. */
  organization: text('organization').notNull(),
  issuer: text('issuer').notNull(),
  inPolicy: integer('in_policy', { mode: 'boolean' }).notNull(),
  version: integer('version').notNull(),
  createdAt: time('created_at').notNull(),
  updatedAt: time('updated_at').notNull(),
  deletedAt: time('deleted_at'),
})

/** The `iss` values of issuer records, several for Entra's tenants. Unique per owner. */
export const issuerNames = sqliteTable(
  'issuer_names',
  {
    name: text('name').notNull(),
    organization: text('organization').notNull(),
    issuer: text('issuer').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.name, table.organization] }),
    index('issuer_names_issuer').on(table.issuer),
  ],
)

/** Client secrets of issuers, sealed (sealing.ts); apart from their documents, so that no version holds one. */
export const issuerSecrets = sqliteTable('issuer_secrets', {
  /** The record id. */
  issuer: text('issuer').primaryKey(),
  sealed: text('sealed').notNull(),
  updatedAt: time('updated_at').notNull(),
})

export const users = sqliteTable(
  'users',
  {
    id: text('id').primaryKey(),
    status: text('status', { enum: ['active', 'inactive'] }).notNull(),
    login: text('login'),
    displayName: text('display_name').notNull(),
    email: text('email'),
    /** In folded case. */
    emailKey: text('email_key'),
    loginKey: text('login_key'),
    version: integer('version').notNull(),
    createdAt: time('created_at').notNull(),
    updatedAt: time('updated_at').notNull(),
    deletedAt: time('deleted_at'),
  },
  (table) => [index('users_email').on(table.emailKey), index('users_login').on(table.loginKey)],
)

/** Issuer record and subject: whom a token means. One user may have several, each belongs to one user. */
export const identities = sqliteTable(
  'identities',
  {
    issuer: text('issuer').notNull(),
    subject: text('subject').notNull(),
    /** Of the user or service account: `user/ID`, `service-account/ID`. */
    holder: text('holder').notNull(),
    linkedAt: time('linked_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.issuer, table.subject] }),
    index('identities_holder').on(table.holder),
  ],
)

/** Roles given directly, to users and to service accounts. A member without any role has the row with ''. */
export const memberships = sqliteTable(
  'memberships',
  {
    holder: text('holder').notNull(),
    /** Empty at the global level. */
    organization: text('organization').notNull(),
    project: text('project').notNull(),
    roleName: text('role_name').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.holder, table.organization, table.project, table.roleName] }),
    index('memberships_place').on(table.organization, table.project),
  ],
)

export const serviceAccounts = sqliteTable(
  'service_accounts',
  {
    id: text('id').primaryKey(),
    organization: text('organization').notNull(),
    project: text('project').notNull(),
    name: text('name').notNull(),
    /** federated: an identity; key: a long-lived key of ours. */
    method: text('method', { enum: ['federated', 'key'] }).notNull(),
    status: text('status', { enum: ['active', 'inactive'] }).notNull(),
    version: integer('version').notNull(),
    lastUsedAt: time('last_used_at'),
    /** The subject that was seen last, for accounts whose tokens differ in it. */
    lastSubject: text('last_subject'),
    createdAt: time('created_at').notNull(),
    updatedAt: time('updated_at').notNull(),
    deletedAt: time('deleted_at'),
  },
  (table) => [
    uniqueIndex('service_accounts_place')
      .on(table.organization, table.project, table.name)
      .where(sql`deleted_at is null`),
  ],
)

/** Keys of service accounts: only a hash is kept. */
export const serviceAccountKeys = sqliteTable(
  'service_account_keys',
  {
    id: text('id').primaryKey(),
    serviceAccount: text('service_account').notNull(),
    /** SHA-256 of the secret, base64url. The secret has 256 random bits, so no salt is needed. */
    hash: text('hash').notNull(),
    createdAt: time('created_at').notNull(),
    expiresAt: time('expires_at'),
    lastUsedAt: time('last_used_at'),
    revokedAt: time('revoked_at'),
  },
  (table) => [index('service_account_keys_account').on(table.serviceAccount)],
)

/**
 * Append-only. `number` counts within the chain without gaps, `hash` is of this event's own members and
 * `previous` the hash of the event before it (database/audit.ts).
 */
export const auditEvents = sqliteTable(
  'audit_events',
  {
    seq: integer('seq').primaryKey({ autoIncrement: true }),
    /** An organization's slug, or empty for the instance's. */
    chain: text('chain').notNull(),
    number: integer('number').notNull(),
    at: time('at').notNull(),
    actor: text('actor').notNull(),
    /** `issuer subject` of the actor, for filtering. */
    actorKey: text('actor_key').notNull(),
    operation: text('operation').notNull(),
    targetKind: text('target_kind').notNull(),
    target: text('target').notNull(),
    /** JSON, secrets masked; null where there was or is nothing. */
    before: text('before'),
    after: text('after'),
    requestId: text('request_id').notNull(),
    hash: text('hash').notNull(),
    previous: text('previous').notNull(),
  },
  (table) => [
    uniqueIndex('audit_events_chain').on(table.chain, table.number),
    index('audit_events_actor').on(table.actorKey),
    index('audit_events_target').on(table.targetKind, table.target),
    index('audit_events_at').on(table.at),
  ],
)

/** Heads of the chains, signed by the publisher each hour. */
export const auditHeads = sqliteTable(
  'audit_heads',
  {
    chain: text('chain').notNull(),
    number: integer('number').notNull(),
    /** SHA-256 over all events of the chain up to this one. */
    cumulative: text('cumulative').notNull(),
    /** A compact JWS over chain, number, cumulative and time. */
    signature: text('signature').notNull(),
    at: time('at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.chain, table.number] })],
)

/** Answers of creates that carried an Idempotency-Key, kept a day. */
export const idempotencyKeys = sqliteTable(
  'idempotency_keys',
  {
    /** Hash of caller, operation and key. */
    key: text('key').primaryKey(),
    /** Of what was sent, so that the same key with another request is refused. */
    requestHash: text('request_hash').notNull(),
    status: integer('status').notNull(),
    headers: text('headers').notNull(),
    body: text('body').notNull(),
    at: time('at').notNull(),
  },
  (table) => [index('idempotency_keys_at').on(table.at)],
)

/** People whose tokens or sign-ins were seen, with their groups as last seen; 90 days, at most 100,000. */
export const knownPrincipals = sqliteTable(
  'known_principals',
  {
    /** base64url of SHA-256 over issuer record and subject (documents/published.ts). */
    id: text('id').primaryKey(),
    issuer: text('issuer').notNull(),
    subject: text('subject').notNull(),
    /** The voucher's organization; empty: the instance. */
    organization: text('organization').notNull(),
    userName: text('user_name'),
    email: text('email'),
    displayName: text('display_name'),
    /** JSON of Groups (policy/principal.ts). */
    groups: text('groups').notNull(),
    firstSeenAt: time('first_seen_at').notNull(),
    lastSeenAt: time('last_seen_at').notNull(),
  },
  (table) => [
    index('known_principals_last_seen').on(table.lastSeenAt),
    uniqueIndex('known_principals_identity').on(table.issuer, table.subject),
  ],
)

/** Who carries a group, of the known principals. */
export const knownGroups = sqliteTable(
  'known_groups',
  {
    groupKey: text('group_key').notNull(),
    groupName: text('group_name').notNull(),
    principal: text('principal').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.groupKey, table.groupName, table.principal] }),
    index('known_groups_principal').on(table.principal),
  ],
)

/**
 * What full-text search finds. The words themselves stand in the FTS5 table `search` under the same rowid,
 * which drizzle cannot declare (migrations/0001_search.sql); database/search.ts writes both.
 */
export const searchEntries = sqliteTable(
  'search_entries',
  {
    rowid: integer('rowid').primaryKey(),
    kind: text('kind', { enum: ['organization', 'project', 'user', 'service-account'] }).notNull(),
    /** The slug, `organization/project`, or the id. */
    id: text('id').notNull(),
    /** Empty for users. */
    organization: text('organization').notNull(),
  },
  (table) => [uniqueIndex('search_entries_id').on(table.kind, table.id)],
)
