/* Login codes: pending in Redis for CODE_TTL seconds, and nowhere else.
 *
 *   code_request (web), code_for_bot   made or found -> code_pending shows them to bots ->
 * code_take
 *
 * At rest nothing is in clear: a code is named by its keyed hash, as are identity and address in
 * the names of keys; its text, kind and identity are sealed, and so is what a bot told of the
 * person. Codes are made here and handed to the script, with one more in case that name is taken.
 * Layout and atomic steps: schema/redis/code_web.lua and its siblings.
 *
 * To keep more with a code: code_seal and code_open. */
#include "store/code.h"

#include "base/config.h"
#include "gen/schema.h"
#include "io/redis.h"
#include "store/user.h"

#define FRESH 2 /* codes offered to a script */

/* ---- names and seals ---- */

/* The keyed hash, in hex. A code has no ':', so that names of different kinds never meet. */
static struct str name_of(struct task *t, struct str text)
{
	char *hex = arena_alloc(task_arena(t), 2 * HASH_LEN);
	uint8_t hash[HASH_LEN];

	secret_code_hash(text, hash);
	hex_encode(hash, HASH_LEN, hex);
	return str_make(hex, 2 * HASH_LEN);
}

static struct str identity_name(struct task *t, const struct identity *who)
{
	return name_of(t, arena_printf(task_arena(t), "identity:" STR_FMT ":" STR_FMT,
				  STR_ARG(who->platform), STR_ARG(who->platform_user_id)));
}

static struct str address_name(struct task *t, struct str addr_key)
{
	return name_of(t, arena_printf(task_arena(t), "address:" STR_FMT, STR_ARG(addr_key)));
}

static struct str seal(struct task *t, struct str text)
{
	uint8_t *out = arena_alloc(task_arena(t), text.n + SEAL_OVERHEAD);

	secret_seal(text, out);
	return str_make((const char *)out, text.n + SEAL_OVERHEAD);
}

static enum err unseal(struct task *t, struct str sealed, struct str *out)
{
	uint8_t *text;

	if (sealed.n < SEAL_OVERHEAD)
		return ERR_INTERNAL;
	text = arena_alloc(task_arena(t), sealed.n - SEAL_OVERHEAD + 1);
	*out = str_make((const char *)text, sealed.n - SEAL_OVERHEAD);
	return secret_open(sealed, text) ? OK : ERR_INTERNAL;
}

enum code_kind {
	CODE_WEB = 'w',
	CODE_BOT = 'b'
};

static struct str code_seal(
	struct task *t, enum code_kind kind, struct str code, const struct identity *who)
{
	return seal(
		t, arena_printf(task_arena(t), "%c" STR_FMT STR_FMT "\n" STR_FMT, (char)kind,
			   STR_ARG(code), STR_ARG(who->platform), STR_ARG(who->platform_user_id)));
}

/* What does not open was sealed with another SECRET_KEY, and could not have been found then. */
static enum err code_open(
	struct task *t, struct str sealed, char text[CODE_LEN], struct code_claim *claim)
{
	struct str in;
	enum err e = unseal(t, sealed, &in);

	if (e)
		return e;
	if (in.n < 1 + CODE_LEN)
		return ERR_INTERNAL;
	claim->web = in.p[0] == CODE_WEB;
	memcpy(text, in.p + 1, CODE_LEN);
	in = str_from(in, 1 + CODE_LEN);
	claim->who.platform = str_cut(&in, '\n');
	claim->who.platform_user_id = in;
	return OK;
}

static void fresh_args(
	struct task *t, struct redis_args *a, enum code_kind kind, const struct identity *who)
{
	for (int i = 0; i < FRESH; i++) {
		char text[CODE_LEN];

		secret_code(text);
		redis_arg(a, name_of(t, str_make(text, CODE_LEN)));
		redis_arg(a, code_seal(t, kind, str_make(text, CODE_LEN), who));
		secret_wipe(text, CODE_LEN);
	}
}

/* ---- web codes ---- */

struct code_request {
	struct code_asked *out;
	int64_t wait_ms; /* until a slot is free */
};

static enum err request_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct code_request *f = out;
	int64_t outcome = redis_i64(redis_at(v, 0));

	if (outcome == -2)
		return ERR_UNAVAILABLE;
	if (outcome == -1) {
		f->wait_ms = redis_i64(redis_at(v, 1));
		return OK;
	}
	f->out->expires_at = redis_i64(redis_at(v, 1));
	f->out->push = arena_str(task_arena(t), redis_str(redis_at(v, 2)));
	return OK;
}

/* Whole seconds to wait, at least one. */
static int64_t seconds(int64_t ms)
{
	return ms > 1000 ? (ms + 999) / 1000 : 1;
}

