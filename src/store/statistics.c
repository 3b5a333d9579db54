/* Statistics: both stores asked side by side.
 *
 * To add a figure: its trigger in schema/, its name in counts_decode, struct statistics. */
#include "store/statistics.h"

#include "io/pg.h"
#include "io/redis.h"

PG_STMT(sql_statistics, OP_READ, "SELECT name, n FROM statistics()");

/* "bot 2": the number behind the prefix, 1 to 3; 0: another name. */
static int64_t numbered(struct str name, struct str prefix)
{
	int64_t n;

	return str_starts(name, prefix) && str_to_i64(str_from(name, prefix.n), &n) && n >= 1 &&
			       n <= 3
		       ? n
		       : 0;
}

static enum err counts_decode(struct task *t, const struct pg_rows *r, void *out)
{
	struct statistics *s = out;

	(void)t;
	for (int i = 0; i < pg_count(r); i++) {
		struct str name = pg_text(r, i, 0);
		int64_t n = pg_i64(r, i, 1), level = numbered(name, STR("subscription ")),
			type = numbered(name, STR("bot "));

		if (level)
			s->by_level[level] = n;
		else if (type)
			s->bots[type] = n;
		else if (str_eq(name, STR("users")))
			s->people = n;
		else if (str_eq(name, STR("chat private")))
			s->private_chats = n;
		else
			s->public_chats += n;
	}
	s->by_level[0] = s->people - s->by_level[1] - s->by_level[2] - s->by_level[3];
	return OK;
}

static enum err size_decode(struct task *t, const struct redis_value *v, void *out)
{
	(void)t;
	*(int64_t *)out = redis_i64(v);
	return OK;
}

static void set_size(struct task *t, const char *key, int64_t *out, task_fn *next)
{
	struct redis_args a = {0};

	redis_arg(&a, STR("ZCARD"));
	redis_arg(&a, str_of(key));
	redis_call(t, OP_READ, &a, size_decode, out, next);
}

void statistics_read(struct task *t, struct statistics *out, task_fn *next)
{
	struct pg_args none = {0};

	*out = (struct statistics){0};
	pg_query(t, &sql_statistics, &none, counts_decode, out, next);
	set_size(t, "portal:online", &out->online, next);
	set_size(t, "portal:match:chats", &out->direct_chats, next);
}
