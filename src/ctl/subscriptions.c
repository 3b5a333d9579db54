/* portalctl subscription …: grants, their end, and who has one. */
#include "ctl/ctl.h"
#include "store/user_admin.h"

#define PREMIUM_DAYS 30

/* ---- grant, revoke: resolved -> changed ---- */
struct change {
	int64_t id;
	int old;
	bool done; /* always: the command line may everything */
	struct subscription_grant grant;
};

static void changed(struct task *t)
{
	const struct change *f = task_frame(t);
	struct json_out *j = ctl_json();

	if (task_err(t) == ERR_TRIAL_USED) {
		ctl_fail(t, "this person has had the one trial");
		return;
	}
	if (task_err(t) != OK) {
		task_fail(t, task_err(t));
		return;
	}
	json_obj(j);
	json_ki64(j, "id", f->id);
	json_key(j, "old_level");
	json_z(j, ctl_subscription_name(f->old));
	json_key(j, "new_level");
	json_z(j, ctl_subscription_name(f->grant.level));
	json_end(j);
	ctl_done(t);
}

static void resolved(struct task *t)
{
	struct change *f = task_frame(t);
	const struct by who = {.person.id = f->id};

	task_catch(t);
	user_set_subscription(t, &who, &f->grant, &f->old, &f->done, changed);
}

void ctl_subscription_grant(struct task *t)
{
	struct change *f = task_frame_make(t, sizeof(*f));

	f->grant.level = SUBSCRIPTION_TRIAL + (int)ctl_int("--level", 0);
	f->grant.days = subscription_days(f->grant.level, ctl_int("--days", PREMIUM_DAYS));
	f->grant.reason = ctl_str("--reason");
	if (!ctl_length_ok(t, "--reason", 0, 500))
		return;
	if (f->grant.days > SUBSCRIPTION_DAYS_MAX)
		ctl_fail(t, "--days must be at most %d", SUBSCRIPTION_DAYS_MAX);
	else
		user_resolve(t, ctl_str("USER"), &f->id, resolved);
}

void ctl_subscription_revoke(struct task *t)
{
	struct change *f = task_frame_make(t, sizeof(*f));

	f->grant.reason = ctl_str("--reason");
	if (ctl_length_ok(t, "--reason", 1, 500))
		user_resolve(t, ctl_str("USER"), &f->id, resolved);
}

/* ---- active ---- */
static void listed(struct task *t)
{
	const struct subscribers *f = task_frame(t);
	struct json_out *j = ctl_json();

	json_arr(j);
	for (size_t i = 0; i < f->count; i++) {
		const struct subscriber *s = &f->rows[i];

		json_obj(j);
		json_ki64(j, "id", s->id);
		json_kstr(j, "username", s->username);
		json_key(j, "subscription");
		json_z(j, ctl_subscription_name(s->level));
		json_ktime(j, "expires_at", s->expires_at);
		json_key(j, "granted_by");
		if (s->granted_by)
			json_i64(j, s->granted_by);
		else
			json_null(j);
		json_ktime(j, "updated_at", s->updated_at);
		json_end(j);
	}
	json_end(j);
	if (f->total > (int64_t)f->count)
		ctl_say("%lld of %lld; --limit shows more", (long long)f->count,
			(long long)f->total);
	ctl_done(t);
}

void ctl_subscription_active(struct task *t)
{
	struct subscribers *f = task_frame_make(t, sizeof(*f));

	subscriptions_active(t, 0, ctl_int("--limit", 100), f, listed);
}
