/* People as they are read: the private profile in one statement (a row for each identity), public
 * profiles, the search, and what the sign-in of bots asks for.
 *
 * Results are copied into the task's arena by the decoders and end with the task.
 *
 * To add a column to the private profile: schema/ with sign_in() and sign_ins(), USER_COLUMNS and
 * LOGIN_COLUMNS (store/session.c), user_decode, struct user, and its writer in api/me.c. */
#include "store/user.h"

#include "io/pg.h"

/* ---- the private profile ---- */

#define USER_COLUMNS                                                                               \
	"u.id, u.username, u.avatar_source, user_state(u.restriction, u.restricted_until),"        \
	" u.permission_level, subscription_now(u.subscription_level, u.subscription_expires_at),"  \
	" u.subscription_expires_at, u.subscription_granted_by, u.last_activity_at,"               \
	" u.permission_since, u.created_at, u.updated_at,"                                         \
	" i.platform, i.platform_user_id, i.platform_username, i.platform_avatar_url,"             \
	" i.linked_at, i.last_authenticated_at"
#define USER_IDENTITIES " LEFT JOIN identities i ON i.user_id = u.id"
#define USER_IDENTITY   12 /* the first column of the identity */

PG_STMT(sql_users_by_ids, OP_READ,
	"SELECT a.nr, " USER_COLUMNS
	" FROM unnest((SELECT $1::bigint[])) WITH ORDINALITY AS a (id, nr)"
	" JOIN users u ON u.id = a.id AND u.deleted_at IS NULL" USER_IDENTITIES " ORDER BY a.nr");
PG_STMT_SHARED(sql_user_by_id, OP_READ, sql_users_by_ids,
	"SELECT " USER_COLUMNS " FROM users u" USER_IDENTITIES
	" WHERE u.id = $1::bigint AND u.deleted_at IS NULL");
PG_STMT(sql_user_by_name, OP_READ,
	"SELECT " USER_COLUMNS " FROM users u" USER_IDENTITIES
	" WHERE lower(u.username) = lower($1::text) AND u.deleted_at IS NULL");

static void decode_identity(
	struct task *t, const struct pg_rows *r, int row, struct identity_row *i)
{
	i->platform = pg_text_copy(t, r, row, USER_IDENTITY);
	i->platform_user_id = pg_text_copy(t, r, row, USER_IDENTITY + 1);
	i->platform_username = pg_text_copy(t, r, row, USER_IDENTITY + 2);
	i->platform_avatar_url = pg_text_copy(t, r, row, USER_IDENTITY + 3);
	i->linked_at = pg_time(r, row, USER_IDENTITY + 4);
	i->last_authenticated_at = pg_time(r, row, USER_IDENTITY + 5);
}

static bool linked_before(const struct identity_row *a, const struct identity_row *b)
{
	size_t n = a->platform.n < b->platform.n ? a->platform.n : b->platform.n;
	int by_name = memcmp(a->platform.p, b->platform.p, n);

	if (a->linked_at != b->linked_at)
		return a->linked_at < b->linked_at;
	return by_name < 0 || (by_name == 0 && a->platform.n < b->platform.n);
}

/* Here and not in the statement: there are a few at most, and a sort costs PostgreSQL a tenth of
 * what it does for a profile. */
static void decode_identities(struct task *t, const struct pg_rows *r, struct user *u)
{
	struct identity_row *list =
		arena_array(task_arena(t), struct identity_row, u->identity_count);

	for (size_t i = 0; i < u->identity_count; i++) {
		struct identity_row one;
		size_t at = i;

		decode_identity(t, r, (int)i, &one);
		for (; at > 0 && linked_before(&one, &list[at - 1]); at--)
			list[at] = list[at - 1];
		list[at] = one;
	}
	u->identities = list;
}

/* AVATAR_OF, from the identities at hand. */
static struct str avatar_of(struct task *t, const struct user *u)
{
	if (str_starts(u->avatar_source, STR("discord_")))
		return arena_printf(task_arena(t), DISCORD_AVATAR "%c.png",
			u->avatar_source.p[u->avatar_source.n - 1]);
	for (size_t i = 0; i < u->identity_count; i++) {
		const struct identity_row *row = &u->identities[i];

		if (u->avatar_source.n == 0 || str_eq(row->platform, u->avatar_source))
			return row->platform_avatar_url.n ? row->platform_avatar_url : STR_NULL;
	}
	return STR_NULL;
}

enum err user_decode(struct task *t, const struct pg_rows *r, void *out)
{
	struct user *u = out;
	int rows = pg_count(r);

