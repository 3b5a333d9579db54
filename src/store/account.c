/* After an account changed or closed (account.h).
 *
 *   account_changed -> search_forgotten -> cards_dropped -> face_read (PostgreSQL)
 *     -> shown: the rooms they are in
 *   account_closed  -> search and direct chat end -> the sessions, told to Redis
 *
 * To end something else with an account: a step in account_closed. To show
 * something else of a person in rooms: sql_face, write_chat_person, and api/rooms.c. */
#include "store/account.h"

#include "base/log.h"
#include "gen/schema.h"
#include "store/match.h"
#include "store/message.h"
#include "store/session_private.h"
#include "store/shown.h"
#include "store/user.h"

/* ---- changed ---- */

struct face {
	int64_t user_id;
	struct str json;     /* as api/rooms.c writes it at a join */
	struct str sessions; /* "session_id session_id …" */
};

PG_STMT(sql_face, OP_READ,
	"SELECT u.username, " AVATAR_OF(
		"u") ", u.permission_level, (SELECT string_agg(encode(s.token_hash, 'hex'), ' ')"
		     "  FROM sessions s WHERE s.user_id = u.id AND s.ended_at IS NULL AND "
		     "s.expires_at > now())"
		     " FROM users u WHERE u.id = $1::bigint AND u.deleted_at IS NULL");

static struct str session_ids(struct task *t, struct str hashes)
{
	struct buf b = {0};
	struct str ids;

	while (hashes.p && hashes.n > 0) {
		uint8_t hash[HASH_LEN];
		char id[SESSION_ID_LEN];

		if (!hex_decode(str_cut(&hashes, ' '), hash, HASH_LEN))
			PANIC("a hash that is none");
		session_public_id(hash, id);
		buf_printf(&b, "%.*s ", SESSION_ID_LEN, id);
	}
	ids = arena_str(task_arena(t), buf_view(&b));
	buf_free(&b);
	return ids;
}

static enum err face_decode(struct task *t, const struct pg_rows *r, void *out)
{
	struct face *f = out;
	struct buf b = {0};
	struct json_out j;

	if (pg_count(r) == 0)
		return ERR_USER_NOT_FOUND;
	json_out_init(&j, &b);
	write_chat_person(&j, f->user_id, pg_text(r, 0, 0), pg_text(r, 0, 1), (int)pg_i64(r, 0, 2));
	f->json = arena_str(task_arena(t), buf_view(&b));
	buf_free(&b);
	f->sessions = session_ids(t, pg_text(r, 0, 3));
	return OK;
}

static void shown(struct task *t)
{
	task_return(t);
}

static void face_read(struct task *t)
{
	const struct face *f = task_frame(t);
	struct redis_args a = {0};

	if (task_err(t) != OK || f->sessions.n == 0) {
		task_return(t);
		return;
	}
	redis_arg_i64(t, &a, f->user_id);
	redis_arg(&a, f->json);
	redis_arg(&a, f->sessions);
	task_catch(t);
	redis_eval(t, &redis_scripts[SCRIPT_PERSON_SHOWN], &a, NULL, NULL, shown);
}

static void cards_dropped(struct task *t)
{
	struct face *f = task_frame(t);
	struct pg_args a = {0};

	pg_arg_i64(t, &a, f->user_id);
	task_catch(t);
	pg_query(t, &sql_face, &a, face_decode, f, face_read);
}

static void search_forgotten(struct task *t)
{
	const struct face *f = task_frame(t);

	task_catch(t);
	message_person_changed(t, f->user_id, cards_dropped);
}

void account_changed(struct task *t, int64_t user_id, task_fn *next)
{
	struct face *f = task_call(t, sizeof(*f), next);

	f->user_id = user_id;
	task_catch(t);
	match_forget(t, user_id, search_forgotten);
}

/* ---- closed ---- */

struct closing {
	struct str gone;
	const char *reason;
};

static void closed(struct task *t)
{
	const struct closing *f = task_frame(t);

	session_tell(t, f->gone, f->reason, task_return);
}

void account_closed(
	struct task *t, int64_t user_id, struct str gone, const char *reason, task_fn *next)
{
	struct closing *f = task_call(t, sizeof(*f), next);

	log_line(
		LOG_INFO, "an account was closed", LOG_I("user", user_id), LOG_Z("reason", reason));
	f->gone = gone;
	f->reason = reason;
	match_close(t, user_id, closed);
}
