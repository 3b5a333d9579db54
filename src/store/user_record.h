/* What is kept about a person besides the profile. PostgreSQL only; read only. */
#ifndef STORE_USER_RECORD_H
#define STORE_USER_RECORD_H

#include "io/task.h"

struct punishment {
	int64_t id;
	struct str action_type, reason;
	int64_t expires_at, lifted_at, created_at; /* us; 0: null */
};
struct punishment_list {
	struct punishment *rows; /* newest first */
	size_t count;
};
void punishments_of(struct task *t, int64_t user_id, struct punishment_list *out, task_fn *next);

struct subscription_change {
	int64_t id;
	int old_level, new_level;
	struct str reason;
	int64_t granted_by; /* 0: null */
	int64_t created_at; /* us */
};
struct subscription {
	int level;                                  /* as it counts now */
	int64_t expires_at, created_at, updated_at; /* us; 0: null */
	struct subscription_change *history;        /* newest first */
	size_t history_count;
};
void subscription_of(struct task *t, int64_t user_id, struct subscription *out,
	task_fn *next); /* USER_NOT_FOUND */

/* Everything stored about the person as one JSON document, from one snapshot; no hashes of tokens
 * and keys. USER_NOT_FOUND. */
void user_export(struct task *t, int64_t user_id, struct str *out, task_fn *next);

#endif
