/* People of a chat, everyone who is connected, and what happened in a chat.
 *
 *   members: begin -> present_read -> task_return; who is present comes from Redis, who they are
 *   and who belongs to a private chat from PostgreSQL.
 *
 * To add a column to people: PERSON, decode_person, struct chat_person, write_member in api/. */
#include "store/chat_private.h"

#include <stdlib.h>
#include "gen/schema.h"
#include "io/redis.h"

#define PERSON "u.id, u.username, " AVATAR_OF("u") ", u.permission_level"

static void decode_person(
	struct task *t, const struct pg_rows *r, int row, int first, struct chat_person *p)
{
	p->id = pg_i64(r, row, first);
	p->username = pg_text_copy(t, r, row, first + 1);
	p->avatar_url = pg_text_copy(t, r, row, first + 2);
	p->permission_level = (int)pg_i64(r, row, first + 3);
}

/* ---- members ---- */

struct members {
	const struct chat *chat;
	struct chat_people *out;
	int64_t offset, limit;
	int64_t *present; /* ids, sorted */
	size_t count;
};

static int by_id(const void *x, const void *y)
{
	int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

	return (a > b) - (a < b);
}

static enum err decode_present(struct task *t, const struct redis_value *v, void *out)
{
	struct members *f = out;

	f->count = redis_len(v);
	f->present = arena_array(task_arena(t), int64_t, f->count);
	for (size_t i = 0; i < f->count; i++)
		f->present[i] = redis_i64(redis_at(v, i));
	if (f->count)
		qsort(f->present, f->count, sizeof(*f->present), by_id);
	return OK;
}

PG_STMT(sql_chat_members, OP_READ,
	"WITH inside AS MATERIALIZED (SELECT m.user_id, m.joined_at FROM chat_members m"
	"  WHERE m.chat_id = $1::bigint"
	"  UNION ALL SELECT c.owner_id, c.created_at FROM chats c WHERE c.id = $1::bigint"
	"   AND c.owner_id IS NOT NULL AND NOT EXISTS (SELECT FROM chat_members x"
	"    WHERE x.chat_id = c.id AND x.user_id = c.owner_id)),"
	" page AS (SELECT * FROM inside i ORDER BY i.user_id <> $2::bigint, i.joined_at, i.user_id"
	"  OFFSET $3::bigint LIMIT $4::bigint)"
	" SELECT " PERSON ", p.joined_at, (SELECT count(*) FROM inside)"
	" FROM (VALUES (1)) one (x) LEFT JOIN page p ON true LEFT JOIN users u ON u.id = p.user_id"
	" ORDER BY u.id <> $2::bigint, p.joined_at, u.id");
PG_STMT(sql_chat_present, OP_READ,
	"SELECT " PERSON ", m.joined_at, $3::bigint FROM users u"
	" LEFT JOIN chat_members m ON m.chat_id = $1::bigint AND m.user_id = u.id"
	" WHERE u.id = ANY ($2::bigint[]) AND u.deleted_at IS NULL ORDER BY u.id");

static enum err decode_members(struct task *t, const struct pg_rows *r, void *out)
{
	struct members *f = out;
	struct chat_people *people = f->out;

	people->count = pg_count(r) == 0 || pg_null(r, 0, 0) ? 0 : (size_t)pg_count(r);
	people->total = pg_count(r) == 0 ? 0 : pg_i64(r, 0, 5);
	people->rows = arena_array(task_arena(t), struct chat_person, people->count);
	for (size_t i = 0; i < people->count; i++) {
		struct chat_person *p = &people->rows[i];

		decode_person(t, r, (int)i, 0, p);
		p->joined_at = f->chat->visibility == VISIBILITY_DIRECT ? f->chat->created_at
									: pg_time(r, (int)i, 4);
		p->is_owner = p->id == f->chat->owner_id;
		p->is_online =
			f->count && bsearch(&p->id, f->present, f->count, sizeof(p->id), by_id);
	}
	return OK;
}

/* A page of people, by id. */
static void people_named(struct task *t, const int64_t *ids, size_t count)
{
	struct members *f = task_frame(t);
	size_t skip = (size_t)f->offset < count ? (size_t)f->offset : count;
	size_t n = count - skip < (size_t)f->limit ? count - skip : (size_t)f->limit;
	struct pg_args a = {0};

	f->out->total = (int64_t)count;
	if (n == 0) {
		task_return(t);
		return;
	}
	pg_arg_i64(t, &a, f->chat->id);
	pg_arg_i64s(t, &a, ids + skip, n);
	pg_arg_i64(t, &a, f->out->total);
	pg_query(t, &sql_chat_present, &a, decode_members, f, task_return);
}

static void present_read(struct task *t)
{
	struct members *f = task_frame(t);
	struct pg_args a = {0};

	if (f->chat->visibility == VISIBILITY_DIRECT) {
		people_named(t, f->chat->people, 2);
		return;
	}
	if (f->chat->visibility != VISIBILITY_PRIVATE) {
		people_named(t, f->present, f->count);
		return;
	}
	pg_arg_i64(t, &a, f->chat->id);
	pg_arg_i64(t, &a, f->chat->owner_id);
	pg_arg_i64(t, &a, f->offset);
	pg_arg_i64(t, &a, f->limit);
	pg_query(t, &sql_chat_members, &a, decode_members, f, task_return);
}

void chat_members(struct task *t, const struct chat *c, int64_t offset, int64_t limit,
	struct chat_people *out, task_fn *next)
{
	struct members *f = task_call(t, sizeof(*f), next);
	struct redis_args a = {0};

