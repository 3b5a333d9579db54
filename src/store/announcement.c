/* Announcements.
 *
 *   announcement_create -> created (committed) -> event_send -> task_return
 *
 * To add something about them: schema/, the columns here, announcement_write, and the shape in
 * api/routes.c. */
#include "store/announcement.h"

#include "io/pg.h"
#include "store/event.h"

void announcement_write(struct json_out *j, const struct announcement *a)
{
	json_obj(j);
	notification_members(j, &a->item);
	json_ktime(j, "expires_at", a->expires_at);
	json_end(j);
}

#define COLUMNS                                                                                    \
	"SELECT a.id, a.title, a.body, a.type, a.created_at, a.created_by,"                        \
	" nullif(a.expires_at, 'infinity')"

static struct announcement announcement_decode(struct task *t, const struct pg_rows *r, int row)
{
	return (struct announcement){
		.item = {.id = pg_i64(r, row, 0),
			.title = pg_text_copy(t, r, row, 1),
			.body = pg_text_copy(t, r, row, 2),
			.type = pg_text_copy(t, r, row, 3),
			.created_at = pg_time(r, row, 4),
			.created_by = pg_i64(r, row, 5)},
		.expires_at = pg_time(r, row, 6),
	};
}

/* ---- reading ---- */

PG_STMT(sql_announcements_live, OP_READ,
	COLUMNS
	", l.total FROM (SELECT count(*) FROM announcements a WHERE a.expires_at > now()) l (total)"
	" LEFT JOIN (SELECT * FROM announcements WHERE expires_at > now()"
	"  ORDER BY id DESC OFFSET $1::bigint LIMIT $2::bigint) a ON true ORDER BY a.id DESC");

static enum err decode_live(struct task *t, const struct pg_rows *r, void *out)
{
	struct announcement_list *l = out;

	l->total = pg_i64(r, 0, 7);
	l->count = pg_null(r, 0, 0) ? 0 : (size_t)pg_count(r);
	l->rows = arena_array(task_arena(t), struct announcement, l->count);
	for (size_t i = 0; i < l->count; i++)
		l->rows[i] = announcement_decode(t, r, (int)i);
	return OK;
}

void announcements_live(
	struct task *t, int64_t offset, int64_t limit, struct announcement_list *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, offset);
	pg_arg_i64(t, &a, limit);
	pg_query(t, &sql_announcements_live, &a, decode_live, out, next);
}

/* ---- making and deleting ---- */

PG_STMT(sql_announcement_create, OP_WRITE,
	COLUMNS " FROM (SELECT WHERE acts_as(nullif($1::bigint, 0), $6::bigint)) held,"
		" LATERAL announcement_create(nullif($1::bigint, 0), $2::text, $3::text, $4::text,"
		"  $5::timestamptz) a");
PG_STMT(sql_announcement_delete, OP_WRITE,
	"SELECT d.done FROM (SELECT WHERE acts_as(nullif($1::bigint, 0), $3::bigint)) held,"
	" LATERAL announcement_delete(nullif($1::bigint, 0), $2::bigint) d (done)");

static enum err decode_created(struct task *t, const struct pg_rows *r, void *out)
{
	if (pg_count(r) == 0)
		return ERR_ACCESS_DENIED;
	*(struct announcement *)out = announcement_decode(t, r, 0);
	return OK;
}

struct creating {
	struct announcement *made;
};

static void created(struct task *t)
{
	const struct creating *f = task_frame(t);
	struct event *e = event_to_all(t, TO_ROOM, "announcement:new");

	announcement_write(&e->json, f->made);
	event_send(t, e, task_return);
}

void announcement_create(struct task *t, struct announcement *a, int level, task_fn *next)
{
	struct creating *f = task_call(t, sizeof(*f), next);
	struct pg_args args = {0};

	f->made = a;
	pg_arg_i64(t, &args, a->item.created_by);
	pg_arg_str(t, &args, a->item.title);
	pg_arg_str(t, &args, a->item.body);
	pg_arg_str(t, &args, a->item.type);
	pg_arg_time(t, &args, a->expires_at);
	pg_arg_i64(t, &args, level);
	pg_query(t, &sql_announcement_create, &args, decode_created, a, created);
}

static enum err decode_deleted(struct task *t, const struct pg_rows *r, void *out)
{
	(void)t;
	(void)out;
	if (pg_count(r) == 0)
		return ERR_ACCESS_DENIED;
	return pg_bool(r, 0, 0) ? OK : ERR_NOT_FOUND;
}

void announcement_delete(struct task *t, struct person by, int64_t id, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, by.id);
	pg_arg_i64(t, &a, id);
	pg_arg_i64(t, &a, by.level);
	pg_query(t, &sql_announcement_delete, &a, decode_deleted, NULL, next);
}
