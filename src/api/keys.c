/* End-to-end keys (contract 3.3): sessions' public keys and blobs. What they are about, and who is
 * asked to hand them out: store/key.h.
 *
 * To add an endpoint or event: its row in api/routes.c or api/events.c, its name in api/handlers.h,
 * its steps here. */
#include "api/event.h"
#include "api/handlers.h"
#include "api/request.h"
#include "rules/ciphertext.h"
#include "store/key.h"
#include "store/session.h"
#include "store/standing.h"

/* POST /v1/portal/keys: begin -> registered */
struct registering {
	bool changed;
};

static void key_registered(struct task *t)
{
	const struct registering *f = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_kstr(j, "status", f->changed ? STR("registered") : STR("unchanged"));
	json_end(j);
	reply_send(t);
}

void key_register(struct task *t)
{
	struct registering *f = task_frame_make(t, sizeof(*f));
	const struct caller *c = caller(t);
	struct str key = in_str(t, "public_key");

	if (!secret_public_key(key))
		fail_field(t, "public_key", STR("public_key is not a usable X25519 key"));
	else
		key_put(t, c->user_id, c->token_hash, key, &f->changed, key_registered);
}

/* GET /v1/portal/chats/{id}/key: begin -> seen (the chat) -> found */
struct reading {
	struct standing standing;
	struct key_blob blob;
};

static void key_found(struct task *t)
{
	const struct reading *f = task_frame(t);
	struct json_out *j = reply_json(t);

	json_obj(j);
	json_ki64(j, "epoch", f->blob.epoch);
	json_kstr(j, "blob", f->blob.blob);
	json_kstr(j, "from_public_key", f->blob.from_public_key);
	json_end(j);
	reply_send(t);
}

static void key_chat_seen(struct task *t)
{
	struct reading *f = task_frame(t);
	const struct caller *c = caller(t);
	char session[SESSION_ID_LEN];

	if (!standing_sees(&f->standing)) {
		task_fail(t, ERR_CHAT_NOT_FOUND);
		return;
	}
	caller_session(t, session);
	key_read(t, f->standing.chat_id, c->user_id, str_make(session, SESSION_ID_LEN), &f->blob,
		key_found);
}

void key_get(struct task *t)
{
	struct reading *f = task_frame_make(t, sizeof(*f));

	standing_read(t, in_i64(t, "id"), caller(t)->user_id, &f->standing, key_chat_seen);
}

/* ---- over sockets ---- */

struct sending {
	struct key_sender from;
	struct key_shared shared;
	char session[SESSION_ID_LEN];
};

static struct sending *sending_begin(struct task *t)
{
	struct sending *f = task_frame_make(t, sizeof(*f));

	caller_session(t, f->session);
	f->from = (struct key_sender){
		.chat_id = in_i64(t, "chat_id"),
		.epoch = in_i64(t, "epoch"),
		.user_id = caller(t)->user_id,
		.session = str_make(f->session, SESSION_ID_LEN),
	};
	return f;
}

static bool is_session_id(struct str s)
{
	uint8_t raw[SESSION_ID_LEN / 2];

	return hex_decode(s, raw, sizeof(raw));
}

/* "session blob session blob …"; false: the task has failed. */
static bool entries_read(struct task *t, struct str *out)
{
	struct buf b = {0};
	bool ok = true;

	for (struct json_iter it = json_each(in_json(t, "keys")); ok && json_next(&it);) {
		struct str session = json_to_str(json_get(it.value, "session_id"));
		struct str blob = json_to_str(json_get(it.value, "blob"));
		size_t bytes;

		ok = is_session_id(session) && base64_check(blob, &bytes) &&
		     bytes == KEY_BLOB_BYTES;
		if (ok)
			buf_printf(&b, "%s" STR_FMT " " STR_FMT, b.n ? " " : "", STR_ARG(session),
				STR_ARG(blob));
	}
	*out = arena_str(task_arena(t), buf_view(&b));
	buf_free(&b);
	if (!ok)
		fail_field(t, "keys", STR("keys must be session ids with blobs of 72 bytes"));
	return ok;
}

/* room:key_share: begin -> shared (others are asked for the rest) */
static void key_shared(struct task *t)
{
	const struct sending *f = task_frame(t);
	struct json_out *j = reply_json(t);

	key_room_look(f->from.chat_id);
	json_obj(j);
	json_ki64(j, "stored", f->shared.stored);
	json_ki64(j, "skipped", f->shared.skipped);
	json_end(j);
	reply_send(t);
}

void key_share_event(struct task *t)
{
	struct sending *f = sending_begin(t);
	struct str entries;

	if (entries_read(t, &entries))
		key_share(t, &f->from, entries, &f->shared, key_shared);
}

/* room:key_request: begin -> dropped (another is asked) */
static void key_dropped(struct task *t)
{
	const struct sending *f = task_frame(t);

	key_room_look(f->from.chat_id);
	reply_ok(t);
}

void key_request_event(struct task *t)
{
	struct sending *f = sending_begin(t);

	key_request(t, &f->from, key_dropped);
}
