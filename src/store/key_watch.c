/* Looks: owns the book of rooms in which somebody may be without a key, one timer, and the tasks
 * that look.
 *
 *   key_room_look -> timer -> watch_run -> task: key_ask -> look_ended -> timer …
 *
 * A look is a tick: it has no client and no deadline but those of the stores. One that fails is
 * made again a second later; one of a chat that is gone is not. */
#include "store/key_private.h"

#include "base/clock.h"
#include "io/loop.h"
#include "rules/distributor.h"

#include <stdlib.h>

#define AGAIN_MS 1000

static struct distributor book;
static struct timer watch;

struct look {
	int64_t chat_id, again;
};

static void watch_set(void)
{
	int64_t ms = distributor_wait(&book, clock_ms());

	if (ms >= 0)
		timer_set(&watch, ms);
}

static void look_done(struct task *t)
{
	task_end(t);
}

static void look_admitted(struct task *t)
{
	struct look *l = task_subject(t);

	key_ask(t, l->chat_id, &l->again, look_done);
}

static void look_begin(struct task *t)
{
	task_admit(t, TASK_LINE_REQUESTS, look_admitted);
}

static void look_failed(struct task *t, const struct fault *f)
{
	struct look *l = task_subject(t);

	l->again = f->err == ERR_CHAT_NOT_FOUND ? 0 : AGAIN_MS;
	task_end(t);
}

static void look_ended(struct task *t)
{
	struct look *l = task_subject(t);

	distributor_looked(&book, l->chat_id, clock_ms(), l->again);
	free(l);
	watch_set();
}

static void watch_run(struct timer *timer)
{
	static const struct task_ops ops = {look_failed, look_ended};
	int64_t chat_id;

	(void)timer;
	while ((chat_id = distributor_next(&book, clock_ms())) != 0) {
		struct look *l = calloc(1, sizeof(*l));

		if (!l)
			PANIC("out of memory");
		l->chat_id = chat_id;
		task_deadline(task_new("key look", &ops, l, 0, look_begin), 0);
	}
	watch_set();
}

void key_room_look(int64_t chat_id)
{
	if (!watch.fn)
		timer_init(&watch, watch_run);
	distributor_touch(&book, chat_id, clock_ms());
	watch_set();
}

void key_stop(void)
{
	if (watch.fn)
		timer_clear(&watch);
	distributor_free(&book);
}
