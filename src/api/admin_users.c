/* People under administration (contract section 8): lists, the whole record, levels, subscriptions.
 * Punishments are in moderation.c. A handler looks at both levels, asks rules/permission.h, and
 * makes its change, which holds only while they do; else it looks again.
 *
 *   begin -> person_look -> person_seen -> act -> person_changed -> person_read -> reply, or look
 * again
 *
 * To add an act: its row in api/routes.c, its name in api/handlers.h, and an `act` here. */
#include "api/handlers.h"
#include "api/request.h"
#include "api/writers.h"
#include "store/moderation.h"
#include "store/user_admin.h"

static void write_page(const struct task *t, struct json_out *j, int64_t total)
{
	json_ki64(j, "total", total);
	json_ki64(j, "offset", in_i64(t, "offset"));
	json_ki64(j, "limit", in_i64(t, "limit"));
}

/* GET /v1/admin/users: begin -> lines_read */
static void write_line(struct json_out *j, const struct user_line *u)
{
	json_obj(j);
	json_ki64(j, "id", u->id);
	json_kstr(j, "username", u->username);
	json_kstr(j, "avatar_url", u->avatar_url);
	json_ki64(j, "permission_level", u->permission_level);
	json_ki64(j, "subscription_level", u->subscription_level);
	json_kstr(j, "state", u->state);
	json_ktime(j, "last_activity_at", u->last_activity_at);
	json_ktime(j, "created_at", u->created_at);
	json_end(j);
}

static void lines_read(struct task *t)
{
	const struct user_lines *l = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_key(j, "users");
	json_arr(j);
	for (size_t i = 0; i < l->count; i++)
		write_line(j, &l->rows[i]);
	json_end(j);
	write_page(t, j, l->total);
	json_end(j);
	reply_send(t);
}

void admin_users_list(struct task *t)
{
	struct user_lines *l = task_frame_make(t, sizeof(*l));
	struct user_filter f = {
		.q = in_str(t, "q"),
		.state = in_str(t, "state"),
		.level = (int)in_i64(t, "level"),
		.offset = in_i64(t, "offset"),
		.limit = in_i64(t, "limit"),
	};

	user_list(t, &f, l, lines_read);
}

/* GET /v1/admin/users/{id}: begin -> dossier_read */
static void dossier_read(struct task *t)
{
	const struct str *text = task_frame(t);

	json_raw(reply_json(t), *text);
	reply_send(t);
}

void admin_users_get(struct task *t)
{
	struct str *text = task_frame_make(t, sizeof(*text));

	user_dossier(t, in_i64(t, "id"), caller_admin(t), text, dossier_read);
}

/* ---- acts ---- */

struct person_act {
	bool (*allowed)(const struct person_act *f);
	task_fn *act; /* makes the change, then person_changed */
	const char *message;
	int64_t id;
	int level; /* to be set, of permission or subscription */
	struct subscription_grant grant;
	struct moderation_view view;
	int old;
	bool done;
	struct user user;
};

static void person_look(struct task *t);

static void person_read(struct task *t)
{
	const struct person_act *f = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_key(j, "message");
	json_z(j, f->message);
	json_key(j, "user");
	json_obj(j);
	write_user(j, &f->user);
	json_end(j);
	json_end(j);
	reply_send(t);
}

static void person_changed(struct task *t)
{
	struct person_act *f = task_frame(t);

	if (f->done)
		user_by_id(t, f->id, &f->user, person_read);
	else
		task_next(t, person_look);
}

static void person_seen(struct task *t)
{
	const struct person_act *f = task_frame(t);

	if (f->allowed(f))
		f->act(t);
	else
		task_fail(t, ERR_ACCESS_DENIED);
}

static void person_look(struct task *t)
{
	struct person_act *f = task_frame(t);

	moderation_look(t, 0, caller(t)->user_id, f->id, &f->view, person_seen);
}

/* POST /v1/admin/users/{id}/permission */
static bool level_allowed(const struct person_act *f)
{
	return can_assign_level(f->view.actor, f->view.target, f->level);
}

static void level_act(struct task *t)
{
	struct person_act *f = task_frame(t);
	struct by who = {f->view.actor, f->view.target};

	user_set_level(t, &who, f->level, &f->old, &f->done, person_changed);
}

void admin_users_permission(struct task *t)
{
	struct person_act *f = task_frame_make(t, sizeof(*f));

	f->allowed = level_allowed;
	f->act = level_act;
	f->message = "Permission level set";
	f->id = in_i64(t, "id");
	f->level = (int)in_i64(t, "level");
	person_look(t);
}

/* POST /v1/admin/subscriptions/grant, /revoke: to those one can act on */
static bool subscription_allowed(const struct person_act *f)
{
	return f->view.actor.level >= LEVEL_ADMIN && can_act_on(f->view.actor, f->view.target);
}

static void subscription_act(struct task *t)
{
	struct person_act *f = task_frame(t);
	struct by who = {f->view.actor, f->view.target};

	user_set_subscription(t, &who, &f->grant, &f->old, &f->done, person_changed);
}

static struct person_act *subscription_begin(struct task *t, const char *message)
{
	struct person_act *f = task_frame_make(t, sizeof(*f));

	f->allowed = subscription_allowed;
	f->act = subscription_act;
	f->message = message;
	f->id = in_i64(t, "user_id");
	f->grant.reason = in_str(t, "reason");
	return f;
}

void admin_subscriptions_grant(struct task *t)
{
	struct person_act *f = subscription_begin(t, "Subscription granted");
	int level = (int)in_i64(t, "level");

	f->grant.level = level;
	f->grant.days = subscription_days(level, in_i64(t, "duration_days"));
	if (level == SUBSCRIPTION_PREMIUM && !in_has(t, "duration_days"))
		fail_field(t, "duration_days", STR("duration_days is required"));
	else
		person_look(t);
}

void admin_subscriptions_revoke(struct task *t)
{
	subscription_begin(t, "Subscription revoked");
	person_look(t);
}

/* GET /v1/admin/subscriptions/active: begin -> subscribers_read */
static void write_subscriber(struct json_out *j, const struct subscriber *s)
{
	json_obj(j);
	json_key(j, "user");
	write_person(j, s->id, s->username, s->avatar_url);
	json_ki64(j, "subscription_level", s->level);
	json_ktime(j, "expires_at", s->expires_at);
	write_id(j, "granted_by_id", s->granted_by);
	json_ktime(j, "created_at", s->created_at);
	json_ktime(j, "updated_at", s->updated_at);
	json_end(j);
}

static void subscribers_read(struct task *t)
{
	const struct subscribers *s = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_key(j, "subscriptions");
	json_arr(j);
	for (size_t i = 0; i < s->count; i++)
		write_subscriber(j, &s->rows[i]);
	json_end(j);
	write_page(t, j, s->total);
	json_end(j);
	reply_send(t);
}

void admin_subscriptions_active(struct task *t)
{
	struct subscribers *s = task_frame_make(t, sizeof(*s));

	subscriptions_active(t, in_i64(t, "offset"), in_i64(t, "limit"), s, subscribers_read);
}
