/* Moderation: one look, one SQL function, then what Redis and the sockets have to hear.
 *
 *   moderation_do -> acted (committed) -> ended: sessions, or rooms and caches -> noticed: the
 *     notification -> settled: the system message -> said -> room_told
 *
 * Behind the commit nothing fails: rooms and caches are told from room_changes, now or later;
 * events and the system message are news. To add an act: rules/moderation.h, its branch of
 * moderate() in schema/, a row in `acts`. */
#include "store/moderation.h"

#include "store/account.h"
#include "store/chat_change.h"
#include "store/chat_private.h"
#include "store/event.h"
#include "store/match.h"
#include "store/message.h"
#include "store/notification.h"

static const struct {
	const char *word;  /* in schema/ */
	const char *event; /* told to the room and the person; NULL: none */
	const char *said;  /* in the chat, behind the person's name; NULL: nothing */
	const char *ends;  /* the person's sessions, for this reason; NULL: it does not */
} acts[MODERATION_COUNT] = {
	[MODERATION_KICK] = {.word = "kick", .said = "was removed from the chat"},
	[MODERATION_BAN] = {.word = "ban",
		.event = "user:banned",
		.said = "was banned from the chat"},
	[MODERATION_UNBAN] = {.word = "unban", .event = "user:unbanned"},
	[MODERATION_MUTE] = {.word = "mute", .event = "user:muted"},
	[MODERATION_UNMUTE] = {.word = "unmute", .event = "user:unmuted"},
	[MODERATION_WARN] = {.word = "warn", .said = "was warned"},
	[MODERATION_TIMEOUT] = {.word = "timeout", .ends = "timeout"},
	[MODERATION_HARD_MUTE] = {.word = "hard_mute", .event = "user:hard_muted"},
	[MODERATION_HARD_UNMUTE] = {.word = "hard_unmute", .event = "user:hard_unmuted"},
	[MODERATION_ACCOUNT_BAN] = {.word = "account_ban", .ends = "banned"},
	[MODERATION_ACCOUNT_UNBAN] = {.word = "account_unban"},
};

/* ---- looking ---- */

PG_STMT(sql_moderation_look, OP_READ,
	"SELECT c.id, c.name, c.visibility, c.owner_id, o.permission_level, a.permission_level,"
	" c.owner_id IS NOT DISTINCT FROM a.id OR EXISTS (SELECT FROM chat_members m"
	"  WHERE m.chat_id = c.id AND m.user_id = a.id), x.id, x.permission_level, x.username"
	" FROM (VALUES (1)) one (row) LEFT JOIN chats c ON c.id = $1::bigint"
	" LEFT JOIN users o ON o.id = c.owner_id"
	" LEFT JOIN users a ON a.id = $2::bigint AND a.deleted_at IS NULL"
	"  AND user_state(a.restriction, a.restricted_until) = 'active'"
	" LEFT JOIN users x ON x.id = $3::bigint AND x.deleted_at IS NULL");

/* moderation_look -> looked -> (done, or direct_read -> looked_direct) */
struct moderation_looking {
	struct moderation_view *out;
	bool known; /* the chat, to PostgreSQL */
	struct direct direct;
};

static enum err decode_look(struct task *t, const struct pg_rows *r, void *out)
{
	struct moderation_looking *f = out;
	struct moderation_view *v = f->out;

	v->actor.level = level_decode(r, 0, 5);
	f->known = !pg_null(r, 0, 0);
	if (f->known) {
		v->chat_name = pg_text_copy(t, r, 0, 1);
		v->visibility = visibility_of(pg_text(r, 0, 2));
		v->owner = (struct person){pg_i64(r, 0, 3), level_decode(r, 0, 4)};
		v->inside = pg_bool(r, 0, 6);
	}
	v->target.level = level_decode(r, 0, 8);
	v->target_name = pg_text_copy(t, r, 0, 9);
	return OK;
}

static void look_done(struct task *t)
{
	const struct moderation_view *v = ((struct moderation_looking *)task_frame(t))->out;

	if (v->chat_id && !moderation_sees(v->actor, v->visibility, v->owner, v->inside))
		task_fail(t, ERR_CHAT_NOT_FOUND);
	else if (!v->target_name.p)
		task_fail(t, ERR_USER_NOT_FOUND);
	else
		task_return(t);
}

static void looked_direct(struct task *t)
{
	const struct moderation_looking *f = task_frame(t);

	f->out->visibility = VISIBILITY_DIRECT;
	f->out->inside = direct_which(&f->direct, f->out->actor.id) >= 0;
	look_done(t);
}

static void looked(struct task *t)
{
	struct moderation_looking *f = task_frame(t);

	if (f->known || !f->out->chat_id)
		look_done(t);
	else
		direct_read(t, f->out->chat_id, &f->direct, looked_direct);
}

void moderation_look(struct task *t, int64_t chat_id, int64_t actor, int64_t target,
	struct moderation_view *out, task_fn *next)
{
	struct moderation_looking *f = task_call(t, sizeof(*f), next);
	struct pg_args a = {0};

