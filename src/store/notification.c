/* Notifications.
 *
 *   notification_tell -> tell_read (PostgreSQL) -> tell_told: one script counts and publishes
 *
 * To add another read of them: a statement and a decoder here, the handler in api/notifications.c.
 */
#include "store/notification.h"

#include "gen/schema.h"
#include "io/pg.h"
#include "io/redis.h"

/* ---- the item ---- */

/* Behind the id. */
static void write_rest(struct json_out *j, const struct notification *n)
{
	json_kstr(j, "title", n->title);
	json_kstr(j, "body", n->body);
	json_kstr(j, "type", n->type);
	json_ktime(j, "read_at", n->read_at);
	json_ktime(j, "created_at", n->created_at);
	json_key(j, "created_by");
	if (n->created_by)
		json_i64(j, n->created_by);
	else
		json_null(j);
}

void notification_write(struct json_out *j, const struct notification *n)
{
	json_obj(j);
	json_ki64(j, "id", n->id);
	write_rest(j, n);
	json_end(j);
}

static struct notification notification_decode(struct task *t, const struct pg_rows *r, int row)
{
	return (struct notification){
		.id = pg_i64(r, row, 0),
		.title = pg_text_copy(t, r, row, 1),
		.body = pg_text_copy(t, r, row, 2),
		.type = pg_text_copy(t, r, row, 3),
		.read_at = pg_time(r, row, 4),
		.created_at = pg_time(r, row, 5),
		.created_by = pg_i64(r, row, 6),
	};
}

/* ---- telling ---- */

/* `rows`: "user:id user:id …", user 0: everyone; n: the same for all but the id. */
static void tell(struct task *t, struct str rows, const struct notification *n, task_fn *next)
{
	struct redis_args a = {0};
	struct buf item = {0};
	struct json_out j;

	json_out_init(&j, &item);
	json_obj(&j);
	write_rest(&j, n);
	json_end(&j);
	redis_arg(&a, rows);
	redis_arg(&a, str_from(buf_view(&item), 1));
	redis_arg_i64(t, &a, UNREAD_QUIET_MS);
	redis_eval(t, &redis_scripts[SCRIPT_NOTIFICATION_TELL], &a, NULL, NULL, next);
	buf_free(&item);
}

PG_STMT(sql_notification, OP_READ,
	"SELECT n.id, n.title, n.body, n.type, n.read_at, n.created_at, n.created_by, n.user_id"
	" FROM notifications n WHERE n.id = $1::bigint");

struct telling {
	struct notification item;
	int64_t user_id; /* 0: everyone */
};

static enum err decode_telling(struct task *t, const struct pg_rows *r, void *out)
{
	struct telling *f = out;

	if (pg_count(r) == 0)
		return ERR_NOTIFICATION_NOT_FOUND;
	f->item = notification_decode(t, r, 0);
	f->user_id = pg_i64(r, 0, 7);
	return OK;
}

static void tell_told(struct task *t)
{
	task_return(t);
}

static void tell_read(struct task *t)
{
	const struct telling *f = task_frame(t);

	if (task_err(t)) {
		task_return(t);
		return;
	}
	task_catch(t);
	tell(t,
		arena_printf(
			task_arena(t), "%lld:%lld", (long long)f->user_id, (long long)f->item.id),
		&f->item, tell_told);
}

void notification_tell(struct task *t, int64_t id, task_fn *next)
{
	struct telling *f = task_call(t, sizeof(*f), next);
	struct pg_args a = {0};

	pg_arg_i64(t, &a, id);
	task_catch(t);
	pg_query(t, &sql_notification, &a, decode_telling, f, tell_read);
}

/* ---- how many are unread ---- */

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

	redis_arg(&a, STR("SET"));
	redis_key(t, &a, "portal:unread:%lld", (long long)user_id);
	redis_arg(&a, STR("-"));
	redis_arg(&a, STR("PX"));
	redis_arg_i64(t, &a, UNREAD_QUIET_MS);
	redis_call(t, OP_WRITE, &a, NULL, NULL, next);
}
