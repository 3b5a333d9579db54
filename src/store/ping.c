/* One round trip to each store, for /health. Owns nothing. */
#include "store/ping.h"

#include "io/pg.h"
#include "io/redis.h"

PG_STMT(ping, OP_READ, "SELECT 1");

void ping_database(struct task *t, task_fn *next)
{
	pg_query(t, &ping, &(struct pg_args){.n = 0}, NULL, NULL, next);
}

void ping_cache(struct task *t, task_fn *next)
{
	struct redis_args a = {.n = 0};

	redis_arg(&a, STR("PING"));
	redis_call(t, OP_READ, &a, NULL, NULL, next);
}
