/* portalctl user warn, timeout, ban, unban, mute, unmute; chat kick. The same acts as over HTTP:
 * store/moderation.h tells whoever is concerned.
 *
 *   begin -> resolved -> moderation_look -> seen -> moderated -> (again while levels change) ->
 * done
 *
 * To add an act: a row in commands.c, and a line here. */
#include "store/moderation.h"

#include "base/clock.h"
#include "ctl/ctl.h"
#include "store/user_admin.h"

#define DAY_SECONDS INT64_C(86400)

struct moderating {
	int64_t chat_id, user_id; /* chat 0: everywhere */
	struct moderation_view view;
	struct moderation_act act;
	bool done;
};

static void resolved(struct task *t);

static void moderated(struct task *t)
{
	const struct moderating *f = task_frame(t);
	struct json_out *j = ctl_json();

	if (!f->done) {
		resolved(t);
		return;
	}
	json_obj(j);
	json_ki64(j, "id", f->user_id);
	json_kstr(j, "username", f->view.target_name);
	json_ktime(j, "until", f->act.duration ? clock_us() + f->act.duration * 1000000 : 0);
	json_end(j);
	ctl_done(t);
}

static void seen(struct task *t)
{
	struct moderating *f = task_frame(t);

	moderation_do(t, &f->act, &f->done, moderated);
}

static void resolved(struct task *t)
{
	struct moderating *f = task_frame(t);

	moderation_look(t, f->chat_id, 0, f->user_id, &f->view, seen);
}

static void moderate(
	struct task *t, enum moderation what, int64_t chat_id, int64_t duration, int64_t most)
{
	struct moderating *f = task_frame_make(t, sizeof(*f));

	f->chat_id = chat_id;
	f->act = (struct moderation_act){.what = what,
		.seen = &f->view,
		.duration = duration,
		.reason = ctl_str("--reason")};
	if (!ctl_length_ok(t, "--reason", 0, 500))
		return;
	if (duration > most || (what == MODERATION_TIMEOUT && duration < 60))
		ctl_fail(t, "--for must be %s at most %lld days",
			what == MODERATION_TIMEOUT ? "at least a minute and" : "",
			(long long)(most / DAY_SECONDS));
	else
		user_resolve(t, ctl_str("USER"), &f->user_id, resolved);
}

void ctl_user_warn(struct task *t)
{
	moderate(t, MODERATION_WARN, 0, 0, 0);
}

void ctl_user_timeout(struct task *t)
{
	moderate(t, MODERATION_TIMEOUT, 0, ctl_int("--for", 0), 30 * DAY_SECONDS);
}

void ctl_user_ban(struct task *t)
{
	moderate(t, MODERATION_ACCOUNT_BAN, 0, ctl_int("--for", 0), 3650 * DAY_SECONDS);
}

void ctl_user_unban(struct task *t)
{
	moderate(t, MODERATION_ACCOUNT_UNBAN, 0, 0, 0);
}

void ctl_user_mute(struct task *t)
{
	moderate(t, MODERATION_HARD_MUTE, 0, ctl_int("--for", 0), 30 * DAY_SECONDS);
}

void ctl_user_unmute(struct task *t)
{
	moderate(t, MODERATION_HARD_UNMUTE, 0, 0, 0);
}

void ctl_chat_kick(struct task *t)
{
	moderate(t, MODERATION_KICK, ctl_int("CHAT", 0), 0, 0);
}
