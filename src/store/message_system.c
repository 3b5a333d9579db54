/* What the system says, and emptying a chat, which is always said.
 *
 *   message_empty -> empty_ask -> emptied -+-> done
 *                       ^                  +-> the epoch's ceiling: epoch_rotate -+
 *                       +---------------------------------------------------------+
 *
 * The epoch that epoch_rotate moves on the way is one more than needed, once in a thousand.
 *
 * To let emptying do more in its step: `empty` in schema/redis/message_send.lua. */
#include "store/message_private.h"

#include "base/config.h"
#include "gen/schema.h"
#include "io/pg.h"
#include "io/redis.h"
#include "store/epoch.h"

struct str message_json(struct buf *b, struct str s)
{
	struct json_out j;

	b->n = 0;
	json_out_init(&j, b);
	json_str(&j, s);
	return buf_view(b);
}

/* `reason`: why the stream is emptied first; "": it is not. */
static void say(struct task *t, int64_t chat_id, struct str chat_name, const char *reason,
	struct str text, redis_decode *decode, void *out, task_fn *next)
{
	static struct buf content, name;
	struct redis_args a = {0};

	redis_arg_i64(t, &a, chat_id);
	redis_arg(&a, STR("0"));
	redis_arg(&a, STR(""));  /* no session */
	redis_arg(&a, STR(""));  /* no client_id */
	redis_arg(&a, STR("0")); /* the epoch of plaintext */
	redis_arg(&a, text);
	redis_arg(&a, message_json(&content, text));
	redis_arg_i64(t, &a, config.history_max);
	for (int i = 9; i <= 13; i++) /* no limits, no stamps */
		redis_arg(&a, STR(""));
	redis_arg(&a, STR("null,\"permission_level\":0"));
	redis_arg(&a, message_json(&name, chat_name));
	redis_arg(&a, STR("")); /* nobody's mute */
	redis_arg(&a, STR("")); /* starts no timer */
	redis_arg(&a, str_of(reason));
	redis_eval(t, &redis_scripts[SCRIPT_MESSAGE_SEND], &a, decode, out, next);
}

void message_system(
	struct task *t, int64_t chat_id, struct str chat_name, struct str text, task_fn *next)
{
	say(t, chat_id, chat_name, "", text, NULL, NULL, next);
}

/* ---- emptying ---- */

enum outcome { /* of message_send.lua */
	EMPTIED = 0,
	EARLY = 7,
	CEILING = 8
};

struct empty {
	int64_t chat_id;
	struct str chat_name, text;
	const char *reason;
	int64_t *cleared;
	enum outcome outcome;
};

static enum err emptied_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct empty *f = out;

	(void)t;
	f->outcome = (enum outcome)redis_i64(redis_at(v, 0));
	*f->cleared = f->outcome == EMPTIED ? redis_i64(redis_at(v, 2)) : -1;
	return OK;
}

static void empty_ask(struct task *t);

static void emptied(struct task *t)
{
	const struct empty *f = task_frame(t);

	if (f->outcome == CEILING)
		epoch_rotate(t, f->chat_id, f->reason, 0, empty_ask);
	else
		task_return(t);
}

static void empty_ask(struct task *t)
{
	struct empty *f = task_frame(t);

	say(t, f->chat_id, f->chat_name, f->reason, f->text, emptied_decode, f, emptied);
}

void message_empty(struct task *t, int64_t chat_id, struct str chat_name, const char *reason,
	struct str text, int64_t *cleared, task_fn *next)
{
	struct empty *f = task_call(t, sizeof(*f), next);

	f->chat_id = chat_id;
	f->chat_name = chat_name;
	f->reason = reason;
	f->text = text.p ? text : STR("Messages were cleared");
	f->cleared = cleared;
	empty_ask(t);
}

void message_clear(struct task *t, int64_t chat_id, struct str chat_name, struct str text,
	int64_t *cleared, task_fn *next)
{
	message_empty(t, chat_id, chat_name, "clear", text, cleared, next);
}

PG_STMT(sql_cleared, OP_WRITE,
	"INSERT INTO chat_activity (chat_id, user_id, action) SELECT c.id, $2::bigint, 'clear'"
	" FROM chats c WHERE c.id = $1::bigint FOR KEY SHARE"); /* it may be on its way out */

struct clear_by {
	const struct standing *by;
};

static void cleared_by(struct task *t)
{
	const struct standing *by = ((const struct clear_by *)task_frame(t))->by;
	struct pg_args a = {0};

	pg_arg_i64(t, &a, by->chat_id);
	pg_arg_i64(t, &a, by->user_id);
	pg_query(t, &sql_cleared, &a, NULL, NULL, task_return);
}

void message_clear_by(struct task *t, const struct standing *by, int64_t *cleared, task_fn *next)
{
	struct clear_by *f = task_call(t, sizeof(*f), next);
	struct str text =
		arena_printf(task_arena(t), STR_FMT " cleared the chat", STR_ARG(by->username));

	f->by = by;
	message_clear(t, by->chat_id, by->chat_name, text, cleared, cleared_by);
}
