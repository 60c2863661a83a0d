CREATE TABLE `issuer_secrets` (
	`issuer` text PRIMARY KEY NOT NULL,
	`sealed` text NOT NULL,
	`updated_at` integer NOT NULL
);
