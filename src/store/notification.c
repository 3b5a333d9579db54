/* Notifications.
 *
 *   notification_tell -> tell_read (PostgreSQL) -> told
 *   notification_add  -> sent (committed)       -> told: one script for the caches and the sockets
 *   notification_read, notifications_read_all -> marked (committed) -> told
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

void notification_members(struct json_out *j, const struct notification *n)
{
	json_ki64(j, "id", n->id);
	write_rest(j, n);
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

/* An error is no error: it is committed. */
static void told(struct task *t)
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
		&f->item, told);
}

void notification_tell(struct task *t, int64_t id, task_fn *next)
{
	struct telling *f = task_call(t, sizeof(*f), next);
	struct pg_args a = {0};

	pg_arg_i64(t, &a, id);
	task_catch(t);
	pg_query(t, &sql_notification, &a, decode_telling, f, tell_read);
}

/* ---- sending ---- */

PG_STMT(sql_notifications_send, OP_WRITE,
	"SELECT s.outcome, s.rows, s.created_at"
	" FROM (SELECT WHERE acts_as(nullif($1::bigint, 0), $6::bigint)) held,"
	" LATERAL notifications_send(nullif($1::bigint, 0), $2::bigint[], $3::text, $4::text,"
	"  $5::text) s");

struct sending {
	struct notification item;
	struct str rows;
	int64_t *people;
};

static enum err decode_sending(struct task *t, const struct pg_rows *r, void *out)
{
	struct sending *f = out;

	if (pg_count(r) == 0)
		return ERR_ACCESS_DENIED;
	if (!str_eq(pg_text(r, 0, 0), STR("ok")))
		return ERR_USER_NOT_FOUND;
	f->rows = pg_text_copy(t, r, 0, 1);
	for (struct str rest = f->rows; rest.p; (*f->people)++)
		str_cut(&rest, ' ');
	f->item.created_at = pg_time(r, 0, 2);
	return OK;
}

static void sent(struct task *t)
{
	const struct sending *f = task_frame(t);

	task_catch(t);
	tell(t, f->rows, &f->item, told);
}

void notification_add(
	struct task *t, const struct notification_new *n, int64_t *people, task_fn *next)
{
	struct sending *f = task_call(t, sizeof(*f), next);
	struct pg_args a = {0};

	*people = 0;
	f->people = people;
	f->item = (struct notification){
		.created_by = n->by.id, .title = n->title, .body = n->body, .type = n->type};
	pg_arg_i64(t, &a, n->by.id);
	pg_arg_i64s(t, &a, n->users, n->count);
	pg_arg_str(t, &a, n->title);
	pg_arg_str(t, &a, n->body);
	pg_arg_str(t, &a, n->type);
	pg_arg_i64(t, &a, n->by.level);
	pg_query(t, &sql_notifications_send, &a, decode_sending, f, sent);
}

/* ---- reading ---- */

PG_STMT(sql_notifications_page, OP_READ,
	"SELECT p.id, p.title, p.body, p.type, p.read_at, p.created_at, p.created_by, p.total, "
	"p.unread"
	" FROM notifications_page($1::bigint, $2::bigint, $3::bigint) p");

static enum err decode_list(struct task *t, const struct pg_rows *r, void *out)
{
	struct notification_list *l = out;

	l->total = pg_i64(r, 0, 7);
	l->unread = pg_i64(r, 0, 8);
	l->count = pg_null(r, 0, 0) ? 0 : (size_t)pg_count(r);
	l->rows = arena_array(task_arena(t), struct notification, l->count);
	for (size_t i = 0; i < l->count; i++)
		l->rows[i] = notification_decode(t, r, (int)i);
	return OK;
}

void notifications_of(struct task *t, int64_t user_id, int64_t offset, int64_t limit,
	struct notification_list *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, user_id);
	pg_arg_i64(t, &a, offset);
	pg_arg_i64(t, &a, limit);
	pg_query(t, &sql_notifications_page, &a, decode_list, out, next);
}

struct marking {
	int64_t user_id;
	struct notification *item;
};

static void marked(struct task *t)
{
	const struct marking *f = task_frame(t);

	task_catch(t);
	unread_forget(t, f->user_id, told);
}

PG_STMT(sql_notification_read, OP_WRITE,
	"SELECT r.id, r.title, r.body, r.type, r.read_at, r.created_at, r.created_by, r.outcome"
	" FROM notification_read($1::bigint, $2::bigint) r");

static enum err decode_read(struct task *t, const struct pg_rows *r, void *out)
{
	struct marking *f = out;
	struct str outcome = pg_text(r, 0, 7);

	if (str_eq(outcome, STR("again")))
		return ERR_NOTIFICATION_ALREADY_READ;
	if (!str_eq(outcome, STR("ok")))
		return ERR_NOTIFICATION_NOT_FOUND;
	*f->item = notification_decode(t, r, 0);
	return OK;
}

void notification_read(
	struct task *t, int64_t user_id, int64_t id, struct notification *out, task_fn *next)
{
	struct marking *f = task_call(t, sizeof(*f), next);
	struct pg_args a = {0};

	*f = (struct marking){.user_id = user_id, .item = out};
	pg_arg_i64(t, &a, user_id);
	pg_arg_i64(t, &a, id);
	pg_query(t, &sql_notification_read, &a, decode_read, f, marked);
}

PG_STMT(sql_notifications_read, OP_WRITE, "SELECT notifications_read($1::bigint)");

static enum err decode_number(struct task *t, const struct pg_rows *r, void *out)
{
	(void)t;
	*(int64_t *)out = pg_i64(r, 0, 0);
	return OK;
}

void notifications_read_all(struct task *t, int64_t user_id, int64_t *read, task_fn *next)
{
	struct marking *f = task_call(t, sizeof(*f), next);
	struct pg_args a = {0};

	f->user_id = user_id;
	pg_arg_i64(t, &a, user_id);
	pg_query(t, &sql_notifications_read, &a, decode_number, read, marked);
}

/* ---- how many are unread ---- */

PG_STMT(sql_unread_count, OP_READ, "SELECT notifications_unread($1::bigint)");

void unread_count(struct task *t, int64_t user_id, int64_t *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, user_id);
	pg_query(t, &sql_unread_count, &a, decode_number, out, next);
}

void unread_cache(
	struct task *t, int64_t user_id, int64_t unread, struct str generation, task_fn *next)
{
	struct redis_args a = {0};

	redis_key(t, &a, "portal:unread:%lld", (long long)user_id);
	redis_arg(&a, arena_printf(task_arena(t), STR_FMT " %lld", STR_ARG(generation),
			      (long long)unread));
	redis_arg_i64(t, &a, UNREAD_CACHE_SECONDS);
	redis_eval(t, &redis_scripts[SCRIPT_UNREAD_KEEP], &a, NULL, NULL, next);
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
