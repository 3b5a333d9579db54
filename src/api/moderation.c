/* Moderation (contract 3.4), and punishments by the administration (8): a handler looks, asks
 * rules/moderation.h, and makes the change, which holds only while what was decided upon still
 * stands; else it looks again.
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
	int64_t user_id; /* the target */
	bool (*allowed)(
		struct task *t, const struct moderating *f); /* false: the task has failed */
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

static bool allowed(struct task *t, const struct moderating *f)
{
	const struct moderation_view *v = &f->view;

	if (moderation_allowed(f->act.what, v->actor, v->target, v->visibility, v->owner))
		return true;
	task_fail(t, ERR_ACCESS_DENIED);
	return false;
}

static void moderation_seen(struct task *t)
{
	struct moderating *f = task_frame(t);

	if (f->allowed(t, f))
		moderation_do(t, &f->act, &f->done, moderation_changed);
}

static void moderation_again(struct task *t)
{
	struct moderating *f = task_frame(t);

	moderation_look(t, f->chat_id, caller(t)->user_id, f->user_id, &f->view, moderation_seen);
}

static struct moderating *moderating_make(
	struct task *t, enum moderation what, int64_t duration, struct str reason)
{
	struct moderating *f = task_frame_make(t, sizeof(*f));

	f->allowed = allowed;
	f->act = (struct moderation_act){
		.what = what, .seen = &f->view, .duration = duration, .reason = reason};
	return f;
}

static void moderation_start(
	struct task *t, enum moderation what, int64_t chat_id, int64_t duration, struct str reason)
{
	struct moderating *f = moderating_make(t, what, duration, reason);

	f->chat_id = chat_id;
	f->user_id = in_i64(t, "user_id");
	if (f->user_id == caller(t)->user_id)
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

/* ---- by the administration ---- */

/* POST /v1/admin/users/{id}/warn, /timeout, /ban, /unban */
static void punish(struct task *t, enum moderation what, int64_t duration)
{
	moderating_make(t, what, duration, in_str(t, "reason"))->user_id = in_i64(t, "id");
	moderation_again(t);
}

void admin_users_warn(struct task *t)
{
	punish(t, MODERATION_WARN, 0);
}

void admin_users_timeout(struct task *t)
{
	punish(t, MODERATION_TIMEOUT, in_i64(t, "duration"));
}

void admin_users_ban(struct task *t)
{
	punish(t, MODERATION_ACCOUNT_BAN, in_i64(t, "duration"));
}

void admin_users_unban(struct task *t)
{
	punish(t, MODERATION_ACCOUNT_UNBAN, 0);
}

/* POST /v1/admin/chats/{id}/kick: by hierarchy against the owner. In one's own chat anyone may be
 * kicked, elsewhere those one can act on. */
static bool kick_allowed(struct task *t, const struct moderating *f)
{
	const struct moderation_view *v = &f->view;
	bool own = v->owner.id == v->actor.id;

	if (can_administer_chat(v->actor, v->visibility, v->owner) &&
		(own ? v->target.id != v->actor.id : can_act_on(v->actor, v->target)))
		return true;
	task_fail(t, can_administer_chat(v->actor, v->visibility, v->owner) ||
				     chat_shown(v->visibility, v->inside)
			     ? ERR_ACCESS_DENIED
			     : ERR_CHAT_NOT_FOUND);
	return false;
}

void admin_chats_kick(struct task *t)
{
	struct moderating *f = moderating_make(t, MODERATION_KICK, 0, in_str(t, "reason"));

	f->chat_id = in_i64(t, "id");
	f->user_id = in_i64(t, "user_id");
	f->allowed = kick_allowed;
	moderation_again(t);
}
