CREATE TABLE `audit_events` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`chain` text NOT NULL,
	`number` integer NOT NULL,
	`at` integer NOT NULL,
	`actor` text NOT NULL,
	`actor_key` text NOT NULL,
	`operation` text NOT NULL,
	`target_kind` text NOT NULL,
	`target` text NOT NULL,
	`before` text,
	`after` text,
	`request_id` text NOT NULL,
	`hash` text NOT NULL,
	`previous` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `audit_events_chain` ON `audit_events` (`chain`,`number`);--> statement-breakpoint
CREATE INDEX `audit_events_actor` ON `audit_events` (`actor_key`);--> statement-breakpoint
CREATE INDEX `audit_events_target` ON `audit_events` (`target_kind`,`target`);--> statement-breakpoint
CREATE INDEX `audit_events_at` ON `audit_events` (`at`);--> statement-breakpoint
CREATE TABLE `audit_heads` (
	`chain` text NOT NULL,
	`number` integer NOT NULL,
	`cumulative` text NOT NULL,
	`signature` text NOT NULL,
	`at` integer NOT NULL,
	PRIMARY KEY(`chain`, `number`)
);
--> statement-breakpoint
CREATE TABLE `group_mappings` (
	`document` text NOT NULL,
	`mapping` text NOT NULL,
	`group_name` text NOT NULL,
	`group_key` text NOT NULL,
	`kind` text NOT NULL,
	`role_name` text NOT NULL,
	`organization` text NOT NULL,
	`project` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `group_mappings_document` ON `group_mappings` (`document`);--> statement-breakpoint
CREATE INDEX `group_mappings_group` ON `group_mappings` (`group_key`);--> statement-breakpoint
CREATE INDEX `group_mappings_place` ON `group_mappings` (`organization`,`project`);--> statement-breakpoint
CREATE INDEX `group_mappings_role` ON `group_mappings` (`role_name`);--> statement-breakpoint
CREATE TABLE `idempotency_keys` (
	`key` text PRIMARY KEY NOT NULL,
	`request_hash` text NOT NULL,
	`status` integer NOT NULL,
	`headers` text NOT NULL,
	`body` text NOT NULL,
	`at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `idempotency_keys_at` ON `idempotency_keys` (`at`);--> statement-breakpoint
CREATE TABLE `identities` (
	`issuer` text NOT NULL,
	`subject` text NOT NULL,
	`holder` text NOT NULL,
	`linked_at` integer NOT NULL,
	PRIMARY KEY(`issuer`, `subject`)
);
--> statement-breakpoint
CREATE INDEX `identities_holder` ON `identities` (`holder`);--> statement-breakpoint
CREATE TABLE `issuer_names` (
	`name` text NOT NULL,
	`organization` text NOT NULL,
	`issuer` text NOT NULL,
	PRIMARY KEY(`name`, `organization`)
);
--> statement-breakpoint
CREATE INDEX `issuer_names_issuer` ON `issuer_names` (`issuer`);--> statement-breakpoint
CREATE TABLE `issuers` (
	`id` text PRIMARY KEY NOT NULL,
	`organization` text NOT NULL,
	`issuer` text NOT NULL,
	`in_policy` integer NOT NULL,
	`version` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE TABLE `known_groups` (
	`group_key` text NOT NULL,
	`group_name` text NOT NULL,
	`principal` text NOT NULL,
	PRIMARY KEY(`group_key`, `group_name`, `principal`)
);
--> statement-breakpoint
CREATE INDEX `known_groups_principal` ON `known_groups` (`principal`);--> statement-breakpoint
CREATE TABLE `known_principals` (
	`id` text PRIMARY KEY NOT NULL,
	`issuer` text NOT NULL,
	`subject` text NOT NULL,
	`organization` text NOT NULL,
	`user_name` text,
	`email` text,
	`display_name` text,
	`groups` text NOT NULL,
	`first_seen_at` integer NOT NULL,
	`last_seen_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `known_principals_last_seen` ON `known_principals` (`last_seen_at`);--> statement-breakpoint
CREATE UNIQUE INDEX `known_principals_identity` ON `known_principals` (`issuer`,`subject`);--> statement-breakpoint
CREATE TABLE `memberships` (
	`holder` text NOT NULL,
	`organization` text NOT NULL,
	`project` text NOT NULL,
	`role_name` text NOT NULL,
	PRIMARY KEY(`holder`, `organization`, `project`, `role_name`)
);
--> statement-breakpoint
CREATE INDEX `memberships_place` ON `memberships` (`organization`,`project`);--> statement-breakpoint
CREATE TABLE `organizations` (
	`slug` text PRIMARY KEY NOT NULL,
	`public_id` text NOT NULL,
	`display_name` text NOT NULL,
	`audience` text NOT NULL,
	`in_policy` integer NOT NULL,
	`version` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `organizations_public_id_unique` ON `organizations` (`public_id`);--> statement-breakpoint
CREATE INDEX `organizations_display_name` ON `organizations` (`display_name`);--> statement-breakpoint
CREATE INDEX `organizations_audience` ON `organizations` (`audience`);--> statement-breakpoint
CREATE TABLE `projects` (
	`organization` text NOT NULL,
	`slug` text NOT NULL,
	`public_id` text NOT NULL,
	`display_name` text NOT NULL,
	`in_policy` integer NOT NULL,
	`version` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer,
	PRIMARY KEY(`organization`, `slug`)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `projects_public_id_unique` ON `projects` (`public_id`);--> statement-breakpoint
CREATE INDEX `projects_display_name` ON `projects` (`display_name`);--> statement-breakpoint
CREATE TABLE `search_entries` (
	`rowid` integer PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`id` text NOT NULL,
	`organization` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `search_entries_id` ON `search_entries` (`kind`,`id`);--> statement-breakpoint
CREATE TABLE `service_account_keys` (
	`id` text PRIMARY KEY NOT NULL,
	`service_account` text NOT NULL,
	`hash` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer,
	`last_used_at` integer,
	`revoked_at` integer
);
--> statement-breakpoint
CREATE INDEX `service_account_keys_account` ON `service_account_keys` (`service_account`);--> statement-breakpoint
CREATE TABLE `service_accounts` (
	`id` text PRIMARY KEY NOT NULL,
	`organization` text NOT NULL,
	`project` text NOT NULL,
	`name` text NOT NULL,
	`method` text NOT NULL,
	`status` text NOT NULL,
	`version` integer NOT NULL,
	`last_used_at` integer,
	`last_subject` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `service_accounts_place` ON `service_accounts` (`organization`,`project`,`name`) WHERE deleted_at is null;--> statement-breakpoint
CREATE TABLE `users` (
	`id` text PRIMARY KEY NOT NULL,
	`status` text NOT NULL,
	`login` text,
	`display_name` text NOT NULL,
	`email` text,
	`email_key` text,
	`login_key` text,
	`version` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE INDEX `users_email` ON `users` (`email_key`);--> statement-breakpoint
CREATE INDEX `users_login` ON `users` (`login_key`);--> statement-breakpoint
CREATE TABLE `versions` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`document` text NOT NULL,
	`version` integer NOT NULL,
	`content` text,
	`operation` text NOT NULL,
	`actor` text NOT NULL,
	`request_id` text NOT NULL,
	`at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `versions_document` ON `versions` (`document`,`version`);