/* Levels and subscriptions (user_admin.h): one function of schema/0007_administration.sql each,
 * which checks what was decided upon and writes history and audit log.
 *
 *   user_set_level         -> level_set (committed) -> (sessions read anew) -> account_changed
 *   user_set_subscription  one statement
 *
 * To add another thing operators change: a function in schema/, its statement and a function here.
 */
#include "store/user_admin.h"

#include "base/config.h"
#include "io/pg.h"
#include "store/account.h"
#include "store/session.h"
#include "store/user.h"

/* ---- lists ---- */

/* $1: state, $2: permission level, $3 $4: offset, limit; `found`: of whom, of whom there are
 * `total`. At least one row, so that the total is there on a page past the end too. */
#define USER_STATE_IS                                                                              \
	" u.deleted_at IS NULL AND ($1::text IS NULL"                                              \
	"  OR user_state(u.restriction, u.restricted_until) = $1::text)"                           \
	" AND ($1::text IS NULL OR $1::text = 'active' OR u.restriction = $1::text)"               \
	" AND ($2::bigint IS NULL OR u.permission_level = $2::bigint)"
#define USER_LINES(with, found, total)                                                             \
	"WITH " with " page AS (SELECT u.* FROM " found                                            \
	"  ORDER BY u.id OFFSET $3::bigint LIMIT $4::bigint)"                                      \
	" SELECT " total ", u.id, u.username, " AVATAR_OF(                                         \
		"u") ", user_state(u.restriction, u.restricted_until), u.permission_level,"        \
		     " subscription_now(u.subscription_level, u.subscription_expires_at), "        \
		     "u.created_at,"                                                               \
		     " u.last_activity_at, (SELECT string_agg(i.platform, ', ' ORDER BY "          \
		     "i.linked_at)"                                                                \
		     "  FROM identities i WHERE i.user_id = u.id)"                                 \
		     " FROM (VALUES (1)) one (x) LEFT JOIN page u ON true ORDER BY u.id"

/* Without a filter the total is known. */
PG_STMT_PLANNED(sql_user_lines, OP_READ,
	USER_LINES("", "users u WHERE" USER_STATE_IS,
		"CASE WHEN $1::text IS NULL AND $2::bigint IS NULL"
		" THEN (SELECT s.n FROM statistics() s WHERE s.name = 'users')"
		" ELSE (SELECT count(*) FROM users u WHERE" USER_STATE_IS ") END"));

/* $5: a part of the name, $6: the id that it is too. */
PG_STMT_PLANNED(sql_user_lines_named, OP_READ,
	USER_LINES("found AS MATERIALIZED (SELECT u.* FROM users u WHERE" USER_STATE_IS
		   " AND (has_part(u.username, $5::text) OR u.id = $6::bigint)),",
		"found u", "(SELECT count(*) FROM found)"));

static enum err decode_lines(struct task *t, const struct pg_rows *r, void *out)
{
	struct user_lines *l = out;

	l->total = pg_i64(r, 0, 0);
	l->count = pg_null(r, 0, 1) ? 0 : (size_t)pg_count(r);
	l->rows = arena_array(task_arena(t), struct user_line, l->count);
	for (int i = 0; i < (int)l->count; i++)
		l->rows[i] = (struct user_line){
			.id = pg_i64(r, i, 1),
			.username = pg_text_copy(t, r, i, 2),
			.avatar_url = pg_text_copy(t, r, i, 3),
			.state = pg_text_copy(t, r, i, 4),
			.permission_level = (int)pg_i64(r, i, 5),
			.subscription_level = (int)pg_i64(r, i, 6),
			.created_at = pg_time(r, i, 7),
			.last_activity_at = pg_time(r, i, 8),
			.platforms = pg_text_copy(t, r, i, 9),
		};
	return OK;
}

