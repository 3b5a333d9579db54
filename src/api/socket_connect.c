/* CONNECT to the namespace "/": from a visitor to a live socket.
 *
 *   socket_connect -> credential -> admitted -> looked (the address' handshakes, the session)
 *   (-> gate_known, of a session that is not plainly live)
 *   -> live_open (its person's channel) -> seated (still live? not too many?) (-> direct_known)
 *   -> browse -> listed -> accepted
 *
 * Most of it is asked of the stores together with others that connect (io/batch.h).
 * The person's channel is subscribed before the session is looked at for the last time, so that an
 * end is either seen there or heard. A refusal that lasts is a CONNECT_ERROR; when a store is away
 * the transport is closed and the client comes back. Lifetime: struct socket is the task's until it
 * is accepted, then hub/sio's. To refuse for another reason: fail with its error; refusal_lasts
 * says how it is told. */
#include "api/socket.h"

#include "api/serve.h"
#include "api/writers.h"
#include "base/clock.h"
#include "base/config.h"
#include "store/chat.h"
#include "store/match.h"

#include <stdlib.h>

struct connect {
	char addr_key[ADDR_TEXT];
	struct session_look look;
	struct gate_ask ask;
	struct gate_result pass;
	struct seat_taken taken;
	struct chat_list mine;
	struct str directory;
	struct match_status match;
};

/* ---- the end ---- */

static void socket_free(struct socket *s)
{
	timer_clear(&s->check);
	free(s);
}

static void room_left(struct live *l, int64_t chat_id, void *arg)
{
	struct socket *s = arg;

	(void)l;
	presence_owe(chat_id, s->caller.user_id, s->session);
}

void socket_gone(struct socket *s)
{
	struct live *l = live_by_sio(s->id);

	s->over = true;
	events_orphan(s);
	if (l) {
		live_rooms_each(l, room_left, s);
		live_close(l);
	}
	presence_remove(s);
	socket_free(s);
}

/* ---- is the session still live? ---- */

struct check {
	sio_id id;
	struct gate_ask ask;
	struct gate_result pass;
};

static void checked(struct task *t)
{
	struct check *f = task_frame(t);
	struct socket *s = sio_data(f->id);

	if (s && !f->pass.live)
		socket_end(s, clock_us() >= s->expires_at ? STR("expired") : STR("destroyed"));
	task_end(t);
}

static void check_begin(struct task *t)
{
	struct check *f = task_frame(t);

	gate_pass(t, &f->ask, &f->pass, checked);
}

static void check_failed(struct task *t, const struct fault *f)
{
	(void)f;
	task_end(t);
}

static void check_set(struct socket *s)
{
	int64_t left = (s->expires_at - clock_us()) / 1000;

	timer_set(&s->check, left < SOCKET_CHECK_MS ? (left > 0 ? left + 1 : 1) : SOCKET_CHECK_MS);
}

static void on_check(struct timer *timer)
{
	static const struct task_ops ops = {check_failed, NULL};
	struct socket *s = LIST_ITEM(timer, struct socket, check);
	struct check *f;

	if (clock_us() >= s->expires_at) {
		socket_end(s, STR("expired"));
		return;
	}
	f = task_frame(task_new("session check", &ops, NULL, sizeof(struct check), check_begin));
	f->id = s->id;
	f->ask.has_token = true;
	memcpy(f->ask.token_hash, s->caller.token_hash, HASH_LEN);
	check_set(s);
}

/* ---- refusing ---- */

static bool refusal_lasts(enum err e)
{
	return e == ERR_AUTH_REQUIRED || e == ERR_INVALID_API_KEY || e == ERR_TOO_MANY_SOCKETS;
}

void socket_refuse(sio_id id, enum err e)
{
	struct buf b = {0};
	struct json_out j;

	if (!refusal_lasts(e)) {
		sio_close(id);
		return;
	}
	json_out_init(&j, &b);
	json_obj(&j);
	json_kstr(&j, "message", str_of(err_sentence(e)));
	json_key(&j, "data");
	json_obj(&j);
	json_kstr(&j, "code", str_of(err_code(e)));
	json_end(&j);
	json_end(&j);
	sio_reject(id, buf_view(&b));
	buf_free(&b);
}

static void connect_failed(struct task *t, const struct fault *f)
{
	struct socket *s = task_subject(t);

	socket_refuse(s->id, f->err);
	task_end(t);
}

static void connect_ended(struct task *t)
{
	struct socket *s = task_subject(t);

	s->connecting = NULL;
	if (sio_data(s->id) == s)
		return; /* accepted */
	if (!list_empty(&s->of_session))
		presence_remove(s);
	socket_free(s);
}

/* ---- accepting ---- */

static void write_list(struct json_out *j, const struct connect *f, int64_t user_id)
{
	json_obj(j);
	json_key(j, "chats");
	json_arr(j);
	if (f->match.state == MATCH_MATCHED) {
		struct chat direct;

		chat_direct(&direct, f->match.chat_id, f->match.queued_at, f->match.online);
		write_chat(j, &direct, false);
	}
	for (size_t i = 0; i < f->mine.count; i++)
		if (f->mine.rows[i].visibility == VISIBILITY_PRIVATE)
			write_chat(j, &f->mine.rows[i], f->mine.rows[i].owner_id == user_id);
	if (f->directory.n > 0)
		json_raw(j, f->directory);
	json_end(j);
	json_end(j);
}