	if (rows == 0)
		return ERR_USER_NOT_FOUND;
	u->id = pg_i64(r, 0, 0);
	u->username = pg_text_copy(t, r, 0, 1);
	u->avatar_source = pg_text_copy(t, r, 0, 2);
	u->state = pg_text_copy(t, r, 0, 3);
	u->permission_level = (int)pg_i64(r, 0, 4);
	u->subscription_level = (int)pg_i64(r, 0, 5);
	u->subscription_expires_at = pg_time(r, 0, 6);
	u->subscription_granted_by = pg_i64(r, 0, 7);
	u->last_activity_at = pg_time(r, 0, 8);
	u->permission_since = pg_time(r, 0, 9);
	u->created_at = pg_time(r, 0, 10);
	u->updated_at = pg_time(r, 0, 11);
	u->identity_count = pg_null(r, 0, USER_IDENTITY) ? 0 : (size_t)rows;
	decode_identities(t, r, u);
	u->avatar_url = avatar_of(t, u);
	return OK;
}

void user_by_id(struct task *t, int64_t id, struct user *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, id);
	pg_query(t, &sql_user_by_id, &a, user_decode, out, next);
}

void user_by_name(struct task *t, struct str username, struct user *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_str(t, &a, username);
	pg_query(t, &sql_user_by_name, &a, user_decode, out, next);
}

/* ---- public profiles ---- */

#define PROFILE_COLUMNS                                                                            \
	"SELECT u.id, u.username, " AVATAR_OF("u") ", subscription_now(u.subscription_level, "     \
						   "u.subscription_expires_at) FROM users u"

PG_STMT(sql_profile_by_id, OP_READ,
	PROFILE_COLUMNS " WHERE u.id = $1::bigint AND u.deleted_at IS NULL");
PG_STMT(sql_profile_by_name, OP_READ,
	PROFILE_COLUMNS " WHERE lower(u.username) = lower($1::text) AND u.deleted_at IS NULL");

static enum err decode_profile(struct task *t, const struct pg_rows *r, void *out)
{
	struct profile *p = out;

	if (pg_count(r) == 0)
		return ERR_USER_NOT_FOUND;
	p->id = pg_i64(r, 0, 0);
	p->username = pg_text_copy(t, r, 0, 1);
	p->avatar_url = pg_text_copy(t, r, 0, 2);
	p->subscription_level = (int)pg_i64(r, 0, 3);
	return OK;
}

void profile_by_id(struct task *t, int64_t id, struct profile *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, id);
	pg_query(t, &sql_profile_by_id, &a, decode_profile, out, next);
}

void profile_by_name(struct task *t, struct str username, struct profile *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_str(t, &a, username);
	pg_query(t, &sql_profile_by_name, &a, decode_profile, out, next);
}

/* At least one row, so that the total is there on a page past the end too. */
PG_STMT(sql_profile_search, OP_READ,
	"WITH found AS MATERIALIZED ("
	" SELECT u.id, u.username, u.avatar_source FROM users u"
	"  WHERE u.deleted_at IS NULL AND (has_part(u.username, $1::text) OR u.id = $2::bigint)),"
	" page AS (SELECT * FROM found f ORDER BY f.id IS DISTINCT FROM $2::bigint,"
	"  lower(f.username) OFFSET $3::bigint LIMIT $4::bigint)"
	" SELECT (SELECT count(*) FROM found), p.id, p.username, " AVATAR_OF(
		"p") " FROM (VALUES (1)) one (x) LEFT JOIN page p ON true"
		     " ORDER BY p.id IS DISTINCT FROM $2::bigint, lower(p.username)");

static enum err decode_profile_page(struct task *t, const struct pg_rows *r, void *out)
{
	struct profile_page *page = out;

	page->total = pg_i64(r, 0, 0);
	page->count = pg_null(r, 0, 1) ? 0 : (size_t)pg_count(r);
	page->rows = arena_array(task_arena(t), struct profile, page->count);
	for (size_t i = 0; i < page->count; i++) {
		page->rows[i].id = pg_i64(r, (int)i, 1);
		page->rows[i].username = pg_text_copy(t, r, (int)i, 2);
		page->rows[i].avatar_url = pg_text_copy(t, r, (int)i, 3);
	}
	return OK;
}

void profile_search(struct task *t, struct str q, int64_t offset, int64_t limit,
	struct profile_page *out, task_fn *next)
{
	struct pg_args a = {0};
	int64_t id;

