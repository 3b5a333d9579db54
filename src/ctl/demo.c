/* portalctl demo: stands in for the chat platforms on a developer's machine. It shows each pending
 * web code as the direct message that a bot would send. Local mode only: it reads the sealed codes
 * with SECRET_KEY, which outside a developer's machine nobody but the server should hold.
 *
 *   ctl_demo (sleeps until Ctrl-C); every POLL_MS a task of its own: poll_begin -> polled */
#include "base/clock.h"
#include "base/config.h"
#include "base/map.h"
#include "ctl/ctl.h"
#include "store/code.h"

#define POLL_MS 300
#define HOUR_MS 3600000

static struct {
	struct timer timer;
	struct map shown; /* hash of a code that was shown -> itself */
} demo;

struct poll {
	struct code_listed *codes;
	size_t count;
};

static void show(struct task *t, const struct code_listed *c)
{
	struct str text = str_make(c->code.text, CODE_LEN);
	uint64_t key = str_hash(text);
	char until[TIME_LEN];

	if (map_get(&demo.shown, key))
		return;
	map_put(&demo.shown, key, &demo);
	time_format(c->code.expires_at, until);
	ctl_print_line(arena_printf(task_arena(t),
		"[" STR_FMT " bot → " STR_FMT "]  Your login code is " STR_FMT " (until %.8s UTC)",
		STR_ARG(c->who.platform), STR_ARG(c->who.platform_user_id), STR_ARG(text),
		until + 11));
}

static void polled(struct task *t)
{
	struct poll *f = task_frame(t);

	for (size_t i = 0; i < f->count; i++)
		show(t, &f->codes[i]);
	task_end(t);
}

static void poll_begin(struct task *t)
{
	struct poll *f = task_frame(t);

	code_list_web(t, &f->codes, &f->count, polled);
}

/* Redis is away for a moment: the next poll tries again. */
static void poll_failed(struct task *t, const struct fault *fault)
{
	(void)fault;
	task_end(t);
}

static void poll_ended(struct task *t)
{
	(void)t;
	if (timer_is_set(&demo.timer) || !demo.timer.fn)
		return;
	timer_set(&demo.timer, POLL_MS);
}

static const struct task_ops poll_ops = {poll_failed, poll_ended};

static void poll_due(struct timer *timer)
{
	(void)timer;
	task_new("demo poll", &poll_ops, NULL, sizeof(struct poll), poll_begin);
}

static void rest(struct task *t)
{
	task_sleep(t, HOUR_MS, rest);
}

static void stop(void *arg)
{
	(void)arg;
	timer_clear(&demo.timer);
	demo.timer.fn = NULL;
	map_free(&demo.shown);
}

void ctl_demo(struct task *t)
{
	if (!config.local_mode) {
		ctl_fail(t, "demo is for local mode: it reads login codes");
		return;
	}
	task_deadline(t, 0);
	arena_defer(task_arena(t), stop, NULL);
	timer_init(&demo.timer, poll_due);
	timer_set(&demo.timer, 1);
	rest(t);
}
