/* Moderation (contract 3.4): a handler looks, asks rules/moderation.h, and makes the change, which
 * holds only while what was decided upon still stands; else it looks again.
 *
 *   begin -> moderation_start -> look -> seen -> changed -> {"ok": true}, or look again
 *
 * To add an act: rules/moderation.h, store/moderation.c, its row in api/routes.c, its name in
 * api/handlers.h, and its first step here. */
#include "store/moderation.h"

#include "api/handlers.h"
#include "api/request.h"

#define MUTE_SECONDS 300 /* unless said otherwise */

struct moderating {
	int64_t chat_id; /* 0: everywhere */
	struct moderation_view view;
	struct moderation_act act;
	bool done;
};

static void moderation_again(struct task *t);

static void moderation_changed(struct task *t)
{
	const struct moderating *f = task_frame(t);

	if (f->done)
		reply_ok(t);
	else
		task_next(t, moderation_again);
}

static void moderation_seen(struct task *t)
{
	struct moderating *f = task_frame(t);
	const struct moderation_view *v = &f->view;

	if (!moderation_allowed(f->act.what, v->actor, v->target, v->visibility, v->owner))
		task_fail(t, ERR_ACCESS_DENIED);
	else
		moderation_do(t, &f->act, &f->done, moderation_changed);
}

static void moderation_again(struct task *t)
{
	struct moderating *f = task_frame(t);

	moderation_look(
		t, f->chat_id, caller(t)->user_id, in_i64(t, "user_id"), &f->view, moderation_seen);
}

static void moderation_start(
	struct task *t, enum moderation what, int64_t chat_id, int64_t duration, struct str reason)
{
	struct moderating *f = task_frame_make(t, sizeof(*f));

	f->chat_id = chat_id;
	f->act = (struct moderation_act){
		.what = what, .seen = &f->view, .duration = duration, .reason = reason};
	if (in_i64(t, "user_id") == caller(t)->user_id)
		fail_field(t, "user_id", STR("user_id must be another person's"));
	else
		moderation_again(t);
}

void chats_kick(struct task *t)
{
	moderation_start(t, MODERATION_KICK, in_i64(t, "id"), 0, in_str(t, "reason"));
}

void chats_ban(struct task *t)
{
	moderation_start(
		t, MODERATION_BAN, in_i64(t, "id"), in_i64(t, "duration"), in_str(t, "reason"));
}

void chats_unban(struct task *t)
{
	moderation_start(t, MODERATION_UNBAN, in_i64(t, "id"), 0, in_str(t, "reason"));
}

void chats_mute(struct task *t)
{
	moderation_start(t, MODERATION_MUTE, in_i64(t, "id"),
		in_has(t, "duration") ? in_i64(t, "duration") : MUTE_SECONDS, in_str(t, "reason"));
}

void chats_unmute(struct task *t)
{
	moderation_start(t, MODERATION_UNMUTE, in_i64(t, "id"), 0, STR_NULL);
}

void chats_warn(struct task *t)
{
	moderation_start(t, MODERATION_WARN, in_i64(t, "id"), 0, in_str(t, "reason"));
}

void chats_timeout(struct task *t)
{
	moderation_start(
		t, MODERATION_TIMEOUT, in_i64(t, "id"), in_i64(t, "duration"), in_str(t, "reason"));
}

/* POST /v1/portal/hard-mute, hard-unmute */
void hard_mute(struct task *t)
{
	moderation_start(t, MODERATION_HARD_MUTE, 0, in_i64(t, "duration"), in_str(t, "reason"));
}

void hard_unmute(struct task *t)
{
	moderation_start(t, MODERATION_HARD_UNMUTE, 0, 0, in_str(t, "reason"));
}

/* room:kick {chat_id, user_id, ban?, duration?, reason?} */
void room_kick_event(struct task *t)
{
	moderation_start(t, in_bool(t, "ban") ? MODERATION_BAN : MODERATION_KICK,
		in_i64(t, "chat_id"), in_i64(t, "duration"), in_str(t, "reason"));
}
