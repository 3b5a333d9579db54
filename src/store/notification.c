/* Notifications: how many are unread.
 *
 * To add another read of them: a statement and a decoder here, the handler in api/notifications.c.
 */
#include "store/notification.h"

#include "io/pg.h"
#include "io/redis.h"

PG_STMT(sql_unread_count, OP_READ,
	"SELECT (SELECT count(*) FROM notifications n WHERE n.user_id = $1::bigint AND n.read_at "
	"IS NULL)"
	" + (SELECT count(*) FROM notifications n WHERE n.user_id IS NULL AND n.read_at IS NULL"
	"  AND n.created_at >= (SELECT u.created_at FROM users u WHERE u.id = $1::bigint))");

static enum err decode_unread(struct task *t, const struct pg_rows *r, void *out)
{
	(void)t;
	*(int64_t *)out = pg_i64(r, 0, 0);
	return OK;
}

void unread_count(struct task *t, int64_t user_id, int64_t *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, user_id);
	pg_query(t, &sql_unread_count, &a, decode_unread, out, next);
}

void unread_cache(struct task *t, int64_t user_id, int64_t unread, task_fn *next)
{
	struct redis_args a = {0};

	redis_arg(&a, STR("SET"));
	redis_key(t, &a, "portal:unread:%lld", (long long)user_id);
	redis_arg_i64(t, &a, unread);
	redis_arg(&a, STR("EX"));
	redis_arg_i64(t, &a, UNREAD_CACHE_SECONDS);
	redis_call(t, OP_READ, &a, NULL, NULL, next);
}

void unread_forget(struct task *t, int64_t user_id, task_fn *next)
{
	struct redis_args a = {0};

	redis_arg(&a, STR("DEL"));
	redis_key(t, &a, "portal:unread:%lld", (long long)user_id);
	redis_call(t, OP_WRITE, &a, NULL, NULL, next);
}
