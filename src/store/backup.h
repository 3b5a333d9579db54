/* What a backup holds, and how it comes back. Parts, each a list of lines:
 *
 *   table      a table of the schema, rows as COPY writes them; all from one snapshot
 *   sequences  where the counters of ids stood
 *   messages   what the snapshot's chats had in their streams then, and when they are to be wiped
 *
 * A consistent cut: Redis' clock is read, then PostgreSQL's snapshot begins, then Redis is read up
 * to that clock. So each message's chat and sender are in the snapshot, and what a chat became
 * after it (private, cleared) is not betrayed.
 *
 * Not in it is what Redis may lose by design (contract 4.4): cached sessions, limits, codes,
 * presence, keys. After a restore epochs go on above every one that may have been handed out since
 * the backup was taken, so that none is used twice; ids of people, chats and the rest likewise. */
#ifndef STORE_BACKUP_H
#define STORE_BACKUP_H

#include "io/task.h"

/* ---- taking one ---- */
struct backup_sink {
	/* A part begins. name, columns: of a table; else "". */
	void (*part)(void *arg, struct str kind, struct str name, struct str columns);
	bool (*line)(void *arg, struct str line); /* without its end; false: it could not be kept */
	void *arg;                                /* must outlive the command */
};
struct backup_taken {
	int64_t chats, messages;
};
/* CONFLICT and a sentence when the schema changed meanwhile, INTERNAL when the sink failed or
 * PostgreSQL refused (pg_script_error). The task should have no deadline. */
void backup_take(
	struct task *t, const struct backup_sink *sink, struct backup_taken *out, task_fn *next);

/* ---- bringing one back ---- */
struct backup_part {
	struct str kind, name, columns;
	struct str lines; /* each with its '\n' */
};
struct backup_parts {
	struct backup_part *v;
	size_t count;
	int64_t taken_at;
};
/* What the stores hold now. */
struct restore_ground {
	bool served;  /* a portald (or another portalctl) is connected to PostgreSQL */
	bool leased;  /* a portald was at work on Redis in the last LEASE_MS (store/room.h) */
	bool foreign; /* tables that are not Portal's */
	bool tables;  /* Portal's, maybe empty */
	bool people, redis;
};
void restore_look(struct task *t, struct restore_ground *out, task_fn *next);

/* Makes schema and rows anew, as one transaction; `over`: what is there goes first. Unless
 * keep_sessions all sessions end. CONFLICT and a sentence when the backup's schema is not one of
 * this binary's or a row does not fit. */
struct restore_ask {
	const struct backup_parts *parts;
	bool over, keep_sessions;
};
void restore_tables(struct task *t, const struct restore_ask *ask, task_fn *next);
/* Behind it: all that Portal has in Redis goes, then the messages come. `progress` may be NULL. */
void restore_messages(struct task *t, const struct backup_parts *parts,
	void (*progress)(int64_t messages), int64_t *messages, task_fn *next);

#endif
