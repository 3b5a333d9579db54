/* portalctl user list, show, promote: people and their levels. */
#include "ctl/ctl.h"
#include "store/user_admin.h"

static void write_line(struct json_out *j, const struct user_line *u)
{
	json_obj(j);
	json_ki64(j, "id", u->id);
	json_kstr(j, "username", u->username);
	json_key(j, "level");
	json_z(j, ctl_level_name(u->permission_level));
	json_key(j, "subscription");
	json_z(j, ctl_subscription_name(u->subscription_level));
	json_kstr(j, "state", u->state);
	json_kstr(j, "platforms", u->platforms);
	json_ktime(j, "created_at", u->created_at);
	json_ktime(j, "last_activity_at", u->last_activity_at);
	json_end(j);
}

/* ---- user list ---- */
static void listed(struct task *t)
{
	struct user_lines *f = task_frame(t);

	json_arr(ctl_json());
	for (size_t i = 0; i < f->count; i++)
		write_line(ctl_json(), &f->rows[i]);
	json_end(ctl_json());
	if (f->total > (int64_t)f->count)
		ctl_say("%lld of %lld; --limit shows more", (long long)f->count,
			(long long)f->total);
	ctl_done(t);
}

void ctl_user_list(struct task *t)
{
	struct user_lines *f = task_frame_make(t, sizeof(*f));
	const struct user_filter filter = {
		.q = ctl_str("--search"),
		.state = ctl_str("--state"),
		.level = (int)ctl_int("--level", LEVEL_NONE),
		.limit = ctl_int("--limit", 100),
	};

	user_list(t, &filter, f, listed);
}

/* ---- user show: resolved -> shown ---- */
struct show {
	int64_t id;
	struct str record; /* JSON */
};

static void shown(struct task *t)
{
	const struct show *f = task_frame(t);

	json_raw(ctl_json(), f->record);
	ctl_done(t);
}

static void show_resolved(struct task *t)
{
	struct show *f = task_frame(t);

	user_dossier(t, f->id, (struct person){.level = LEVEL_OWNER}, &f->record, shown);
}

void ctl_user_show(struct task *t)
{
	struct show *f = task_frame_make(t, sizeof(*f));

	user_resolve(t, ctl_str("USER"), &f->id, show_resolved);
}

/* ---- user promote: resolved -> changed ---- */
struct change {
	int64_t id;
	int old;
	bool done; /* always: the command line may everything */
};

static void changed(struct task *t)
{
	const struct change *f = task_frame(t);
	struct json_out *j = ctl_json();

	json_obj(j);
	json_ki64(j, "id", f->id);
	json_key(j, "old_level");
	json_z(j, ctl_level_name(f->old));
	json_kstr(j, "new_level", ctl_str("--level"));
	json_end(j);
	ctl_done(t);
}

static void promote_resolved(struct task *t)
{
	struct change *f = task_frame(t);
	const struct by who = {.person.id = f->id};

	user_set_level(t, &who, (int)ctl_int("--level", 0), &f->old, &f->done, changed);
}

void ctl_user_promote(struct task *t)
{
	struct change *f = task_frame_make(t, sizeof(*f));

	user_resolve(t, ctl_str("USER"), &f->id, promote_resolved);
}
