/* Levels and subscriptions (user_admin.h). Each change is one statement that also writes its
 * history row, so that neither stands without the other; both go through a function of
 * schema/0001_people.sql where something has to be checked first.
 *
 * To add another thing operators change: a function here, its history table in schema/. */
#include "store/user_admin.h"

#include "io/pg.h"
#include "store/message.h"
#include "store/session.h"

PG_STMT(user_list_page, OP_READ,
	"SELECT u.id, u.username, user_state(u.restriction, u.restricted_until), "
	"u.permission_level,"
	" subscription_now(u.subscription_level, u.subscription_expires_at), u.created_at,"
	" u.last_activity_at,"
	" (SELECT string_agg(i.platform, ', ' ORDER BY i.linked_at) FROM identities i"
	"  WHERE i.user_id = u.id), count(*) OVER ()"
	" FROM users u WHERE u.deleted_at IS NULL AND ($1::text IS NULL"
	" OR lower(u.username) LIKE '%' || lower(replace(replace(replace($1, '\\', '\\\\'),"
	" '%', '\\%'), '_', '\\_')) || '%' OR u.id::text = $1)"
	" ORDER BY u.id OFFSET $2::bigint LIMIT $3::bigint");

static enum err list_decode(struct task *t, const struct pg_rows *r, void *out)
{
	struct user_lines *l = out;

	l->count = (size_t)pg_count(r);
	l->total = l->count ? pg_i64(r, 0, 8) : 0;
	l->rows = arena_array(task_arena(t), struct user_line, l->count);
	for (int i = 0; i < pg_count(r); i++)
		l->rows[i] = (struct user_line){
			.id = pg_i64(r, i, 0),
			.username = pg_text_copy(t, r, i, 1),
			.state = pg_text_copy(t, r, i, 2),
			.permission_level = (int)pg_i64(r, i, 3),
			.subscription_level = (int)pg_i64(r, i, 4),
			.created_at = pg_time(r, i, 5),
			.last_activity_at = pg_time(r, i, 6),
			.platforms = pg_text_copy(t, r, i, 7),
		};
	return OK;
}

void user_list(struct task *t, struct str q, int64_t offset, int64_t limit, struct user_lines *out,
	task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_str(t, &a, q);
	pg_arg_i64(t, &a, offset);
	pg_arg_i64(t, &a, limit);
	pg_query(t, &user_list_page, &a, list_decode, out, next);
}

PG_STMT(user_resolve_who, OP_READ,
	"SELECT id FROM users WHERE deleted_at IS NULL AND (id = $1::bigint"
	" OR lower(username) = lower($2)) ORDER BY id = $1 DESC NULLS LAST LIMIT 1");

static enum err id_decode(struct task *t, const struct pg_rows *r, void *out)
{
	(void)t;
	if (pg_count(r) == 0)
		return ERR_USER_NOT_FOUND;
	*(int64_t *)out = pg_i64(r, 0, 0);
	return OK;
}

void user_resolve(struct task *t, struct str who, int64_t *id, task_fn *next)
{
	struct pg_args a = {0};
	int64_t n;

	if (str_to_i64(who, &n))
		pg_arg_i64(t, &a, n);
	else
		pg_arg_null(&a);
	pg_arg_str(t, &a, str_starts(who, STR("@")) ? str_from(who, 1) : who);
	pg_query(t, &user_resolve_who, &a, id_decode, id, next);
}

PG_STMT(user_set_level_of, OP_WRITE,
	"SELECT outcome, old_level FROM set_permission($1::bigint, $2::smallint, $3::bigint)");
PG_STMT(user_set_subscription_of, OP_WRITE,
	"SELECT outcome, old_level FROM set_subscription($1::bigint, $2::smallint, $3::bigint, $4,"
	" $5::bigint)");

static enum err change_decode(struct task *t, const struct pg_rows *r, void *out)
{
	struct str outcome = pg_text(r, 0, 0);

	(void)t;
	if (str_eq(outcome, STR("unknown")))
		return ERR_USER_NOT_FOUND;
	if (str_eq(outcome, STR("last_owner")))
		return ERR_LAST_OWNER;
	if (str_eq(outcome, STR("trial_used")))
		return ERR_CONFLICT;
	*(int *)out = (int)pg_i64(r, 0, 1);
	return OK;
}

static void pg_arg_actor(struct task *t, struct pg_args *a, int64_t actor)
{
	if (actor)
		pg_arg_i64(t, a, actor);
	else
		pg_arg_null(a);
}

/* set_begin -> level_set -> (session_shorten) -> level_told -> task_return */
struct set_level {
	int64_t id;
	int level, *old;
};

static void level_done(struct task *t)
{
	task_return(t);
}

/* What they say carries the level. Forgotten when Redis is away, cards end in a minute. */
static void level_told(struct task *t)
{
	const struct set_level *f = task_frame(t);

	task_catch(t);
	message_person_changed(t, f->id, level_done);
}

static void level_set(struct task *t)
{
	struct set_level *f = task_frame(t);

	if (f->level >= 2 && *f->old < 2)
		session_shorten(t, f->id, level_told);
	else
		level_told(t);
}

void user_set_level(struct task *t, int64_t id, int level, int64_t actor, int *old, task_fn *next)
{
	struct set_level *f = task_call(t, sizeof(*f), next);
	struct pg_args a = {0};

	*f = (struct set_level){.id = id, .level = level, .old = old};
	pg_arg_i64(t, &a, id);
	pg_arg_i64(t, &a, level);
	pg_arg_actor(t, &a, actor);
	pg_query(t, &user_set_level_of, &a, change_decode, old, level_set);
}

void user_set_subscription(struct task *t, int64_t id, int level, int64_t days, struct str reason,
	int64_t actor, int *old, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, id);
	pg_arg_i64(t, &a, level);
	pg_arg_i64(t, &a, days);
	pg_arg_str(t, &a, reason);
	pg_arg_actor(t, &a, actor);
	pg_query(t, &user_set_subscription_of, &a, change_decode, old, next);
}
