/* Sending: one script does it, or says what it lacks.
 *
 *   message_send -> send_ask -> sent -+-> done, or refused
 *                     ^               +-> the card is missing: standing_read -> standing_known -+
 *                     +-------------------------------------------------------------------------+
 *
 * A card is made from what PostgreSQL says now and is brought along with the stamps that the script
 * gave before PostgreSQL was asked; when one of them moved meanwhile, the script does not take it
 * and we begin again. So whoever changes something commits, then moves the stamp, and no send that
 * begins afterwards goes by what was before. (schema/redis/message_send.lua)
 *
 * To refuse for another reason: struct standing when PostgreSQL knows it, or an outcome of the
 * script; sent or standing_known. */
#include "store/message_private.h"

#include "base/clock.h"
#include "base/config.h"
#include "gen/schema.h"
#include "io/pg.h"
#include "io/redis.h"
#include "rules/ciphertext.h"
#include "store/wipe.h"

#define LOOKS 4 /* beyond that the chat is too restless to answer */
/* A chat's activity is written down when a card is made, so at most once a minute and person; and
 * when what is there is as old as this. */
#define ACTIVITY_US (30 * INT64_C(1000000))

enum outcome {
	SEND_ADDED, /* in the order of message_send.lua */
	SEND_CARD,
	SEND_MUTED,
	SEND_APART,
	SEND_EPOCH,
	SEND_KEYLESS,
	SEND_RATE
};

struct send {
	struct message_new m;
	struct str *id;
	int64_t epoch;
	struct standing standing;
	struct str stamps[3];
	int looks;   /* cards read */
	bool active; /* the chat's activity is to be written down */
	/* the answer */
	enum outcome outcome;
	int64_t n;
};

/* ---- the step ---- */

static enum err send_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct send *f = out;

	f->outcome = (enum outcome)redis_i64(redis_at(v, 0));
	f->n = redis_i64(redis_at(v, 1));
	if (f->outcome == SEND_ADDED)
		*f->id = arena_str(task_arena(t), redis_str(redis_at(v, 1)));
	for (size_t i = 0; f->outcome == SEND_CARD && i < 3; i++)
		f->stamps[i] = arena_str(task_arena(t), redis_str(redis_at(v, 1 + i)));
	return OK;
}

/* What stands behind "sender": in an item. */
static struct str face_text(struct buf *b, const struct standing *s)
{
	struct json_out j;

	b->n = 0;
	json_out_init(&j, b);
	json_obj(&j);
	json_ki64(&j, "id", s->user_id);
	json_kstr(&j, "username", s->username);
	json_kstr(&j, "avatar_url", s->avatar_url);
	json_ki64(&j, "permission_level", s->level);
	json_end(&j);
	buf_lit(b, ",\"permission_level\":");
	buf_i64(b, s->level);
	return buf_view(b);
}

/* ms; '0': until lifted; '': not. */
static struct str muted_text(struct task *t, const struct standing *s)
{
	if (!s->muted)
		return STR("");
	return arena_printf(task_arena(t), "%lld", (long long)(s->muted_until / 1000));
}

/* ms; '0': off; '': none, a direct chat. */
static struct str wipe_text(struct task *t, const struct standing *s)
{
	if (s->visibility == VISIBILITY_DIRECT)
		return STR("");
	return arena_printf(task_arena(t), "%lld", (long long)wipe_preset_ms(s->wipe_preset));
}

static void sent(struct task *t);

