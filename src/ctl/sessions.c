/* portalctl session …: a person's live sessions, and their end. */
#include "ctl/ctl.h"
#include "store/session.h"
#include "store/user_admin.h"

/* ---- session list: resolved -> listed ---- */
struct list_sessions {
	int64_t id;
	struct session_list found;
};

static void listed(struct task *t)
{
	struct list_sessions *f = task_frame(t);
	struct json_out *j = ctl_json();

	json_arr(j);
	for (size_t i = 0; i < f->found.count; i++) {
		const struct session_row *s = &f->found.rows[i];

		json_obj(j);
		json_kstr(j, "suffix", s->suffix);
		json_kstr(j, "client_ip", s->client_ip);
		json_ktime(j, "created_at", s->created_at);
		json_ktime(j, "expires_at", s->expires_at);
		json_kstr(j, "user_agent", s->user_agent);
		json_end(j);
	}
	json_end(j);
	ctl_done(t);
}

static void list_resolved(struct task *t)
{
	struct list_sessions *f = task_frame(t);

	session_list_live(t, f->id, &f->found, listed);
}

void ctl_session_list(struct task *t)
{
	struct list_sessions *f = task_frame_make(t, sizeof(*f));

	user_resolve(t, ctl_str("USER"), &f->id, list_resolved);
}

/* ---- session end: resolved -> ended ---- */
struct end_sessions {
	int64_t id, ended;
};

static void ended(struct task *t)
{
	const struct end_sessions *f = task_frame(t);

	if (f->ended == 0 && ctl_has("--suffix")) {
		ctl_fail(t, "Session not found");
		return;
	}
	json_obj(ctl_json());
	json_ki64(ctl_json(), "ended", f->ended);
	json_end(ctl_json());
	ctl_done(t);
}

static void end_resolved(struct task *t)
{
	struct end_sessions *f = task_frame(t);

	if (ctl_has("--all"))
		session_end_all(t, f->id, NULL, "destroyed", &f->ended, ended);
	else
		session_end_suffix(t, f->id, ctl_str("--suffix"), NULL, &f->ended, ended);
}

void ctl_session_end(struct task *t)
{
	struct end_sessions *f = task_frame_make(t, sizeof(*f));

	if (ctl_has("--all") == ctl_has("--suffix")) {
		ctl_fail(t, "say which: --suffix XXXXXX, or --all");
		return;
	}
	user_resolve(t, ctl_str("--user"), &f->id, end_resolved);
}
