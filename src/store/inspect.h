/* What operators and the health page want to know of the stores themselves. */
#ifndef STORE_INSPECT_H
#define STORE_INSPECT_H

#include "io/task.h"

struct pg_inspection {
	struct str version;
	int64_t now_us;                       /* its clock */
	int64_t max_connections, connections; /* allowed, open */
	bool fsync, synchronous_commit, is_primary;
};
void inspect_pg(struct task *t, struct pg_inspection *out, task_fn *next);

struct redis_inspection {
	struct str version, maxmemory_policy;
	int64_t now_us;
	int64_t maxmemory, used_memory; /* bytes; maxmemory 0: no limit */
	bool append_only, is_primary;
};
void inspect_redis(struct task *t, struct redis_inspection *out, task_fn *next);
void inspect_redis_clock(struct task *t, int64_t *now_us, task_fn *next);

#endif