static void request_made(struct task *t)
{
	const struct code_request *f = task_frame(t);

	if (f->wait_ms)
		task_fail_with(t, (struct fault){.err = ERR_TOO_MANY_PENDING_CODES,
					  .retry_after = seconds(f->wait_ms)});
	else
		task_return(t);
}

void code_request(struct task *t, const struct identity *who, struct str addr_key,
	struct code_asked *out, task_fn *next)
{
	struct code_request *f = task_call(t, sizeof(*f), next);
	struct str identity = identity_name(t, who), address = address_name(t, addr_key);
	struct redis_args a = {0};

	f->out = out;
	redis_key(t, &a, "portal:codes:web:" STR_FMT, STR_ARG(identity));
	redis_key(t, &a, "portal:codes:addr:" STR_FMT, STR_ARG(address));
	redis_key(t, &a, "portal:codes:told:" STR_FMT, STR_ARG(identity));
	redis_key(t, &a, "portal:codes:pushed:" STR_FMT, STR_ARG(identity));
	redis_key(t, &a, "portal:bots:" STR_FMT, STR_ARG(who->platform));
	redis_arg(&a, identity);
	redis_arg(&a, address);
	redis_arg_i64(t, &a, config.code_ttl * 1000);
	redis_arg_i64(t, &a, config.pending_codes);
	fresh_args(t, &a, CODE_WEB, who);
	redis_eval(t, &redis_scripts[SCRIPT_CODE_WEB], &a, request_decode, f, request_made);
}

struct code_list {
	struct code *codes;
	size_t *count;
};

static enum err pending_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct code_list *f = out;
	struct code_claim claim;
	size_t n = redis_len(v) / 2;

	*f->count = n < CODES_SHOWN ? n : CODES_SHOWN;
	for (size_t i = 0; i < *f->count; i++) {
		enum err e =
			code_open(t, redis_str(redis_at(v, 2 * i + 1)), f->codes[i].text, &claim);

		if (e)
			return e;
		f->codes[i].expires_at = redis_i64(redis_at(v, 2 * i));
	}
	return OK;
}

void code_pending(struct task *t, const struct identity *who, struct code out[CODES_SHOWN],
	size_t *count, task_fn *next)
{
	struct code_list *f = arena_new(task_arena(t), struct code_list);
	struct str identity = identity_name(t, who);
	struct redis_args a = {0};

	f->codes = out;
	f->count = count;
	redis_key(t, &a, "portal:codes:web:" STR_FMT, STR_ARG(identity));
	redis_key(t, &a, "portal:codes:told:" STR_FMT, STR_ARG(identity));
	redis_arg_i64(t, &a, CODES_SHOWN);
	redis_arg(&a,
		seal(t, arena_printf(task_arena(t), STR_FMT "\n" STR_FMT, STR_ARG(who->username),
				STR_ARG(avatar_safe(who->avatar_url)))));
	redis_eval(t, &redis_scripts[SCRIPT_CODE_PENDING], &a, pending_decode, f, next);
}

/* ---- bot codes ---- */

static enum err bot_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct code *code = out;
	struct code_claim claim;

	if (redis_len(v) == 0)
		return ERR_UNAVAILABLE;
	code->expires_at = redis_i64(redis_at(v, 0));
	return code_open(t, redis_str(redis_at(v, 1)), code->text, &claim);
}

void code_for_bot(struct task *t, const struct identity *who, struct code *out, task_fn *next)
{
	struct str identity = identity_name(t, who);
	struct redis_args a = {0};

	redis_key(t, &a, "portal:codes:bot:" STR_FMT, STR_ARG(identity));
	redis_arg(&a, identity);
	redis_arg_i64(t, &a, config.code_ttl * 1000);
	fresh_args(t, &a, CODE_BOT, who);
	redis_eval(t, &redis_scripts[SCRIPT_CODE_BOT], &a, bot_decode, out, next);
}

/* ---- taking ---- */

struct code_take {
	struct code_claim *out;
	struct fault fault;
};

static enum err told_open(struct task *t, struct str sealed, struct identity *who)
{
	struct str text;
	enum err e;

	who->username = who->avatar_url = STR_NULL;
	if (!sealed.p)
		return OK;
	e = unseal(t, sealed, &text);
	if (e)
		return e;
	who->username = str_cut(&text, '\n');
	who->avatar_url = text;
	return OK;
}

