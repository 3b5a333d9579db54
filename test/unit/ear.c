/* See ear.h. */
#include "ear.h"

#include <stdlib.h>

#include "base/buf.h"
#include "io/redis_sub.h"
#include "stores.h"

static struct buf log_, given;
static int64_t marks, marks_heard;

static void on_message(struct str channel, struct str payload)
{
	struct str head = str_cut(&payload, '\n'), event;

	if (str_eq(channel, STR("test:ear"))) {
		marks_heard++;
		return;
	}
	str_cut(&head, ' ');
	event = str_cut(&head, ' ');
	str_cut(&head, ' ');
	buf_printf(&log_, STR_FMT " " STR_FMT " " STR_FMT " " STR_FMT "\n", STR_ARG(channel),
		STR_ARG(event), STR_ARG(head), STR_ARG(payload));
}

static void ignore(void)
{
}

static void bus_wait(struct task *t)
{
	if (redis_sub_is_up() && marks_heard == marks)
		task_end(t);
	else
		task_sleep(t, 1, bus_wait);
}

/* Until what was published is here. */
static void bus_sync(void)
{
	struct job wait = {.begin = bus_wait};

	if (redis_sub_is_up()) {
		marks++;
		redis_do("PUBLISH test:ear x");
	}
	ASSERT(job_run(&wait) == OK);
}

const char *heard(void)
{
	bus_sync();
	given.n = 0;
	buf_str(&given, buf_view(&log_));
	buf_char(&given, '\0');
	log_.n = 0;
	return given.p;
}

int times(const char *text, const char *what)
{
	int n = 0;

	for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

void ear_begin(void)
{
	const struct redis_sub_setup s = {.url = str_of(getenv("REDIS_URL")),
		.timeout_ms = 5000,
		.message = on_message,
		.lost = ignore,
		.back = ignore};
	struct str why;

	ASSERT(redis_sub_start(&s, &why) == OK);
	redis_subscribe(STR("test:ear"));
	bus_sync();
}

void ear_end(void)
{
	redis_sub_stop();
	buf_free(&log_);
	buf_free(&given);
}
