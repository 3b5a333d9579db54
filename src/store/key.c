/* Public keys and blobs: each call is one script in Redis (schema/redis/key_*.lua), and what its
 * answer means.
 *
 *   key_put -> key_put.lua
 *   key_read, key_share, key_request, key_ask -> key_step.c -> outcome -> the caller
 *
 * To let a share be refused for another reason: key_share.lua, enum key_code, fail_of. */
#include "store/key_private.h"

#include "gen/schema.h"
#include "store/session_private.h"

/* ---- public keys ---- */

static enum err decode_put(struct task *t, const struct redis_value *v, void *out)
{
	int64_t outcome = redis_i64(v);

	(void)t;
	*(bool *)out = outcome == 1;
	return outcome < 0 ? ERR_AUTH_REQUIRED : OK;
}

void key_put(struct task *t, int64_t user_id, const uint8_t token_hash[HASH_LEN],
	struct str public_key, bool *changed, task_fn *next)
{
	struct str hash = hash_hex(t, token_hash);
	struct redis_args a = {0};
	char session[SESSION_ID_LEN];

	session_public_id(token_hash, session);
	redis_key(t, &a, "portal:e2ee:keys:%lld", (long long)user_id);
	redis_key(t, &a, "portal:e2ee:owner:%.*s", SESSION_ID_LEN, session);
	redis_key(t, &a, "portal:e2ee:blobs:%.*s", SESSION_ID_LEN, session);
	redis_key(t, &a, "portal:e2ee:rooms:%.*s", SESSION_ID_LEN, session);
	redis_key(t, &a, "portal:session:" STR_FMT, STR_ARG(hash));
	redis_key(t, &a, "portal:ended:" STR_FMT, STR_ARG(hash));
	redis_arg_i64(t, &a, user_id);
	redis_arg(&a, str_make(session, SESSION_ID_LEN));
	redis_arg(&a, public_key);
	redis_eval(t, &redis_scripts[SCRIPT_KEY_PUT], &a, decode_put, changed, next);
}

/* ---- blobs ---- */

struct key_call {
	struct key_answer answer;
	struct key_blob *blob;
	struct key_shared *shared;
	int64_t *again;
};

static void fail_of(struct task *t, const struct key_answer *a)
{
	switch (a->code) {
	case KEY_NOT_JOINED:
		task_fail(t, ERR_NOT_JOINED);
		return;
	case KEY_MISMATCH:
		task_fail_with(t, (struct fault){.err = ERR_EPOCH_MISMATCH, .epoch = a->a});
		return;
	case KEY_EXISTS:
		task_fail(t, ERR_KEY_EXISTS);
		return;
	case KEY_NONE:
		task_fail(t, ERR_NO_ROOM_KEY);
		return;
	case KEY_RATE:
		task_fail_with(t, (struct fault){.err = ERR_RATE_LIMITED,
					  .retry_after = (a->a + 999) / 1000});
		return;
	default:
		PANIC("an answer of a key script: %d", (int)a->code);
	}
}

/* "blob public-key" */
static void blob_set(struct key_blob *b, struct str text)
{
	b->blob = str_cut(&text, ' ');
	b->from_public_key = text;
}

static void read_done(struct task *t)
{
	const struct key_call *f = task_frame(t);

	*f->blob = (struct key_blob){.epoch = f->answer.a};
	blob_set(f->blob, f->answer.text);
	task_return(t);
}

void key_read(struct task *t, int64_t chat_id, int64_t user_id, struct str session,
	struct key_blob *out, task_fn *next)
{
	struct key_call *f = task_call(t, sizeof(*f), next);
	struct redis_args a = {0};

	f->blob = out;
	redis_key(t, &a, "portal:chat:%lld:epoch", (long long)chat_id);
	redis_arg_i64(t, &a, chat_id);
	redis_arg_i64(t, &a, user_id);
	redis_arg(&a, arena_str(task_arena(t), session)); /* a step may run its script again */
	key_step(t, chat_id, SCRIPT_KEY_READ, &a, &f->answer, read_done);
}

static enum err decode_blob(struct task *t, const struct redis_value *v, void *out)
{
	blob_set(out, arena_str(task_arena(t), redis_str(v)));
	return OK;
}

