/* Scenario login: N people sign in over and over: request, the bot's fetch, verify (turns.h).
 *
 *   go -> login_begin (people.c) -> signed_in -> turns_over
 *
 * The first time makes the account; from the sixth on each ends the person's oldest session
 * (MAX_SESSIONS_PER_USER). Owns the logins. */
#include <stdlib.h>

#include "turns.h"

static struct turns turns;
static struct login *logins;
static struct web *webs[RUN_URLS_MAX];

static struct meter in_meter = {.name = "signed_in", .timed = true};
static struct meter step_meters[LOGIN_STEPS] = {{.name = "requested", .timed = true},
	{.name = "fetched", .timed = true}, {.name = "verified", .timed = true}};
static struct meter *const meters[] = {
	&in_meter, &step_meters[0], &step_meters[1], &step_meters[2], NULL};

static void signed_in(struct login *l, const struct web_answer *failed)
{
	int64_t took[LOGIN_STEPS];
	int steps = failed ? (int)l->step : LOGIN_STEPS;

	memcpy(took, l->took_us, sizeof(took)); /* the next sign-in begins within turns_over */
	for (int i = 0; i < steps; i++)
		meter_time(&step_meters[i], took[i]);
	if (failed)
		run_tally_answer("sign-in", failed);
	took[0] = turns_over(&turns, (size_t)(l - logins), !failed);
	if (!failed)
		meter_time(&in_meter, took[0]);
}

static void go(size_t client)
{
	login_begin(&logins[client]);
}

static void prepare(const struct share *mine)
{
	turns_setup(&turns, mine, go);
	turns_webs_make(webs, mine->clients);
	logins = calloc(mine->clients, sizeof(*logins));
	if (!logins)
		PANIC("no memory");
	for (size_t i = 0; i < mine->clients; i++)
		logins[i] = (struct login){.person = &mine->people[i],
			.web = webs[i % run.o.url_count],
			.done = signed_in};
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
	free(logins);
	run_released();
}

const struct scenario scenario_login = {.name = "login",
	.help = "people sign in: request, the bot's fetch, verify; --rate 0: again and again",
	.clients = 4,
	.strangers = true,
	.meters = meters,
	.prepare = prepare,
	.begin = begin,
	.end = end,
	.release = release};
