/* Scenario me: N people, each with a keep-alive connection of their own, ask for one page; how long
 * the answer takes (turns.h).
 *
 *   go -> answered -> turns_over
 *
 * Only 200 counts as an answer; whatever else comes is an error by its code. */
#include "turns.h"

static struct turns turns;
static struct web *webs[RUN_URLS_MAX];
static const char *path = "/v1/users/me";

static struct meter answered_meter = {.name = "answered", .timed = true};
static struct meter *const meters[] = {&answered_meter, NULL};
static const struct option options[] = {
	{"--path", &path, NULL, 0, 0, "page that is asked for"},
	{NULL, NULL, NULL, 0, 0, NULL},
};

static void answered(void *arg, const struct web_answer *a)
{
	size_t client = (size_t)((struct person *)arg - turns.share->people);
	bool good = a->status == 200;
	int64_t took = turns_over(&turns, client, good);

	if (good)
		meter_time(&answered_meter, took);
	else
		run_tally_answer("request", a);
}

static void go(size_t client)
{
	struct person *p = &turns.share->people[client];
	struct buf headers = {0};

	person_headers(p, &headers);
	web_ask(webs[client % run.o.url_count], "GET", str_of(path), buf_view(&headers), STR(""),
		answered, p);
	buf_free(&headers);
}

static void prepare(const struct share *mine)
{
	turns_setup(&turns, mine, go);
	turns_webs_make(webs, mine->clients);
	run_ready();
}

static void begin(void)
{
	turns_begin(&turns);
}

static void end(void)
{
	turns_end(&turns);
}

static void release(void)
{
	turns_release(&turns);
	turns_webs_free(webs);
	turns_free(&turns);
	run_released();
}

const struct scenario scenario_me = {.name = "me",
	.help = "people with a connection each ask for a page; --rate 0: again and again",
	.clients = 64,
	.options = options,
	.meters = meters,
	.prepare = prepare,
	.begin = begin,
	.end = end,
	.release = release};