static enum err take_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct code_take *f = out;
	char text[CODE_LEN];
	enum err e;

	switch (redis_i64(redis_at(v, 0))) {
	case 1:
		e = code_open(t, redis_str(redis_at(v, 1)), text, f->out);
		secret_wipe(text, CODE_LEN);
		f->out->expires_at = redis_i64(redis_at(v, 3));
		return e ? e : told_open(t, redis_str(redis_at(v, 2)), &f->out->who);
	case -1:
		f->fault.err = ERR_RATE_LIMITED;
		f->fault.retry_after = seconds(redis_i64(redis_at(v, 1)));
		return OK;
	case -2:
		f->fault.err = ERR_INVALID_REQUEST;
		f->fault.sentence = STR("code must be a web code");
		f->fault.field = "code";
		return OK;
	default:
		return ERR_INVALID_CODE;
	}
}

static void take_done(struct task *t)
{
	const struct code_take *f = task_frame(t);

	if (f->fault.err)
		task_fail_with(t, f->fault);
	else
		task_return(t);
}

void code_take(struct task *t, struct str code, struct str addr_key, bool web_only,
	struct code_claim *out, task_fn *next)
{
	struct code_take *f = task_call(t, sizeof(*f), next);
	struct str name = name_of(t, code), address = address_name(t, addr_key);
	struct redis_args a = {0};

	f->out = out;
	redis_key(t, &a, "portal:code:" STR_FMT, STR_ARG(name));
	redis_key(t, &a, "portal:codes:failed:" STR_FMT, STR_ARG(address));
	redis_key(t, &a, "portal:codes:failed");
	redis_arg(&a, name);
	redis_arg(&a, address);
	redis_arg_i64(t, &a, config.verify_failures);
	redis_arg_i64(t, &a, config.verify_failures_all);
	redis_arg(&a, web_only ? STR("1") : STR("0"));
	redis_eval(t, &redis_scripts[SCRIPT_CODE_TAKE], &a, take_decode, f, take_done);
}

void code_return(struct task *t, struct str code, struct str addr_key,
	const struct code_claim *claim, task_fn *next)
{
	struct str name = name_of(t, code), identity = identity_name(t, &claim->who);
	struct str address = claim->web ? address_name(t, addr_key) : STR("");
	struct redis_args a = {0};

	redis_key(t, &a, "portal:code:" STR_FMT, STR_ARG(name));
	redis_key(t, &a, "portal:codes:%s:" STR_FMT, claim->web ? "web" : "bot", STR_ARG(identity));
	redis_key(t, &a, "portal:codes:addr:" STR_FMT, STR_ARG(address));
	redis_arg(&a, name);
	redis_arg(&a, identity);
	redis_arg(&a, address);
	redis_arg_i64(t, &a, claim->expires_at);
	redis_arg(&a, code_seal(t, claim->web ? CODE_WEB : CODE_BOT, code, &claim->who));
	redis_eval(t, &redis_scripts[SCRIPT_CODE_RETURN], &a, NULL, NULL, next);
}

/* ---- by name ---- */

static enum err named_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct code_listed *c = out;
	struct code_claim claim;
	enum err e;

	if (redis_is_nil(redis_at(v, 0)))
		return ERR_INVALID_CODE;
	e = code_open(t, redis_str(redis_at(v, 0)), c->code.text, &claim);
	c->code.expires_at = redis_i64(redis_at(v, 1));
	c->who = claim.who;
	return e;
}

void code_named(struct task *t, struct str name, struct code_listed *out, task_fn *next)
{
	struct redis_args a = {0};

	redis_arg(&a, STR("HMGET"));
	redis_arg(&a, arena_printf(task_arena(t), "portal:code:" STR_FMT, STR_ARG(name)));
	redis_arg(&a, STR("s"));
	redis_arg(&a, STR("x"));
	redis_call(t, OP_READ, &a, named_decode, out, next);
}

/* ---- the list for portalctl demo ---- */

struct code_all {
	struct code_listed **out;
	size_t *count;
};

static enum err list_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct code_all *f = out;
	struct code_listed *codes =
		arena_array(task_arena(t), struct code_listed, redis_len(v) / 2);
	struct code_claim claim;

	*f->out = codes;
	*f->count = 0;
	for (size_t i = 0; i + 1 < redis_len(v); i += 2) {
		struct code_listed *c = &codes[*f->count];

		if (code_open(t, redis_str(redis_at(v, i)), c->code.text, &claim) != OK)
			continue; /* sealed with another SECRET_KEY */
		c->code.expires_at = redis_i64(redis_at(v, i + 1));
		c->who = claim.who;
		++*f->count;
	}
	return OK;
}

void code_list_web(struct task *t, struct code_listed **out, size_t *count, task_fn *next)
{
	struct code_all *f = arena_new(task_arena(t), struct code_all);
	struct redis_args none = {0};

	f->out = out;
	f->count = count;
	redis_eval(t, &redis_scripts[SCRIPT_CODE_LIST], &none, list_decode, f, next);
}