	f->chat = c;
	f->out = out;
	f->offset = offset;
	f->limit = limit;
	redis_arg(&a, STR("HKEYS"));
	redis_key(t, &a, "portal:room:%lld:people", (long long)c->id);
	redis_call(t, OP_READ, &a, decode_present, f, present_read);
}

/* ---- everyone who is connected: people_online -> online_read -> task_return ---- */

struct online {
	struct status *out;
	int64_t viewer;
	int64_t *ids;
	struct str *sessions;
	size_t count;
};

static enum err decode_online(struct task *t, const struct redis_value *v, void *out)
{
	struct online *f = out;
	const struct redis_value *page = redis_at(v, 1);

	f->out->online.total = redis_i64(redis_at(v, 0));
	f->count = redis_len(page) / 2;
	f->ids = arena_array(task_arena(t), int64_t, f->count);
	f->sessions = arena_array(task_arena(t), struct str, f->count);
	for (size_t i = 0; i < f->count; i++) {
		f->ids[i] = redis_i64(redis_at(page, 2 * i));
		f->sessions[i] = arena_str(task_arena(t), redis_str(redis_at(page, 2 * i + 1)));
	}
	return OK;
}

PG_STMT(sql_people_named, OP_READ,
	"SELECT " PERSON ", x.n::bigint FROM unnest($1::bigint[]) WITH ORDINALITY x (id, n)"
	" JOIN users u ON u.id = x.id WHERE u.deleted_at IS NULL ORDER BY x.n");

static enum err decode_named(struct task *t, const struct pg_rows *r, void *out)
{
	struct online *f = out;
	struct chat_people *people = &f->out->online;

	people->count = (size_t)pg_count(r);
	people->rows = arena_array(task_arena(t), struct chat_person, people->count);
	for (size_t i = 0; i < people->count; i++) {
		decode_person(t, r, (int)i, 0, &people->rows[i]);
		people->rows[i].session_id = f->sessions[pg_i64(r, (int)i, 4) - 1];
	}
	return OK;
}

PG_STMT(sql_hard_muted, OP_READ,
	"SELECT expires_at FROM hard_mutes WHERE user_id = $1::bigint"
	" AND (expires_at IS NULL OR expires_at > now())");

static enum err decode_muted(struct task *t, const struct pg_rows *r, void *out)
{
	struct status *s = out;

	(void)t;
	s->muted = pg_count(r) > 0;
	s->muted_until = s->muted ? pg_time(r, 0, 0) : 0;
	return OK;
}

static void online_read(struct task *t)
{
	struct online *f = task_frame(t);
	struct pg_args who = {0}, viewer = {0};

	pg_arg_i64s(t, &who, f->ids, f->count);
	pg_query(t, &sql_people_named, &who, decode_named, f, task_return);
	pg_arg_i64(t, &viewer, f->viewer);
	pg_query(t, &sql_hard_muted, &viewer, decode_muted, f->out, task_return);
}

void people_online(struct task *t, int64_t viewer, int64_t offset, int64_t limit,
	struct status *out, task_fn *next)
{
	struct online *f = task_call(t, sizeof(*f), next);
	struct redis_args a = {0};

	f->out = out;
	f->viewer = viewer;
	redis_key(t, &a, "portal:online");
	redis_key(t, &a, "portal:online:session");
	redis_arg_i64(t, &a, offset);
	redis_arg_i64(t, &a, limit);
	redis_eval(t, &redis_scripts[SCRIPT_PEOPLE_ONLINE], &a, decode_online, f, online_read);
}

/* ---- what happened ---- */

PG_STMT(sql_chat_activity, OP_READ,
	"WITH page AS (SELECT * FROM chat_activity WHERE chat_id = $1::bigint"
	"  ORDER BY id DESC OFFSET $2::bigint LIMIT $3::bigint)"
	" SELECT " PERSON ", p.action, p.method, p.invite_code, p.created_at,"
	" (SELECT count(*) FROM chat_activity n WHERE n.chat_id = $1::bigint)"
	" FROM (VALUES (1)) one (x) LEFT JOIN page p ON true LEFT JOIN users u ON u.id = p.user_id"
	" ORDER BY p.id DESC");

static enum err decode_activity(struct task *t, const struct pg_rows *r, void *out)
{
	struct chat_activity *list = out;

	list->total = pg_i64(r, 0, 8);
	list->count = pg_null(r, 0, 0) ? 0 : (size_t)pg_count(r);
	list->rows = arena_array(task_arena(t), struct chat_event, list->count);
	for (size_t i = 0; i < list->count; i++) {
		struct chat_event *e = &list->rows[i];
		int row = (int)i;

		e->user_id = pg_i64(r, row, 0);
		e->username = pg_text_copy(t, r, row, 1);
		e->avatar_url = pg_text_copy(t, r, row, 2);
		e->permission_level = (int)pg_i64(r, row, 3);
		e->action = pg_text_copy(t, r, row, 4);
		e->method = pg_text_copy(t, r, row, 5);
		e->invite_code = pg_text_copy(t, r, row, 6);
		e->created_at = pg_time(r, row, 7);
	}
	return OK;
}

void chat_activity(struct task *t, int64_t chat_id, int64_t offset, int64_t limit,
	struct chat_activity *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, chat_id);
	pg_arg_i64(t, &a, offset);
	pg_arg_i64(t, &a, limit);
	pg_query(t, &sql_chat_activity, &a, decode_activity, out, next);
}
