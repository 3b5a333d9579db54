/* What the matcher holds, as servers and operators look at it. Changes nothing.
 *
 * To add a figure: schema/redis/match_figures.lua, struct match_figures, figures_decode. */
#include "store/match.h"

#include "base/buf.h"
#include "gen/schema.h"
#include "io/redis.h"

int direct_which(const struct direct *d, int64_t user_id)
{
	return user_id == d->people[0] ? 0 : user_id == d->people[1] ? 1 : -1;
}

/* ---- who is in a direct chat ---- */

static enum err chats_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct match_chats *c = out;

	c->count = redis_len(v) / 2;
	c->rows = arena_array(task_arena(t), struct match_chat, c->count);
	for (size_t i = 0; i < c->count; i++)
		c->rows[i] = (struct match_chat){.user_id = redis_i64(redis_at(v, 2 * i)),
			.chat_id = redis_i64(redis_at(v, 2 * i + 1))};
	return OK;
}

void match_chats_of(
	struct task *t, const int64_t *people, size_t count, struct match_chats *out, task_fn *next)
{
	struct redis_args a = {0};
	struct buf ids = {0};

	for (size_t i = 0; i < count; i++) {
		buf_i64(&ids, people[i]);
		buf_char(&ids, ' ');
	}
	redis_arg(&a, buf_view(&ids));
	redis_eval(t, &redis_scripts[SCRIPT_MATCH_CHATS], &a, chats_decode, out, next);
	buf_free(&ids);
}

/* ---- figures ---- */

static enum err figures_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct match_figures *f = out;
	const struct redis_value *tags = redis_at(v, 5);

	f->searches = redis_i64(redis_at(v, 0));
	f->chats = redis_i64(redis_at(v, 1));
	f->away = redis_i64(redis_at(v, 2));
	f->graces = redis_i64(redis_at(v, 3));
	f->longest = redis_i64(redis_at(v, 4)) * 1000;
	f->tags_count = redis_len(tags);
	f->tags = arena_array(task_arena(t), struct str, f->tags_count);
	for (size_t i = 0; i < f->tags_count; i++)
		f->tags[i] = arena_str(task_arena(t), redis_str(redis_at(tags, i)));
	return OK;
}

void match_figures(
	struct task *t, int64_t offset, int64_t count, struct match_figures *out, task_fn *next)
{
	struct redis_args a = {0};

	redis_arg_i64(t, &a, offset);
	redis_arg_i64(t, &a, offset + count - 1);
	redis_eval(t, &redis_scripts[SCRIPT_MATCH_FIGURES], &a, figures_decode, out, next);
}
