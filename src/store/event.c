/* Events to the bus: owns the text of its messages as long as a task needs them.
 *
 *   event_to_… -> the caller writes e->json -> event_send: PUBLISH -> event_sent, whatever came of
 * it
 *
 * To add another addressee: a letter in enum audience, and hub/room_deliver.c. */
#include "store/event.h"

#include "io/redis.h"

#include <stdio.h>

static void data_free(void *event)
{
	buf_free(&((struct event *)event)->data);
}

static struct event *event_new(struct task *t, enum audience a, const char *name)
{
	struct event *e = arena_new(task_arena(t), struct event);

	e->audience = a;
	e->name = name;
	json_out_init(&e->json, &e->data);
	arena_defer(task_arena(t), data_free, e);
	return e;
}

struct event *event_to_room(struct task *t, int64_t chat_id, enum audience a, const char *name)
{
	struct event *e = event_new(t, a, name);

	snprintf(e->channel, sizeof(e->channel), "portal:room:%lld", (long long)chat_id);
	return e;
}

struct event *event_to_user(struct task *t, int64_t user_id, enum audience a, const char *name)
{
	struct event *e = event_new(t, a, name);

	snprintf(e->channel, sizeof(e->channel), "portal:user:%lld", (long long)user_id);
	return e;
}

struct event *event_to_all(struct task *t, enum audience a, const char *name)
{
	struct event *e = event_new(t, a, name);

	snprintf(e->channel, sizeof(e->channel), "portal:all");
	return e;
}

static struct str or_none(struct str s)
{
	return s.p ? s : STR("-");
}

/* An error is no error: see the header. */
static void event_sent(struct task *t)
{
	task_return(t);
}

void event_send(struct task *t, struct event *e, task_fn *next)
{
	struct str position = or_none(e->position), who = or_none(e->who);
	struct redis_args a = {.n = 0};
	struct buf message = {0};

	ASSERT(e->json.depth == 0);
	buf_printf(&message, "%c %s " STR_FMT " " STR_FMT "\n", (char)e->audience, e->name,
		STR_ARG(position), STR_ARG(who));
	buf_str(&message, buf_view(&e->data));
	redis_arg(&a, STR("PUBLISH"));
	redis_arg(&a, str_of(e->channel));
	redis_arg(&a, buf_view(&message));
	task_call(t, 0, next);
	task_catch(t);
	redis_call(t, OP_WRITE, &a, NULL, NULL, event_sent);
	buf_free(&message);
}
