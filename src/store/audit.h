/* The audit log (schema/0003_audit.sql, 0007_administration.sql): what was done in the name of the
 * platform, by whom, to whom. Entries are written by audit_write() of schema/, in the transaction
 * of what they tell of; here they are read, proven, exported and pruned. PostgreSQL only.
 *
 * An entry's hash is SHA-256 of the hash before it (the first: nothing) and its text, a JSON array:
 * id, event_type, actor_id, target_id, chat_id, data, created_at. So a change or a gap shows. That
 * the end was cut off shows against the log's head, which the database keeps aside, and, whatever
 * was done to the database, against a mark that the operator has kept elsewhere. */
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include "base/secret.h"
#include "io/task.h"

#define AUDIT_HASH_LEN 32
/* An entry, named so that no other can stand for it. */
struct audit_mark {
	int64_t id; /* 0: before the first */
	uint8_t hash[AUDIT_HASH_LEN];
};

/* ---- reading ---- */
struct audit_filter {
	struct str event_type;       /* NULL p: all */
	int64_t actor_id, target_id; /* 0: all */
	int64_t from, to;            /* us; 0: open; `to` is excluded */
	int64_t offset, limit;
};
struct audit_entry {
	int64_t id, actor_id, target_id, chat_id; /* 0: null */
	struct str event_type, data;              /* data: JSON */
	struct str actor_name, target_name;       /* usernames as they are now; NULL p: none */
	int64_t created_at;                       /* us */
	struct str hash;                          /* hex */
};
struct audit_page {
	struct audit_entry *rows; /* newest first */
	size_t count;
	int64_t total;
};
void audit_list(
	struct task *t, const struct audit_filter *f, struct audit_page *out, task_fn *next);

/* ---- proving ---- */
enum audit_fault {
	AUDIT_WHOLE,
	AUDIT_ALTERED,
	AUDIT_MISSING
};
struct audit_report {
	enum audit_fault fault;
	int64_t fault_id;       /* the first entry that is altered or missing */
	int64_t looked;         /* entries */
	struct audit_mark last; /* the last that was found whole: the mark to keep elsewhere */
};
/* Looks at every entry, page by page: give the task no deadline. `kept` (may be NULL): a mark of an
 * earlier report or export. One that was pruned since proves nothing more. */
void audit_verify(
	struct task *t, const struct audit_mark *kept, struct audit_report *out, task_fn *next);

/* ---- exporting and pruning ---- */
struct audit_chunk {
	struct str lines;       /* JSON, one entry a line: {"id", "prev_hash", "hash", "text"} */
	size_t count;           /* 0: there are no more */
	struct audit_mark last; /* of this chunk; count 0: as it was */
};
/* The `limit` entries behind `after` that are older than `before` (us). A file of all chunks proves
 * itself, and its last mark is what audit_prune wants. */
void audit_export(struct task *t, int64_t after, int64_t before, int64_t limit,
	struct audit_chunk *out, task_fn *next);

/* Deletes all entries up to `last`, which were exported. First the log itself says so, in an entry
 * "audit.prune" that holds the mark; the rest of the chain follows from there. *gone: how many went
 * (also those that an interrupted pruning had left). CONFLICT when no entry bears that mark. In
 * pages: give the task no deadline. `actor` 0: the command line. */
void audit_prune(
	struct task *t, const struct audit_mark *last, int64_t actor, int64_t *gone, task_fn *next);

#endif
