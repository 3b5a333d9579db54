/* portalctl user …, subscription …: people, their levels and subscriptions. */
#include "ctl/ctl.h"
#include "store/user.h"
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

	const struct user_filter all = {
		.q = ctl_str("--search"), .level = LEVEL_NONE, .limit = ctl_int("--limit", 100)};

	user_list(t, &all, f, listed);
}

/* ---- user show: resolved -> shown ---- */
struct show {
	int64_t id;
	struct user user;
};

static void shown(struct task *t)
{
	struct show *f = task_frame(t);
	struct json_out *j = ctl_json();
	const struct user *u = &f->user;

	json_obj(j);
	json_ki64(j, "id", u->id);
	json_kstr(j, "username", u->username);
	json_kstr(j, "state", u->state);
	json_key(j, "level");
	json_z(j, ctl_level_name(u->permission_level));
	json_ktime(j, "permission_since", u->permission_since);
	json_key(j, "subscription");
	json_z(j, ctl_subscription_name(u->subscription_level));
	json_ktime(j, "subscription_expires_at", u->subscription_expires_at);
	json_kstr(j, "avatar_url", u->avatar_url);
	json_ktime(j, "created_at", u->created_at);
	json_ktime(j, "last_activity_at", u->last_activity_at);
	json_key(j, "platforms");
	json_arr(j);
	for (size_t i = 0; i < u->identity_count; i++) {
		json_obj(j);
		json_kstr(j, "platform", u->identities[i].platform);
		json_kstr(j, "platform_user_id", u->identities[i].platform_user_id);
		json_kstr(j, "name", u->identities[i].platform_username);
		json_ktime(j, "last_authenticated_at", u->identities[i].last_authenticated_at);
		json_end(j);
	}
	json_end(j);
	json_end(j);
	ctl_done(t);
}

static void show_resolved(struct task *t)
{
	struct show *f = task_frame(t);

	user_by_id(t, f->id, &f->user, shown);
}

void ctl_user_show(struct task *t)
{
	struct show *f = task_frame_make(t, sizeof(*f));

	user_resolve(t, ctl_str("USER"), &f->id, show_resolved);
}

/* ---- user promote, subscription grant and revoke: resolved -> changed ---- */
struct change {
	int64_t id;
	int old, level;
	bool done; /* always: the command line may everything */
	const char *(*name)(int level);
};

static void changed(struct task *t)
{
	struct change *f = task_frame(t);
	struct json_out *j = ctl_json();

	json_obj(j);
	json_ki64(j, "id", f->id);
	json_key(j, "old_level");
	json_z(j, f->name(f->old));
	json_key(j, "new_level");
	json_z(j, f->name(f->level));
	json_end(j);
	ctl_done(t);
}

static void promote_resolved(struct task *t)
{
	struct change *f = task_frame(t);

	const struct by who = {.person.id = f->id};

	user_set_level(t, &who, f->level, &f->old, &f->done, changed);
}

void ctl_user_promote(struct task *t)
{
	struct change *f = task_frame_make(t, sizeof(*f));

	f->level = (int)ctl_int("--level", 0);
	f->name = ctl_level_name;
	user_resolve(t, ctl_str("USER"), &f->id, promote_resolved);
}

static void subscription_changed(struct task *t)
{
	if (task_err(t) == ERR_TRIAL_USED)
		ctl_fail(t, "this person has had the one trial");
	else if (task_err(t) != OK)
		task_fail(t, task_err(t));
	else
		changed(t);
}

#define PREMIUM_DAYS 30

static void grant_resolved(struct task *t)
{
	struct change *f = task_frame(t);
	const struct by who = {.person.id = f->id};
	const struct subscription_grant grant = {.level = f->level,
		.days = subscription_days(f->level, ctl_int("--days", PREMIUM_DAYS)),
		.reason = ctl_str("--reason")};

	if (grant.days > SUBSCRIPTION_DAYS_MAX) {
		ctl_fail(t, "--days must be at most %d", SUBSCRIPTION_DAYS_MAX);
		return;
	}
	task_catch(t);
	user_set_subscription(t, &who, &grant, &f->old, &f->done, subscription_changed);
}

void ctl_subscription_grant(struct task *t)
{
	struct change *f = task_frame_make(t, sizeof(*f));

	f->level = 1 + (int)ctl_int("--level", 0);
	f->name = ctl_subscription_name;
	user_resolve(t, ctl_str("USER"), &f->id, grant_resolved);
}

static void revoke_resolved(struct task *t)
{
	struct change *f = task_frame(t);

	const struct by who = {.person.id = f->id};
	const struct subscription_grant none = {.reason = ctl_str("--reason")};

	user_set_subscription(t, &who, &none, &f->old, &f->done, changed);
}

void ctl_subscription_revoke(struct task *t)
{
	struct change *f = task_frame_make(t, sizeof(*f));

	f->name = ctl_subscription_name;
	user_resolve(t, ctl_str("USER"), &f->id, revoke_resolved);
}
