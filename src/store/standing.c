/* One statement, and what follows from its row. A chat that PostgreSQL does not know is looked for
 * among the direct ones.
 *
 *   standing_read -> standing_known -> (done, or direct_read -> standing_direct)
 *
 * To ask for more: struct standing, sql_standing, decode_standing. */
#include "store/standing.h"

#include "io/pg.h"
#include "store/chat.h"
#include "store/match.h"
#include "store/user.h"

PG_STMT(sql_standing, OP_READ,
	"SELECT c.name, c.wipe_preset, CASE c.visibility WHEN 'official' THEN 0 WHEN 'public' THEN "
	"1 ELSE 2 END,"
	" c.history_visible, c.last_activity_at, c.owner_id, o.permission_level, "
	"u.username, " AVATAR_OF(
		"u") ","
		     " u.permission_level, j.joined_at, chat_banned(c.id, u.id),"
		     " m.muted, m.until, EXISTS (SELECT FROM room_changes w"
		     "  WHERE w.chat_id = c.id AND w.reason = 'visibility')"
		     " FROM users u LEFT JOIN chats c ON c.id = $1::bigint"
		     " LEFT JOIN users o ON o.id = c.owner_id"
		     " LEFT JOIN chat_members j ON j.chat_id = c.id AND j.user_id = u.id,"
		     " LATERAL (SELECT count(*) > 0, CASE WHEN count(*) = count(h.expires_at) THEN "
		     "max(h.expires_at) END"
		     "  FROM (SELECT x.expires_at FROM chat_mutes x WHERE x.chat_id = c.id AND "
		     "x.user_id = u.id"
		     "   UNION ALL SELECT y.expires_at FROM hard_mutes y WHERE y.user_id = u.id) h"
		     "  WHERE h.expires_at IS NULL OR h.expires_at > now()) m (muted, until)"
		     " WHERE u.id = $2::bigint AND u.deleted_at IS NULL");

struct standing_look {
	struct standing *out;
	bool known; /* to PostgreSQL */
	struct direct direct;
};

static enum err decode_standing(struct task *t, const struct pg_rows *r, void *out)
{
	struct standing_look *f = out;
	struct standing *s = f->out;

	if (pg_count(r) == 0)
		return ERR_CHAT_NOT_FOUND;
	f->known = !pg_null(r, 0, 0);
	s->chat_name = pg_text_copy(t, r, 0, 0);
	s->wipe_preset = pg_text_copy(t, r, 0, 1);
	s->visibility = (enum visibility)pg_i64(r, 0, 2);
	s->history_visible = pg_bool(r, 0, 3);
	s->last_activity_at = pg_time(r, 0, 4);
	s->owner_id = pg_i64(r, 0, 5);
	s->owner_level = pg_null(r, 0, 6) ? LEVEL_NONE : (int)pg_i64(r, 0, 6);
	s->username = pg_text_copy(t, r, 0, 7);
	s->avatar_url = pg_text_copy(t, r, 0, 8);
	s->level = (int)pg_i64(r, 0, 9);
	s->member_since = pg_time(r, 0, 10);
	s->member = s->member_since != 0 || s->owner_id == s->user_id;
	s->banned = pg_bool(r, 0, 11);
	s->muted = pg_bool(r, 0, 12);
	s->muted_until = pg_time(r, 0, 13);
	s->turning = pg_bool(r, 0, 14);
	return OK;
}

static void standing_direct(struct task *t)
{
	const struct standing_look *f = task_frame(t);
	struct standing *s = f->out;

	s->chat_name = DIRECT_NAME;
	s->wipe_preset = STR("");
	s->visibility = VISIBILITY_DIRECT;
	s->history_visible = true;
	s->member = direct_which(&f->direct, s->user_id) >= 0;
	task_return(t);
}

static void standing_known(struct task *t)
{
	struct standing_look *f = task_frame(t);

	if (f->known)
		task_return(t);
	else
		direct_read(t, f->out->chat_id, &f->direct, standing_direct);
}

void standing_read(
	struct task *t, int64_t chat_id, int64_t user_id, struct standing *out, task_fn *next)
{
	struct standing_look *f = task_call(t, sizeof(*f), next);
	struct pg_args a = {0};

	f->out = out;
	*out = (struct standing){.chat_id = chat_id, .user_id = user_id};
	pg_arg_i64(t, &a, chat_id);
	pg_arg_i64(t, &a, user_id);
	pg_query(t, &sql_standing, &a, decode_standing, f, standing_known);
}

bool standing_sees(const struct standing *s)
{
	return chat_shown(s->visibility, s->member);
}

static struct person person_of(const struct standing *s)
{
	return (struct person){s->user_id, s->level};
}

static struct person owner_of(const struct standing *s)
{
	return (struct person){s->owner_id, s->owner_level};
}

bool standing_manages(const struct standing *s)
{
	return can_manage_chat(person_of(s), s->visibility, owner_of(s));
}

bool standing_moderates(const struct standing *s)
{
	return can_moderate_chat(person_of(s), s->visibility, owner_of(s));
}

int64_t standing_reads_since(const struct standing *s)
{
	if (s->history_visible || standing_manages(s))
		return SINCE_START;
	return s->visibility == VISIBILITY_PRIVATE ? s->member_since / 1000 : SINCE_JOIN;
}
