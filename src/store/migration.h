/* The database schema's version: files under schema/, applied in order, each once, in a transaction
 * of its own. */
#ifndef STORE_MIGRATION_H
#define STORE_MIGRATION_H

#include "io/task.h"

struct migration_state {
	int64_t applied; /* how many of the binary's files the database has */
	int64_t unknown; /* rows of files that this binary does not know: the database is newer */
};
/* Makes the table of versions when it is missing, so only for portalctl. */
void migration_look(struct task *t, struct migration_state *out, task_fn *next);
/* Applies the next missing file; *name: which, NULL when none was missing. Fails with CONFLICT and
 * a sentence when an applied file has changed since or the file does not apply. */
void migration_apply(struct task *t, const char **name, task_fn *next);

/* For a restore: SQL that makes the schema of the files named in `had`, and SQL of those that this
 * binary has beyond them; both with their rows in schema_migrations. CONFLICT and a sentence when a
 * file of `had` is not this binary's. */
struct migrations_had {
	struct str *names, *hashes; /* hashes: in hex, as in schema_migrations */
	size_t count;
};
enum err migration_replay(struct arena *a, const struct migrations_had *had, struct str *then,
	struct str *since, struct str *why) MUST_CHECK;

/* For the server: has the database exactly this binary's schema? False too when it has none. */
void migration_current(struct task *t, bool *current, task_fn *next);

#endif
