/* Signing in and out (contract section 1): codes are asked for by people and by bots, and verified.
 *
 *   request -> the bot shows the code (bot_push, login-code) -> verify, which sets the cookie
 *   send-code, by a bot, for those who have an account -> verify
 *
 * The steps of each endpoint stand together in the order in which they run. Frames live in the
 * task.
 *
 * To add an endpoint: its steps here, its first one in api/handlers.h, its row in api/routes.c. */
#include "api/bot_socket.h"
#include "api/handlers.h"
#include "api/request.h"
#include "api/writers.h"
#include "base/config.h"
#include "rules/code.h"
#include "store/code.h"
#include "store/match.h"
#include "store/session.h"

/* ---- POST lookup: lookup -> lookup_found ---- */

static void lookup_found(struct task *t)
{
	const struct user *u = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_ki64(j, "id", u->id);
	json_kstr(j, "username", u->username);
	json_kstr(j, "avatar_url", u->avatar_url);
	json_ki64(j, "permission_level", u->permission_level);
	json_ki64(j, "subscription_level", u->subscription_level);
	json_key(j, "platforms");
	json_arr(j);
	for (size_t i = 0; i < u->identity_count; i++) {
		json_obj(j);
		json_kstr(j, "platform", u->identities[i].platform);
		json_kstr(j, "platform_user_id", u->identities[i].platform_user_id);
		json_end(j);
	}
	json_end(j);
	json_end(j);
	reply_send(t);
}

void authentication_lookup(struct task *t)
{
	struct user *u = task_frame_make(t, sizeof(*u));

	user_by_name(t, in_str(t, "username"), u, lookup_found);
}

/* ---- identities in requests ---- */

/* False when it has failed the task. */
static bool identity_read(struct task *t, struct identity *who)
{
	const char *fault;

	who->platform = in_str(t, "platform");
	who->platform_user_id = in_str(t, "platform_user_id");
	if (!platform_known(who->platform, config.platforms.items, config.platforms.count)) {
		fail_field(t, "platform", STR("platform is not supported"));
		return false;
	}
	fault = platform_user_id_fault(who->platform, who->platform_user_id);
	if (fault)
		fail_field(t, "platform_user_id", str_of(fault));
	return !fault;
}

/* As identity_read, for bots: the bot's own platform, by a bot that may sign people in. */
static bool bot_identity_read(struct task *t, struct identity *who)
{
	const struct caller *bot = caller(t);

	if (!identity_read(t, who))
		return false;
	who->username = in_str(t, "platform_username");
	who->avatar_url = in_str(t, "platform_avatar_url");
	if (bot->bot_login && str_eq(who->platform, bot->bot_platform))
		return true;
	task_fail(t, ERR_ACCESS_DENIED);
	return false;
}

/* ---- POST request: request -> request_made ---- */

struct request_frame {
	struct identity who;
	struct code_asked asked;
};

static void request_made(struct task *t)
{
	const struct request_frame *f = task_frame(t);
	struct json_out *j = reply_json(t);

	if (f->asked.push.p)
		bot_push(f->who.platform, f->asked.push);
	json_obj(j);
	json_key(j, "message");
	json_z(j, "Login code generated.");
	json_ktime(j, "expires_at", f->asked.expires_at);
	json_end(j);
	reply_send(t);
}

void authentication_request(struct task *t)
{
	struct request_frame *f = task_frame_make(t, sizeof(*f));

	if (identity_read(t, &f->who))
		code_request(t, &f->who, str_of(caller(t)->addr_key), &f->asked, request_made);
}

/* ---- POST verify: verify -> verify_taken -> verify_opened
 *                                     a store failed: -> verify_undone
 * The code that is put back cannot succeed twice: this task answers with the failure. What it may
 * leave behind is a session whose token nobody has. ---- */

struct verify {
	struct code_claim claim;
	struct login_ask ask;
	struct login login;
};

static void verify_undone(struct task *t)
{
	task_fail(t, ERR_UNAVAILABLE);
}

/* True when the step before failed, and the task with it. */
static bool verify_failed(struct task *t)
{
	const struct verify *f = task_frame(t);

	if (task_err(t) == OK)
		return false;
	if (task_err(t) == ERR_UNAVAILABLE) {
		task_catch(t);
		code_return(t, in_str(t, "code"), str_of(caller(t)->addr_key), &f->claim,
			verify_undone);
	} else if (task_err(t) == ERR_USER_NOT_FOUND) {
		task_fail(t, ERR_INVALID_CODE); /* the account has gone since the code was made */
	} else {
		task_fail_with(t, *task_fault(t));
	}
	return true;
}

static void verify_opened(struct task *t)
{
	const struct verify *f = task_frame(t);
	struct json_out *j;

	if (verify_failed(t))
		return;
	reply_cookie(t, str_make(f->login.token, TOKEN_TEXT),
		(f->login.expires_at - f->login.created_at) / 1000000);
	j = reply_json(t);
	json_obj(j);
	write_user(j, &f->login.user);
	json_kbool(j, "user_created", f->login.created);
	json_end(j);
	reply_send(t);
}

