/* The caller's own account: profile, sessions, platforms, the end of it (contract section 2). What
 * is kept about the caller besides is in me_data.c.
 *
 * To add an endpoint: its row in api/routes.c, its name in api/handlers.h, its steps here. */
#include "api/handlers.h"
#include "api/request.h"
#include "api/writers.h"
#include "rules/username.h"
#include "store/code.h"
#include "store/push.h"
#include "store/session.h"
#include "store/user_change.h"

/* ---- the profile ---- */

/* GET /v1/users/me: begin -> me_read */
static void me_read(struct task *t)
{
	struct json_out *j = reply_json(t);

	json_obj(j);
	write_user(j, task_frame(t));
	json_end(j);
	reply_send(t);
}

void me_get(struct task *t)
{
	struct user *u = task_frame_make(t, sizeof(*u));

	user_by_id(t, caller(t)->user_id, u, me_read);
}

/* POST /v1/users/me/update: begin -> me_changed -> me_change_read */
struct me_update {
	struct user_update change;
	const char *name_fault, *source_fault; /* what `errors` will say */
	struct user user;
};

static void write_faults(struct json_out *j, const struct me_update *f)
{
	if (!f->name_fault && !f->source_fault) {
		json_null(j);
		return;
	}
	json_obj(j);
	if (f->name_fault) {
		json_key(j, "username");
		json_z(j, f->name_fault);
	}
	if (f->source_fault) {
		json_key(j, "avatar_source");
		json_z(j, f->source_fault);
	}
	json_end(j);
}

static void me_change_read(struct task *t)
{
	const struct me_update *f = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_key(j, "user");
	json_obj(j);
	write_user(j, &f->user);
	json_end(j);
	json_key(j, "errors");
	write_faults(j, f);
	json_end(j);
	reply_send(t);
}

static void me_changed(struct task *t)
{
	struct me_update *f = task_frame(t);

	if (f->change.taken)
		f->name_fault = "username is already taken";
	if (f->change.unlinked)
		f->source_fault = "avatar_source must be a linked platform, discord_0 to "
				  "discord_5, or empty";
	user_by_id(t, caller(t)->user_id, &f->user, me_change_read);
}

void me_update(struct task *t)
{
	struct me_update *f = task_frame_make(t, sizeof(*f));
	struct str name = in_str(t, "username"), source = in_str(t, "avatar_source");

	f->name_fault = name.p ? username_fault(name) : NULL;
	f->change.username = f->name_fault ? STR_NULL : name;
	f->change.avatar_source = source;
	if (f->change.username.p || f->change.avatar_source.p)
		user_update(t, caller(t)->user_id, &f->change, me_changed);
	else
		task_next(t, me_changed);
}

/* ---- sessions ---- */

static bool is_current(const struct task *t, const struct session_row *s)
{
	return secret_eq(s->token_hash, caller(t)->token_hash, HASH_LEN);
}

/* GET /v1/users/me/sessions: begin (both lists side by side) -> sessions_read */
struct me_sessions {
	struct session_list live, history;
};

static void write_session(struct json_out *j, const struct session_row *s)
{
	json_kstr(j, "token_suffix", s->suffix);
	json_ktime(j, "created_at", s->created_at);
	json_kstr(j, "client_ip", s->client_ip);
	json_kstr(j, "user_agent", s->user_agent);
	json_knull(j, "geo");
}

static void sessions_read(struct task *t)
{
	const struct me_sessions *f = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_key(j, "sessions");
	json_arr(j);
	for (size_t i = 0; i < f->live.count; i++) {
		json_obj(j);
		write_session(j, &f->live.rows[i]);
		json_ktime(j, "expires_at", f->live.rows[i].expires_at);
		json_kbool(j, "is_current", is_current(t, &f->live.rows[i]));
		json_end(j);
	}
	json_end(j);
	json_key(j, "history");
	json_arr(j);
	for (size_t i = 0; i < f->history.count; i++) {
		json_obj(j);
		write_session(j, &f->history.rows[i]);
		json_end(j);
	}
	json_end(j);
	json_end(j);
	reply_send(t);
}