static void listed(struct task *t)
{
	struct socket *s = task_subject(t);
	struct connect *f = task_frame(t);
	struct live *l = live_by_sio(s->id);
	struct buf b = {0};
	struct json_out j;

	if (!l) { /* the session has ended meanwhile */
		task_fail(t, ERR_AUTH_REQUIRED);
		return;
	}
	if (sio_accept(s->id, s)) {
		json_out_init(&j, &b);
		write_list(&j, f, s->caller.user_id);
		live_emit(l, "chat:list", buf_view(&b));
		buf_free(&b);
		live_opened(l);
		check_set(s);
	}
	task_end(t);
}

static void browse(struct task *t)
{
	const struct socket *s = task_subject(t);
	struct connect *f = task_frame(t);
	struct person viewer = {s->caller.user_id, f->mine.viewer_level};

	directory_read(t, viewer, &f->directory, listed);
}

static void direct_known(struct task *t)
{
	const struct socket *s = task_subject(t);
	struct connect *f = task_frame(t);

	chats_of(t, s->caller.user_id, &f->mine, browse);
}

static void seated(struct task *t)
{
	struct socket *s = task_subject(t);
	struct connect *f = task_frame(t);

	if (f->taken.outcome == SEAT_ENDED) {
		task_fail(t, ERR_AUTH_REQUIRED);
		return;
	}
	if (f->taken.outcome == SEAT_FULL) {
		task_fail(t, ERR_TOO_MANY_SOCKETS);
		return;
	}
	s->expires_at = f->taken.expires_at;
	if (f->taken.direct_chat)
		match_status(t, s->caller.user_id, &f->match, direct_known);
	else
		direct_known(t);
}

static void opened(struct task *t)
{
	struct socket *s = task_subject(t);
	struct connect *f = task_frame(t);

	presence_seat(t, s, f->look.checked, &f->taken, seated);
}

static void known(struct task *t, int64_t user_id)
{
	struct socket *s = task_subject(t);

	s->caller.user_id = user_id;
	live_open(t, s->id, user_id, s->session, opened);
}

static void gate_known(struct task *t)
{
	const struct connect *f = task_frame(t);

	if (f->pass.live)
		known(t, f->pass.user_id);
	else
		task_fail(t, f->pass.rate.over ? ERR_RATE_LIMITED : ERR_AUTH_REQUIRED);
}

static void looked(struct task *t)
{
	const struct socket *s = task_subject(t);
	struct connect *f = task_frame(t);

	if (f->look.over) {
		task_fail(t, ERR_RATE_LIMITED);
		return;
	}
	if (f->look.live) {
		known(t, f->look.user_id);
		return;
	}
	f->ask = (struct gate_ask){
		.has_token = true, .dead = {str_of(f->addr_key), "public", config.rate_public}};
	memcpy(f->ask.token_hash, s->caller.token_hash, HASH_LEN);
	gate_pass(t, &f->ask, &f->pass, gate_known);
}

static void admitted(struct task *t)
{
	const struct socket *s = task_subject(t);
	struct connect *f = task_frame(t);
	size_t n = addr_bind_key(&s->caller.addr, f->addr_key);

	session_look(t, s->caller.token_hash, str_make(f->addr_key, n), &f->look, looked);
}

static void connect_begin(struct task *t)
{
	task_admit(t, TASK_LINE_SOCKETS, admitted);
}

/* A cookie wins over `auth`. False: there is no credential, or none of the right form. */
static bool credential(const struct visitor *v, struct str auth, uint8_t hash[HASH_LEN])
{
	struct arena a;
	struct str token;
	bool ok;

	if (v->has_cookie) {
		memcpy(hash, v->token_hash, HASH_LEN);
		return v->has_token;
	}
	arena_init(&a);
	token = json_to_str(json_get(json_parse(&a, auth), "session"));
	ok = token.p && token_formed(token);
	if (ok)
		secret_hash(token, hash);
	arena_release(&a);
	return ok;
}

#ifdef PORTAL_FAULTS
static void fault_drop(struct task *t)
{
	const struct socket *s = task_subject(t);

	sio_close(s->id);
}
#endif

void socket_connect(sio_id id, struct str nsp, struct str auth)
{
	static const struct task_ops ops = {connect_failed, connect_ended};
	const struct visitor *v = sio_extra(id);
	struct socket *s = calloc(1, sizeof(*s));

	(void)nsp;
	if (!s)
		PANIC("out of memory");
	if (!credential(v, auth, s->caller.token_hash)) {
		free(s);
		socket_refuse(id, ERR_AUTH_REQUIRED);
		return;
	}
	s->id = id;
	s->caller.addr = v->addr;
	session_public_id(s->caller.token_hash, s->session);
	list_init(&s->of_session);
	list_init(&s->events);
	timer_init(&s->check, on_check);
	s->connecting = task_new("connect", &ops, s, sizeof(struct connect), connect_begin);
#ifdef PORTAL_FAULTS
	fault_inject(s->connecting, str_of(v->fault), fault_drop);
#endif
}