void user_list(struct task *t, const struct user_filter *f, struct user_lines *out, task_fn *next)
{
	struct pg_args a = {0};
	int64_t id;

	pg_arg_str(t, &a, f->state);
	if (f->level == LEVEL_NONE)
		pg_arg_null(&a);
	else
		pg_arg_i64(t, &a, f->level);
	pg_arg_i64(t, &a, f->offset);
	pg_arg_i64(t, &a, f->limit);
	if (f->q.n == 0) {
		pg_query(t, &sql_user_lines, &a, decode_lines, out, next);
		return;
	}
	pg_arg_str(t, &a, f->q);
	if (str_to_i64(f->q, &id))
		pg_arg_i64(t, &a, id);
	else
		pg_arg_null(&a);
	pg_query(t, &sql_user_lines_named, &a, decode_lines, out, next);
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

#define SUBSCRIBERS_FOUND                                                                          \
	" FROM users u WHERE u.subscription_level > 0 AND u.deleted_at IS NULL"                    \
	" AND (u.subscription_expires_at IS NULL OR u.subscription_expires_at > now())"

/* Those without an end behind those with one. */
PG_STMT(sql_subscribers, OP_READ,
	"WITH page AS (SELECT u.*" SUBSCRIBERS_FOUND " ORDER BY u.subscription_expires_at, u.id"
	"  OFFSET $1::bigint LIMIT $2::bigint)"
	" SELECT (SELECT count(*)" SUBSCRIBERS_FOUND "), u.id, u.username, " AVATAR_OF(
		"u") ", u.subscription_level, u.subscription_expires_at, u.subscription_granted_by,"
		     " u.subscription_created_at, u.subscription_updated_at"
		     " FROM (VALUES (1)) one (x) LEFT JOIN page u ON true"
		     " ORDER BY u.subscription_expires_at, u.id");

static enum err decode_subscribers(struct task *t, const struct pg_rows *r, void *out)
{
	struct subscribers *s = out;

	s->total = pg_i64(r, 0, 0);
	s->count = pg_null(r, 0, 1) ? 0 : (size_t)pg_count(r);
	s->rows = arena_array(task_arena(t), struct subscriber, s->count);
	for (int i = 0; i < (int)s->count; i++)
		s->rows[i] = (struct subscriber){
			.id = pg_i64(r, i, 1),
			.username = pg_text_copy(t, r, i, 2),
			.avatar_url = pg_text_copy(t, r, i, 3),
			.level = (int)pg_i64(r, i, 4),
			.expires_at = pg_time(r, i, 5),
			.granted_by = pg_i64(r, i, 6),
			.created_at = pg_time(r, i, 7),
			.updated_at = pg_time(r, i, 8),
		};
	return OK;
}

void subscriptions_active(
	struct task *t, int64_t offset, int64_t limit, struct subscribers *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, offset);
	pg_arg_i64(t, &a, limit);
	pg_query(t, &sql_subscribers, &a, decode_subscribers, out, next);
}

/* ---- changes ---- */

struct change {
	int64_t id;
	int level, *old;
	bool *done;
};

static enum err change_decode(struct task *t, const struct pg_rows *r, void *out)
{
	static const struct {
		const char *word;
		enum err err;
		bool done;
	} outcomes[] = {
		{"ok", OK, true},
		{"is", OK, true},
		{"again", OK, false},
		{"unknown", ERR_USER_NOT_FOUND, false},
		{"last_owner", ERR_LAST_OWNER, false},
		{"trial_used", ERR_TRIAL_USED, false},
	};
	struct change *f = out;
	struct str word = pg_text(r, 0, 0);

	(void)t;
	*f->old = (int)pg_i64(r, 0, 1);
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(*outcomes); i++)
		if (str_eq(word, str_of(outcomes[i].word))) {
			*f->done = outcomes[i].done;
			return outcomes[i].err;
		}
	PANIC("outcome " STR_FMT, STR_ARG(word));
}

/* $1 to $4 */
static struct pg_args by_args(struct task *t, const struct by *who)
{
	struct pg_args a = {0};

	if (who->by.id == 0) {
		pg_arg_null(&a);
		pg_arg_null(&a);
		pg_arg_i64(t, &a, who->person.id);
		pg_arg_null(&a);
		return a;
	}
	pg_arg_i64(t, &a, who->by.id);
	pg_arg_i64(t, &a, who->by.level);
	pg_arg_i64(t, &a, who->person.id);
	pg_arg_i64(t, &a, who->person.level);
	return a;
}

static struct change *change_begin(
	struct task *t, const struct by *who, int *old, bool *done, task_fn *next)
{
	struct change *f = task_call(t, sizeof(*f), next);

	f->id = who->person.id;
	f->old = old;
	f->done = done;
	return f;
}

PG_STMT(sql_permission_set, OP_WRITE,
	"SELECT outcome, old_level FROM permission_set($1::bigint, $2::bigint, $3::bigint,"
	" $4::bigint, $5::bigint, $6::bigint)");

static void sessions_known(struct task *t)
{
	account_changed(t, ((const struct change *)task_frame(t))->id, task_return);
}

static void level_set(struct task *t)
{
	const struct change *f = task_frame(t);

	if (!*f->done || *f->old == f->level)
		task_return(t);
	else if (f->level >= LEVEL_ADMIN && *f->old < LEVEL_ADMIN)
		session_forget(t, f->id, sessions_known);
	else
		sessions_known(t);
}

void user_set_level(
	struct task *t, const struct by *who, int level, int *old, bool *done, task_fn *next)
{
	struct change *f = change_begin(t, who, old, done, next);
	struct pg_args a = by_args(t, who);

	f->level = level;
	pg_arg_i64(t, &a, level);
	pg_arg_i64(t, &a, config.admin_session_days);
	pg_query(t, &sql_permission_set, &a, change_decode, f, level_set);
}

PG_STMT(sql_subscription_set, OP_WRITE,
	"SELECT outcome, old_level FROM subscription_set($1::bigint, $2::bigint, $3::bigint,"
	" $4::bigint, $5::bigint, $6::bigint, $7::text)");

void user_set_subscription(struct task *t, const struct by *who, const struct subscription_grant *g,
	int *old, bool *done, task_fn *next)
{
	struct change *f = change_begin(t, who, old, done, next);
	struct pg_args a = by_args(t, who);

	pg_arg_i64(t, &a, g->level);
	pg_arg_i64(t, &a, g->days);
	pg_arg_str(t, &a, g->reason.p ? g->reason : STR(""));
	pg_query(t, &sql_subscription_set, &a, change_decode, f, task_return);
}
