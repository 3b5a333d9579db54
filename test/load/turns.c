/* Turns: own what is known of each client's. */
#include "turns.h"

#include <stdlib.h>

#include "base/clock.h"

#define REST_MS    100
#define TIMEOUT_MS 10000

struct turn {
	struct turns *turns;
	struct timer timer;
	uint64_t next; /* number of the operation at hand */
	int64_t due;
	bool busy;
};

static void turn_go(struct turn *u)
{
	struct turns *t = u->turns;
	size_t client = (size_t)(u - t->all);
	int64_t now = clock_ns();

	if (u->busy || t->phase != TURNS_GOING)
		return;
	u->due = t->share->rate > 0 ? pace_due(t->share, client, u->next) : now;
	if (u->due > now)
		return;
	u->busy = true;
	t->busy++;
	t->go(client);
}

static void on_rested(struct timer *timer)
{
	turn_go(LIST_ITEM(timer, struct turn, timer));
}

static void on_due(void *arg, size_t client)
{
	struct turns *t = arg;

	turn_go(&t->all[client]);
}

void turns_setup(struct turns *t, const struct share *s, void (*go)(size_t client))
{
	*t = (struct turns){.share = s, .go = go};
	t->all = calloc(s->clients, sizeof(*t->all));
	if (!t->all)
		PANIC("no memory");
	for (size_t i = 0; i < s->clients; i++) {
		t->all[i].turns = t;
		timer_init(&t->all[i].timer, on_rested);
	}
}

void turns_begin(struct turns *t)
{
	pace_begin(&t->pace, t->share, on_due, t);
	for (size_t i = 0; t->share->rate == 0 && i < t->share->clients; i++)
		turn_go(&t->all[i]);
}

int64_t turns_over(struct turns *t, size_t client, bool good)
{
	struct turn *u = &t->all[client];
	int64_t took = (clock_ns() - u->due) / 1000;

	u->busy = false;
	u->next++;
	t->busy--;
	if (t->phase == TURNS_ENDING && t->busy == 0)
		run_settled();
	else if (good || t->share->rate > 0)
		turn_go(u);
	else if (t->phase == TURNS_GOING)
		timer_set(&u->timer, REST_MS);
	return took;
}

void turns_end(struct turns *t)
{
	t->phase = TURNS_ENDING;
	if (t->busy == 0)
		run_settled();
}

void turns_release(struct turns *t)
{
	t->phase = TURNS_OVER;
	pace_end(&t->pace);
	for (size_t i = 0; i < t->share->clients; i++)
		timer_clear(&t->all[i].timer);
}

void turns_free(struct turns *t)
{
	free(t->all);
}

void turns_webs_make(struct web *webs[RUN_URLS_MAX], size_t clients)
{
	size_t urls = run.o.url_count;

	for (size_t i = 0; i < urls; i++)
		webs[i] = web_new(
			run.origins[i], (unsigned)((clients + urls - 1 - i) / urls), TIMEOUT_MS);
}

void turns_webs_free(struct web *webs[RUN_URLS_MAX])
{
	for (size_t i = 0; i < run.o.url_count; i++)
		web_free(webs[i]);
}