static void verify_taken(struct task *t)
{
	struct verify *f = task_frame(t);
	char *ip = arena_alloc(task_arena(t), ADDR_TEXT);

	f->ask = (struct login_ask){
		.platform = f->claim.who.platform,
		.platform_user_id = f->claim.who.platform_user_id,
		.username = f->claim.who.username,
		.avatar_url = f->claim.who.avatar_url,
		.web = f->claim.web,
		.client_ip = str_make(ip, addr_format(&caller(t)->addr, ip)),
		.user_agent = request_user_agent(t),
	};
	task_catch(t);
	session_login(t, &f->ask, &f->login, verify_opened);
}

void authentication_verify(struct task *t)
{
	struct verify *f = task_frame_make(t, sizeof(*f));

	code_take(
		t, in_str(t, "code"), str_of(caller(t)->addr_key), false, &f->claim, verify_taken);
}

/* ---- POST logout: logout -> logout_done ---- */

static void logout_done(struct task *t)
{
	reply_cookie(t, STR(""), 0);
	reply_message(t, "Logged out");
}

void authentication_logout(struct task *t)
{
	session_end(t, caller(t)->token_hash, "logout", NULL, logout_done);
}

/* ---- POST bot/send-code: send_code -> send_code_owner -> send_code_made
 *                       nobody has the identity: -> send_code_unknown ---- */

struct bot_codes {
	struct identity who;
	struct identity_owner owner;
	struct code codes[CODES_SHOWN];
	size_t count;
};

static void write_code(struct json_out *j, const struct code *c)
{
	json_kstr(j, "code", c ? str_make(c->text, CODE_LEN) : STR_NULL);
	json_ktime(j, "expires_at", c ? c->expires_at : 0);
}

static void send_code_made(struct task *t)
{
	const struct bot_codes *f = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	write_code(j, &f->codes[0]);
	json_end(j);
	reply_send(t);
}

static void send_code_unknown(struct task *t)
{
	task_fail(t, ERR_USER_NOT_FOUND);
}

static void identity_told(struct task *t, const struct identity *who, task_fn *next)
{
	identity_refresh(
		t, who->platform, who->platform_user_id, who->username, who->avatar_url, next);
}

static void send_code_refused(struct task *t)
{
	const struct bot_codes *f = task_frame(t);
	const struct identity_owner *o = &f->owner;

	if (str_eq(o->state, STR("active")))
		task_fail(t, ERR_WEB_LOGIN_REQUIRED);
	else
		task_fail_with(
			t, (struct fault){
				   .err = str_eq(o->state, STR("banned")) ? ERR_ACCOUNT_BANNED
									  : ERR_ACCOUNT_TIMEOUT,
				   .has_ban = true,
				   .reason = o->restriction_reason,
				   .expires_at = o->restricted_until,
			   });
}

static void send_code_owner(struct task *t)
{
	struct bot_codes *f = task_frame(t);
	bool refused;
	task_fn *next;

	if (task_err(t) == ERR_USER_NOT_FOUND) { /* the name waits with what is pending */
		code_pending(t, &f->who, f->codes, &f->count, send_code_unknown);
		return;
	}
	if (task_err(t)) {
		task_fail_with(t, *task_fault(t));
		return;
	}
	refused = !str_eq(f->owner.state, STR("active")) ||
		  (config.bot_login_every && f->owner.bot_logins >= config.bot_login_every);
	next = refused ? send_code_refused : send_code_made;
	identity_told(t, &f->who, next);
	if (!str_eq(f->owner.avatar_url, f->who.avatar_url)) /* they may be shown otherwise now */
		match_forget(t, f->owner.user_id, next);
	if (!refused)
		code_for_bot(t, &f->who, f->codes, next);
}

void authentication_send_code(struct task *t)
{
	struct bot_codes *f = task_frame_make(t, sizeof(*f));

	if (!bot_identity_read(t, &f->who))
		return;
	task_catch(t);
	user_by_identity(t, f->who.platform, f->who.platform_user_id, &f->owner, send_code_owner);
}

/* ---- POST bot/login-code: login_code -> login_code_read ---- */

static void login_code_read(struct task *t)
{
	const struct bot_codes *f = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	write_code(j, f->count ? &f->codes[0] : NULL);
	json_key(j, "codes");
	json_arr(j);
	for (size_t i = 0; i < f->count; i++) {
		json_obj(j);
		write_code(j, &f->codes[i]);
		json_end(j);
	}
	json_end(j);
	json_end(j);
	reply_send(t);
}

void authentication_login_code(struct task *t)
{
	struct bot_codes *f = task_frame_make(t, sizeof(*f));

	if (!bot_identity_read(t, &f->who))
		return;
	identity_told(t, &f->who, login_code_read);
	code_pending(t, &f->who, f->codes, &f->count, login_code_read);
}