static void send_ask(struct task *t)
{
	static struct buf content, face, name;
	struct send *f = task_frame(t);
	const struct standing *s = &f->standing;
	struct redis_args a = {0};

	redis_arg_i64(t, &a, f->m.chat_id);
	redis_arg_i64(t, &a, f->m.user_id);
	redis_arg(&a, str_make(f->m.session, SESSION_ID_LEN));
	redis_arg(&a, f->m.client_id.p ? f->m.client_id : STR(""));
	redis_arg_i64(t, &a, f->epoch);
	redis_arg(&a, f->m.content);
	redis_arg(&a, message_json(&content, f->m.content));
	redis_arg_i64(t, &a, config.history_max);
	redis_arg_i64(t, &a, config.rate_message_chat);
	redis_arg_i64(t, &a, config.rate_message);
	if (f->looks > 0) {
		for (int i = 0; i < 3; i++)
			redis_arg(&a, f->stamps[i]);
		redis_arg(&a, face_text(&face, s));
		redis_arg(&a, message_json(&name, s->chat_name));
		redis_arg(&a, muted_text(t, s));
		redis_arg(&a, wipe_text(t, s));
		f->active = s->visibility != VISIBILITY_DIRECT &&
			    s->last_activity_at < clock_us() - ACTIVITY_US;
		redis_arg(&a, f->active ? STR("1") : STR(""));
	}
	redis_eval(t, &redis_scripts[SCRIPT_MESSAGE_SEND], &a, send_decode, f, sent);
}

/* ---- the card ---- */

static void standing_known(struct task *t)
{
	struct send *f = task_frame(t);

	f->looks++;
	if (!standing_sees(&f->standing))
		task_fail(t, ERR_CHAT_NOT_FOUND);
	else if (f->standing.banned)
		task_fail(t, ERR_BANNED);
	else
		send_ask(t);
}

PG_STMT(sql_chat_active, OP_WRITE,
	"UPDATE chats SET last_activity_at = now() WHERE id = $1::bigint");

static void activity_told(struct task *t)
{
	task_return(t); /* went well or not: the message is there */
}

static void added(struct task *t)
{
	const struct send *f = task_frame(t);
	struct pg_args a = {0};

	if (!f->active) {
		task_return(t);
		return;
	}
	pg_arg_i64(t, &a, f->m.chat_id);
	task_catch(t);
	pg_query(t, &sql_chat_active, &a, NULL, NULL, activity_told);
}

static void sent(struct task *t)
{
	struct send *f = task_frame(t);

	switch (f->outcome) {
	case SEND_ADDED:
		added(t);
		break;
	case SEND_CARD:
		if (f->looks == LOOKS)
			task_fail(t, ERR_UNAVAILABLE);
		else
			standing_read(t, f->m.chat_id, f->m.user_id, &f->standing, standing_known);
		break;
	case SEND_MUTED:
		task_fail_with(t, (struct fault){.err = ERR_MUTED, .has_ttl = true, .ttl = f->n});
		break;
	case SEND_APART:
		task_fail(t, ERR_NOT_JOINED);
		break;
	case SEND_EPOCH:
		task_fail_with(t, (struct fault){.err = ERR_EPOCH_MISMATCH, .epoch = f->n});
		break;
	case SEND_KEYLESS:
		task_fail(t, ERR_NO_ROOM_KEY);
		break;
	default: /* SEND_RATE */
		task_fail_with(t, (struct fault){.err = ERR_MESSAGE_RATE,
					  .retry_after = f->n > 1000 ? (f->n + 999) / 1000 : 1});
		break;
	}
}

void message_send(struct task *t, const struct message_new *m, struct str *id, task_fn *next)
{
	struct send *f = task_call(t, sizeof(*f), next);

	f->m = *m;
	f->id = id;
	if (ciphertext_check(m->content, &f->epoch))
		send_ask(t);
	else
		task_fail(t, ERR_BAD_CIPHERTEXT);
}

/* ---- what cards say has changed ---- */

static void stamp_drop(struct task *t, const char *kind, int64_t id, task_fn *next)
{
	struct redis_args a = {0};

	redis_arg(&a, STR("DEL"));
	redis_key(t, &a, "portal:%s:%lld:stamp", kind, (long long)id);
	redis_call(t, OP_WRITE, &a, NULL, NULL, next);
}

void message_person_changed(struct task *t, int64_t user_id, task_fn *next)
{
	stamp_drop(t, "person", user_id, next);
}

void message_chat_changed(struct task *t, int64_t chat_id, task_fn *next)
{
	stamp_drop(t, "chat", chat_id, next);
}