void me_sessions(struct task *t)
{
	struct me_sessions *f = task_frame_make(t, sizeof(*f));

	session_list_live(t, caller(t)->user_id, &f->live, sessions_read);
	session_list_history(t, caller(t)->user_id, &f->history, sessions_read);
}

/* POST /v1/users/me/sessions/{token_suffix}/destroy
 *   begin -> session_destroyed, or, when none was: -> session_is_current (400) or 404 */
struct me_destroy {
	int64_t ended;
	struct session_list live;
};

static void session_missed(struct task *t)
{
	const struct me_destroy *f = task_frame(t);

	for (size_t i = 0; i < f->live.count; i++)
		if (is_current(t, &f->live.rows[i]) &&
			str_eq(f->live.rows[i].suffix, in_str(t, "token_suffix"))) {
			fail_field(t, "token_suffix",
				STR("token_suffix is that of the current session; log out to end "
				    "it"));
			return;
		}
	task_fail(t, ERR_SESSION_NOT_FOUND);
}

static void session_destroyed(struct task *t)
{
	struct me_destroy *f = task_frame(t);
	struct json_out *j;

	if (f->ended == 0) {
		session_list_live(t, caller(t)->user_id, &f->live, session_missed);
		return;
	}
	j = reply_json(t);
	json_obj(j);
	json_kbool(j, "destroyed", true);
	json_end(j);
	reply_send(t);
}

void me_session_destroy(struct task *t)
{
	struct me_destroy *f = task_frame_make(t, sizeof(*f));

	session_end_suffix(t, caller(t)->user_id, in_str(t, "token_suffix"), caller(t)->token_hash,
		&f->ended, session_destroyed);
}

/* POST /v1/users/me/sessions/destroy-others: begin -> others_destroyed */
static void others_destroyed(struct task *t)
{
	const struct me_destroy *f = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_ki64(j, "destroyed", f->ended);
	json_end(j);
	reply_send(t);
}

void me_sessions_destroy_others(struct task *t)
{
	struct me_destroy *f = task_frame_make(t, sizeof(*f));

	session_end_all(t, caller(t)->user_id, caller(t)->token_hash, "destroyed", &f->ended,
		others_destroyed);
}

/* ---- platforms ---- */

/* POST /v1/users/me/platforms/link: begin -> link_code_taken -> platform_linked */
static void platform_linked(struct task *t)
{
	reply_message(t, "Platform linked");
}

static void link_code_taken(struct task *t)
{
	const struct code_claim *claim = task_frame(t);

	identity_link(t, caller(t)->user_id, &claim->who, platform_linked);
}

void me_platform_link(struct task *t)
{
	struct code_claim *claim = task_frame_make(t, sizeof(*claim));

	code_take(t, in_str(t, "code"), str_of(caller(t)->addr_key), true, claim, link_code_taken);
}

/* POST /v1/users/me/platforms/{platform}/unlink: begin -> platform_unlinked */
static void platform_unlinked(struct task *t)
{
	reply_message(t, "Platform unlinked");
}

void me_platform_unlink(struct task *t)
{
	identity_unlink(t, caller(t)->user_id, in_str(t, "platform"), platform_unlinked);
}

/* ---- the end ---- */

/* POST /v1/users/me/delete: begin -> me_deleted -> me_bots_told */
static void me_bots_told(struct task *t)
{
	reply_cookie(t, STR(""), 0);
	reply_message(t, "Account deleted");
}

static void me_deleted(struct task *t)
{
	if (task_err(t) == ERR_INVALID_REQUEST)
		fail_field(t, "username", STR("username does not match your account"));
	else if (task_err(t) != OK)
		task_fail_with(t, *task_fault(t));
	else
		push_bots_changed(t, me_bots_told); /* one's own are gone with the account */
}

void me_delete(struct task *t)
{
	task_catch(t);
	user_delete(t, caller(t)->user_id, in_str(t, "username"), me_deleted);
}
