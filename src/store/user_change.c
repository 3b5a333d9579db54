/* Changes to an account. Where something is looked at first (who has the name, which platforms are
 * left, how many Owners) a SQL function of schema/ does it in one transaction and answers with a
 * word or with flags, which the decoders here turn into errors.
 *
 * To add a change: a function in schema/, its statement and its decoder here, the handler in
 * api/me.c. */
#include "store/user_change.h"

#include "io/pg.h"
#include "store/account.h"
#include "store/chat_change.h"

PG_STMT(sql_user_update, OP_WRITE,
	"SELECT taken, unlinked FROM user_update($1::bigint, $2::text, $3::text)");

static enum err decode_update(struct task *t, const struct pg_rows *r, void *out)
{
	struct user_update *u = out;

	(void)t;
	if (pg_count(r) == 0)
		return ERR_USER_NOT_FOUND;
	u->taken = pg_bool(r, 0, 0);
	u->unlinked = pg_bool(r, 0, 1);
	return OK;
}

static void updated(struct task *t)
{
	account_changed(t, *(int64_t *)task_frame(t), task_return);
}

void user_update(struct task *t, int64_t id, struct user_update *u, task_fn *next)
{
	int64_t *f = task_call(t, sizeof(*f), next);
	struct pg_args a = {0};

	*f = id;
	pg_arg_i64(t, &a, id);
	pg_arg_str(t, &a, u->username);
	pg_arg_str(t, &a, u->avatar_source);
	pg_query(t, &sql_user_update, &a, decode_update, u, updated);
}

/* The words that the functions of schema/ answer with. */
static enum err decode_outcome(struct task *t, const struct pg_rows *r, void *out)
{
	static const struct {
		const char *word;
		enum err err;
	} outcomes[] = {
		{"ok", OK},
		{"unknown", ERR_USER_NOT_FOUND},
		{"taken", ERR_PLATFORM_TAKEN},
		{"missing", ERR_PLATFORM_NOT_FOUND},
		{"last", ERR_LAST_PLATFORM},
		{"mismatch", ERR_INVALID_REQUEST},
		{"last_owner", ERR_LAST_OWNER},
	};
	struct str word = pg_text(r, 0, 0);

	(void)t;
	(void)out;
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(*outcomes); i++)
		if (str_eq(word, str_of(outcomes[i].word)))
			return outcomes[i].err;
	PANIC("outcome " STR_FMT, STR_ARG(word));
}

PG_STMT(sql_identity_link, OP_WRITE,
	"SELECT identity_link($1::bigint, $2::text, $3::text, $4::text, $5::text)");

void identity_link(struct task *t, int64_t user_id, const struct identity *who, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, user_id);
	pg_arg_str(t, &a, who->platform);
	pg_arg_str(t, &a, who->platform_user_id);
	pg_arg_str(t, &a, who->username);
	pg_arg_str(t, &a, avatar_safe(who->avatar_url));
	pg_query(t, &sql_identity_link, &a, decode_outcome, NULL, next);
}

PG_STMT(sql_identity_unlink, OP_WRITE, "SELECT identity_unlink($1::bigint, $2::text)");

void identity_unlink(struct task *t, int64_t user_id, struct str platform, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, user_id);
	pg_arg_str(t, &a, platform);
	pg_query(t, &sql_identity_unlink, &a, decode_outcome, NULL, next);
}

/* user_delete -> user_deleted (the end of the sessions told to Redis) -> user_told */
struct user_delete {
	int64_t id;
	struct str gone;
};

PG_STMT(sql_user_delete, OP_WRITE, "SELECT outcome, gone FROM user_delete($1::bigint, $2::text)");

static enum err decode_delete(struct task *t, const struct pg_rows *r, void *out)
{
	struct user_delete *f = out;

	f->gone = pg_text_copy(t, r, 0, 1);
	return decode_outcome(t, r, NULL);
}

/* Their rooms hear of it: theirs are gone, in others they are no longer. */
static void user_told(struct task *t)
{
	chat_settle(t, 0, task_return);
}

static void user_deleted(struct task *t)
{
	const struct user_delete *f = task_frame(t);

	account_closed(t, f->id, f->gone, "deleted", user_told);
}

void user_delete(struct task *t, int64_t id, struct str username, task_fn *next)
{
	struct user_delete *f = task_call(t, sizeof(*f), next);
	struct pg_args a = {0};

	f->id = id;
	pg_arg_i64(t, &a, id);
	pg_arg_str(t, &a, username);
	pg_query(t, &sql_user_delete, &a, decode_delete, f, user_deleted);
}

/* ---- preferences ---- */

PG_STMT(sql_preferences_get, OP_READ,
	"SELECT preferences FROM users WHERE id = $1::bigint AND deleted_at IS NULL");

static enum err decode_preferences(struct task *t, const struct pg_rows *r, void *out)
{
	if (pg_count(r) == 0)
		return ERR_USER_NOT_FOUND;
	*(struct str *)out = pg_text_copy(t, r, 0, 0);
	return OK;
}

void preferences_get(struct task *t, int64_t id, struct str *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, id);
	pg_query(t, &sql_preferences_get, &a, decode_preferences, out, next);
}

PG_STMT(sql_preferences_set, OP_WRITE,
	"UPDATE users SET preferences = $2::text WHERE id = $1::bigint AND deleted_at IS NULL");

void preferences_set(struct task *t, int64_t id, struct str text, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, id);
	pg_arg_str(t, &a, text);
	pg_query(t, &sql_preferences_set, &a, NULL, NULL, next);
}
