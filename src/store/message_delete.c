/* Deleting messages, one by one. (All at once: message_system.c)
 *
 * To add a way to choose them: a mode of schema/redis/message_delete.lua. */
#include "store/message.h"

#include "gen/schema.h"
#include "io/redis.h"

static enum err deleted_decode(struct task *t, const struct redis_value *v, void *out)
{
	int64_t n = redis_i64(v);

	(void)t;
	if (n < 0)
		return ERR_ACCESS_DENIED;
	*(int64_t *)out = n;
	return OK;
}

/* user_id 0: whoever's. */
static void delete_ask(struct task *t, int64_t chat_id, const char *mode, int64_t user_id,
	struct str what, int64_t *deleted, task_fn *next)
{
	struct redis_args a = {0};

	redis_key(t, &a, "portal:chat:%lld:stream", (long long)chat_id);
	redis_arg_i64(t, &a, chat_id);
	redis_arg(&a, str_of(mode));
	redis_arg(&a, user_id ? arena_printf(task_arena(t), "%lld", (long long)user_id) : STR(""));
	redis_arg(&a, what);
	redis_eval(t, &redis_scripts[SCRIPT_MESSAGE_DELETE], &a, deleted_decode, deleted, next);
}

void message_delete(struct task *t, int64_t chat_id, int64_t user_id, bool any,
	const struct str *ids, size_t n, int64_t *deleted, task_fn *next)
{
	static struct buf list;

	list.n = 0;
	for (size_t i = 0; i < n; i++) {
		buf_str(&list, ids[i]);
		buf_char(&list, ' ');
	}
	delete_ask(t, chat_id, "ids", any ? 0 : user_id, buf_view(&list), deleted, next);
}

void message_delete_of(
	struct task *t, int64_t chat_id, int64_t user_id, int64_t *deleted, task_fn *next)
{
	delete_ask(t, chat_id, "of", user_id, STR(""), deleted, next);
}

void message_delete_last(
	struct task *t, int64_t chat_id, int64_t count, int64_t *deleted, task_fn *next)
{
	delete_ask(t, chat_id, "last", 0, arena_printf(task_arena(t), "%lld", (long long)count),
		deleted, next);
}