	pg_arg_str(t, &a, q);
	if (str_to_i64(q, &id))
		pg_arg_i64(t, &a, id);
	else
		pg_arg_null(&a);
	pg_arg_i64(t, &a, offset);
	pg_arg_i64(t, &a, limit);
	pg_query(t, &sql_profile_search, &a, decode_profile_page, out, next);
}

/* ---- identities ---- */

PG_STMT(sql_user_by_identity, OP_READ,
	"SELECT u.id, user_state(u.restriction, u.restricted_until), u.restriction_reason,"
	" u.restricted_until, u.bot_logins, u.username, " AVATAR_OF(
		"u") ", subscription_now(u.subscription_level, u.subscription_expires_at)"
		     " FROM identities i JOIN users u ON u.id = i.user_id"
		     " WHERE i.platform = $1::text AND i.platform_user_id = $2::text");

static enum err decode_identity_owner(struct task *t, const struct pg_rows *r, void *out)
{
	struct identity_owner *o = out;

	if (pg_count(r) == 0)
		return ERR_USER_NOT_FOUND;
	o->user_id = pg_i64(r, 0, 0);
	o->state = pg_text_copy(t, r, 0, 1);
	o->restriction_reason = pg_text_copy(t, r, 0, 2);
	o->restricted_until = pg_time(r, 0, 3);
	o->bot_logins = pg_i64(r, 0, 4);
	o->username = pg_text_copy(t, r, 0, 5);
	o->avatar_url = pg_text_copy(t, r, 0, 6);
	o->subscription_level = (int)pg_i64(r, 0, 7);
	return OK;
}

void user_by_identity(struct task *t, struct str platform, struct str platform_user_id,
	struct identity_owner *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_str(t, &a, platform);
	pg_arg_str(t, &a, platform_user_id);
	pg_query(t, &sql_user_by_identity, &a, decode_identity_owner, out, next);
}

PG_STMT(sql_identities_refresh, OP_WRITE,
	"WITH asked AS MATERIALIZED (SELECT a.* FROM unnest((SELECT $1::text[]),"
	"  (SELECT $2::text[]), (SELECT $3::text[]), (SELECT $4::text[]))"
	"  WITH ORDINALITY AS a (platform, platform_user_id, username, avatar_url, nr)),"
	" told AS (UPDATE identities i"
	"  SET platform_username = a.username, platform_avatar_url = a.avatar_url FROM asked a"
	"  WHERE i.platform = a.platform AND i.platform_user_id = a.platform_user_id"
	"  AND (i.platform_username, i.platform_avatar_url) IS DISTINCT FROM (a.username, "
	"a.avatar_url))"
	" SELECT a.nr FROM asked a ORDER BY a.nr");
PG_STMT_SHARED(sql_identity_refresh, OP_WRITE, sql_identities_refresh,
	"UPDATE identities SET platform_username = $3::text, platform_avatar_url = $4::text"
	" WHERE platform = $1::text AND platform_user_id = $2::text"
	" AND (platform_username, platform_avatar_url) IS DISTINCT FROM ($3::text, $4::text)");

void identity_refresh(struct task *t, struct str platform, struct str platform_user_id,
	struct str username, struct str avatar_url, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_str(t, &a, platform);
	pg_arg_str(t, &a, platform_user_id);
	pg_arg_str(t, &a, username);
	pg_arg_str(t, &a, avatar_safe(avatar_url));
	pg_query(t, &sql_identity_refresh, &a, NULL, NULL, next);
}

struct str avatar_safe(struct str url)
{
	struct str rest = url;

	if (rest.n == 0)
		return rest;
	str_cut(&rest, '/'); /* https: */
	str_cut(&rest, '/');
	str_cut(&rest, '/'); /* the host */
	while (rest.p) {
		struct str segment = str_cut(&rest, '/');

		if (segment.n >= 3 && str_eq_nocase(str_make(segment.p, 3), STR("bot")))
			return STR("");
	}
	return url;
}

/* ---- levels ---- */

PG_STMT(sql_user_level, OP_READ,
	"SELECT permission_level FROM users WHERE id = $1::bigint AND deleted_at IS NULL");

static enum err decode_level(struct task *t, const struct pg_rows *r, void *out)
{
	(void)t;
	if (pg_count(r) == 0)
		return ERR_USER_NOT_FOUND;
	*(int *)out = (int)pg_i64(r, 0, 0);
	return OK;
}

void user_level(struct task *t, int64_t id, int *level, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, id);
	pg_query(t, &sql_user_level, &a, decode_level, level, next);
}
