/* Questions about the stores themselves (inspect.h). */
#include "store/inspect.h"

#include "io/pg.h"
#include "io/redis.h"

PG_STMT(inspect_pg_state, OP_READ,
	"SELECT current_setting('server_version'), clock_timestamp(),"
	" current_setting('max_connections')::bigint, (SELECT count(*) FROM pg_stat_activity),"
	" current_setting('fsync')::bool, current_setting('synchronous_commit') <> 'off',"
	" NOT pg_is_in_recovery()");

static enum err pg_decode_state(struct task *t, const struct pg_rows *r, void *out)
{
	*(struct pg_inspection *)out = (struct pg_inspection){
		.version = pg_text_copy(t, r, 0, 0),
		.now_us = pg_time(r, 0, 1),
		.max_connections = pg_i64(r, 0, 2),
		.connections = pg_i64(r, 0, 3),
		.fsync = pg_bool(r, 0, 4),
		.synchronous_commit = pg_bool(r, 0, 5),
		.is_primary = pg_bool(r, 0, 6),
	};
	return OK;
}

void inspect_pg(struct task *t, struct pg_inspection *out, task_fn *next)
{
	struct pg_args none = {0};

	pg_query(t, &inspect_pg_state, &none, pg_decode_state, out, next);
}

/* The value of "name:value\r\n" in the text of INFO. */
static struct str info_value(struct str info, struct str name)
{
	while (info.p) {
		struct str line = str_cut(&info, '\n');
		struct str key = str_cut(&line, ':');

		if (str_eq(key, name))
			return str_ends(line, STR("\r")) ? str_make(line.p, line.n - 1) : line;
	}
	return STR("");
}

static int64_t info_i64(struct str info, struct str name)
{
	int64_t v = 0;

	return str_to_i64(info_value(info, name), &v) ? v : 0;
}

static enum err info_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct redis_inspection *i = out;
	struct str info = redis_str(v);

	i->version = arena_str(task_arena(t), info_value(info, STR("redis_version")));
	i->maxmemory_policy = arena_str(task_arena(t), info_value(info, STR("maxmemory_policy")));
	i->maxmemory = info_i64(info, STR("maxmemory"));
	i->used_memory = info_i64(info, STR("used_memory"));
	i->append_only = str_eq(info_value(info, STR("aof_enabled")), STR("1"));
	i->is_primary = str_eq(info_value(info, STR("role")), STR("master"));
	return OK;
}

static enum err time_decode(struct task *t, const struct redis_value *v, void *out)
{
	(void)t;
	*(int64_t *)out = redis_i64(redis_at(v, 0)) * 1000000 + redis_i64(redis_at(v, 1));
	return OK;
}

void inspect_redis_clock(struct task *t, int64_t *now_us, task_fn *next)
{
	struct redis_args time = {0};

	redis_arg(&time, STR("TIME"));
	redis_call(t, OP_READ, &time, time_decode, now_us, next);
}

void inspect_redis(struct task *t, struct redis_inspection *out, task_fn *next)
{
	struct redis_args info = {0};

	redis_arg(&info, STR("INFO"));
	redis_call(t, OP_READ, &info, info_decode, out, next);
	inspect_redis_clock(t, &out->now_us, next);
}