	f->out = out;
	*out = (struct moderation_view){.chat_id = chat_id,
		.owner = {.level = LEVEL_NONE},
		.actor = {.id = actor},
		.target = {.id = target}};
	chat_arg_id(t, &a, chat_id);
	pg_arg_i64(t, &a, actor);
	pg_arg_i64(t, &a, target);
	pg_query(t, &sql_moderation_look, &a, decode_look, f, looked);
}

/* ---- acting ---- */

struct moderation_run {
	struct moderation_act act;
	bool *done, nothing; /* there was nothing to lift */
	int64_t until;       /* us; 0: for ever */
	struct str gone;     /* sessions that ended */
	int64_t notice;      /* 0: none */
};

PG_STMT(sql_moderate, OP_WRITE,
	"SELECT outcome, until, gone, notice FROM moderate($1::text, $2::bigint, $3::bigint, "
	"$4::bigint,"
	" $5::bigint, $6::bigint, $7::bigint, $8::bigint, $9::text, $10::bigint, $11::text)");

static enum err decode_moderate(struct task *t, const struct pg_rows *r, void *out)
{
	struct moderation_run *f = out;
	struct str word = pg_text(r, 0, 0);

	if (str_eq(word, STR("unknown")))
		return ERR_USER_NOT_FOUND;
	*f->done = !str_eq(word, STR("again"));
	f->nothing = str_eq(word, STR("is"));
	f->until = pg_time(r, 0, 1);
	f->gone = pg_text_copy(t, r, 0, 2);
	f->notice = pg_i64(r, 0, 3);
	return OK;
}

static struct event *event_fill(const struct moderation_run *f, struct event *e)
{
	json_obj(&e->json);
	if (f->act.seen->chat_id) {
		json_ki64(&e->json, "chat_id", f->act.seen->chat_id);
		json_ki64(&e->json, "user_id", f->act.seen->target.id);
	}
	json_ktime(&e->json, "until", f->until);
	json_end(&e->json);
	return e;
}

/* The person's sockets that are in the room have heard it there. */
static void room_told(struct task *t)
{
	const struct moderation_run *f = task_frame(t);
	struct event *e =
		event_to_user(t, f->act.seen->target.id, TO_ROOM, acts[f->act.what].event);

	if (f->act.seen->chat_id)
		e->who = arena_printf(task_arena(t), "@%lld", (long long)f->act.seen->chat_id);
	event_send(t, event_fill(f, e), task_return);
}

static void said(struct task *t)
{
	const struct moderation_run *f = task_frame(t);
	const char *name = acts[f->act.what].event;
	int64_t chat_id = f->act.seen->chat_id;

	if (!name)
		task_return(t);
	else if (!chat_id)
		room_told(t);
	else
		event_send(t, event_fill(f, event_to_room(t, chat_id, TO_ROOM, name)), room_told);
}

static void settled(struct task *t)
{
	const struct moderation_run *f = task_frame(t);
	const char *text = acts[f->act.what].said;

	if (!text || !f->act.seen->chat_id) {
		said(t);
		return;
	}
	task_catch(t);
	message_system(t, f->act.seen->chat_id, f->act.seen->chat_name,
		arena_printf(task_arena(t), STR_FMT " %s", STR_ARG(f->act.seen->target_name), text),
		said);
}

static void noticed(struct task *t)
{
	const struct moderation_run *f = task_frame(t);

	if (f->notice)
		notification_tell(t, f->notice, settled);
	else
		settled(t);
}

static void acted(struct task *t)
{
	const struct moderation_run *f = task_frame(t);
	const char *ends = acts[f->act.what].ends;

	if (!*f->done || f->nothing)
		task_return(t);
	else if (ends)
		account_closed(t, f->act.seen->target.id, f->gone, ends, noticed);
	else if (f->notice || f->act.what == MODERATION_ACCOUNT_UNBAN)
		noticed(t);
	else
		chat_settle(t, f->act.seen->chat_id, noticed);
}

void moderation_do(struct task *t, const struct moderation_act *act, bool *done, task_fn *next)
{
	struct moderation_run *f = task_call(t, sizeof(*f), next);
	const struct moderation_view *v = act->seen;
	struct pg_args a = {0};

	f->act = *act;
	f->done = done;
	pg_arg_str(t, &a, str_of(acts[act->what].word));
	chat_arg_id(t, &a, v->actor.id);
	pg_arg_i64(t, &a, v->actor.level);
	pg_arg_i64(t, &a, v->target.id);
	pg_arg_i64(t, &a, v->target.level);
	chat_arg_id(t, &a, v->chat_id);
	chat_arg_id(t, &a, v->owner.id);
	pg_arg_i64(t, &a, v->owner.level);
	pg_arg_str(t, &a, v->chat_id ? str_of(visibility_name(v->visibility)) : STR_NULL);
	pg_arg_i64(t, &a, act->duration);
	pg_arg_str(t, &a, act->reason.p ? act->reason : STR(""));
	pg_query(t, &sql_moderate, &a, decode_moderate, f, acted);
}