void key_blob_of(struct task *t, int64_t chat_id, int64_t user_id, struct str session,
	struct key_blob *out, task_fn *next)
{
	struct redis_args a = {0};

	redis_arg(&a, STR("HGET"));
	redis_key(
		t, &a, "portal:e2ee:chatkey:%lld:%lld", (long long)chat_id, (long long)out->epoch);
	redis_arg(&a,
		arena_printf(task_arena(t), "%lld:" STR_FMT, (long long)user_id, STR_ARG(session)));
	redis_call(t, OP_READ, &a, decode_blob, out, next);
}

static void sender_args(struct task *t, struct redis_args *a, const struct key_sender *from)
{
	redis_arg_i64(t, a, from->chat_id);
	redis_arg_i64(t, a, from->epoch);
	redis_arg_i64(t, a, from->user_id);
	redis_arg(a, arena_str(task_arena(t), from->session));
}

static void share_done(struct task *t)
{
	const struct key_call *f = task_frame(t);

	if (f->answer.code != KEY_OK) {
		fail_of(t, &f->answer);
		return;
	}
	*f->shared = (struct key_shared){.stored = f->answer.a, .skipped = f->answer.b};
	task_return(t);
}

void key_share(struct task *t, const struct key_sender *from, struct str entries,
	struct key_shared *out, task_fn *next)
{
	struct key_call *f = task_call(t, sizeof(*f), next);
	long long chat = (long long)from->chat_id;
	struct redis_args a = {0};

	f->shared = out;
	redis_key(t, &a, "portal:chat:%lld:epoch", chat);
	redis_key(t, &a, "portal:room:%lld:joined", chat);
	redis_key(t, &a, "portal:room:%lld:people", chat);
	redis_key(t, &a, "portal:e2ee:asks:%lld", chat);
	redis_key(t, &a, "portal:e2ee:circle:%lld", chat);
	redis_key(t, &a, "portal:chat:%lld:gate", chat);
	sender_args(t, &a, from);
	redis_arg(&a, entries);
	key_step(t, from->chat_id, SCRIPT_KEY_SHARE, &a, &f->answer, share_done);
}

static void request_done(struct task *t)
{
	const struct key_call *f = task_frame(t);

	if (f->answer.code != KEY_OK)
		fail_of(t, &f->answer);
	else
		task_return(t);
}

void key_request(struct task *t, const struct key_sender *from, task_fn *next)
{
	struct key_call *f = task_call(t, sizeof(*f), next);
	long long chat = (long long)from->chat_id;
	struct redis_args a = {0};

	redis_key(t, &a, "portal:chat:%lld:epoch", chat);
	redis_key(t, &a, "portal:room:%lld:joined", chat);
	redis_key(t, &a, "portal:e2ee:asks:%lld", chat);
	redis_key(t, &a, "portal:rate:key_request:" STR_FMT, STR_ARG(from->session));
	sender_args(t, &a, from);
	key_step(t, from->chat_id, SCRIPT_KEY_REQUEST, &a, &f->answer, request_done);
}

/* ---- distribution ---- */

static void ask_done(struct task *t)
{
	const struct key_call *f = task_frame(t);

	*f->again = f->answer.a;
	task_return(t);
}

void key_ask(struct task *t, int64_t chat_id, int64_t *again, task_fn *next)
{
	struct key_call *f = task_call(t, sizeof(*f), next);
	long long chat = (long long)chat_id;
	struct redis_args a = {0};

	f->again = again;
	redis_key(t, &a, "portal:chat:%lld:epoch", chat);
	redis_key(t, &a, "portal:room:%lld:joined", chat);
	redis_key(t, &a, "portal:room:%lld:people", chat);
	redis_key(t, &a, "portal:e2ee:asks:%lld", chat);
	redis_key(t, &a, "portal:e2ee:circle:%lld", chat);
	redis_key(t, &a, "portal:chat:%lld:gate", chat);
	redis_key(t, &a, "portal:room:%lld:present", chat);
	redis_key(t, &a, "portal:e2ee:lost:%lld", chat);
	redis_key(t, &a, "portal:chat:%lld:ceiling", chat);
	redis_arg_i64(t, &a, chat_id);
	key_step(t, chat_id, SCRIPT_KEY_ASK, &a, &f->answer, ask_done);
}
