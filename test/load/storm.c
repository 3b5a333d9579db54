/* Scenario storm: what a network does that goes away and comes back. All clients of a chat (chat.c)
 * lose their connection in the same moment and return as the stock client does; how long until each
 * is back: connected, its key posted, in its rooms, with their keys.
 *
 *   chat's prepare and begin -> drop: all are cut -> look: who is back -> all are back
 *   -> --every seconds later, as long as the load lasts: drop …
 *   end: all are back -> chat's end
 *
 * With --drop server nothing is cut here: the clients lose their server by what an operator does,
 * and the storm begins when the first is lost. Owns who is away. */
#include <stdlib.h>

#include "base/clock.h"
#include "chat.h"

#define LOOK_MS 16

static size_t *away; /* indexes of clients */
static size_t away_count;
static int64_t dropped_ns; /* 0: no storm now */
static struct timer drop_timer, look_timer;
static bool ending;
static int64_t every = 10;
static const char *drop_by = "client";

static struct meter storms = {.name = "storms"}, back = {.name = "back", .timed = true},
		    all_back = {.name = "all_back", .timed = true};
static struct meter *const meters[] = {&storms, &back, &all_back, &chat_sent, &chat_acked,
	&chat_received, &chat_resent, &chat_refused, &chat_gaps, &chat_reconnected, NULL};

static bool is_back(const struct client *c)
{
	for (size_t i = 0; i < (size_t)chat_each; i++)
		if (!c->seats[i].joined || c->seats[i].keyed != c->seats[i].epoch)
			return false;
	return c->open;
}

static void storm_begins(void)
{
	meter_add(&storms);
	dropped_ns = clock_ns();
	for (away_count = 0; away_count < chat.mine->clients; away_count++)
		away[away_count] = away_count;
}

static void drop(struct timer *t)
{
	(void)t;
	storm_begins();
	for (size_t i = 0; i < chat.mine->clients; i++)
		sock_cut(chat.clients[i].sock, -1);
}

static void storm_over(void)
{
	meter_time(&all_back, (clock_ns() - dropped_ns) / 1000);
	dropped_ns = 0;
	if (ending)
		chat_end();
	else if (strcmp(drop_by, "client") == 0)
		timer_set(&drop_timer, every * 1000);
}

static void look(struct timer *t)
{
	size_t left = 0;

	timer_set(t, LOOK_MS);
	if (dropped_ns == 0 && !ending && run.open < chat.mine->clients)
		storm_begins();
	if (dropped_ns == 0)
		return;
	for (size_t i = 0; i < away_count; i++) {
		if (is_back(&chat.clients[away[i]]))
			meter_time(&back, (clock_ns() - dropped_ns) / 1000);
		else
			away[left++] = away[i];
	}
	away_count = left;
	if (left == 0)
		storm_over();
}

static void prepare(const struct share *mine)
{
	if (strcmp(drop_by, "client") != 0 && strcmp(drop_by, "server") != 0)
		run_fail("--drop is client or server");
	timer_init(&drop_timer, drop);
	timer_init(&look_timer, look);
	away = calloc(mine->clients, sizeof(*away));
	if (!away)
		PANIC("no memory");
	chat_prepare(mine);
}

static void begin(void)
{
	chat_begin();
	timer_set(&look_timer, LOOK_MS);
	if (strcmp(drop_by, "client") == 0)
		timer_set(&drop_timer, 1000);
}

static void end(void)
{
	ending = true;
	timer_clear(&drop_timer);
	if (dropped_ns == 0)
		chat_end();
}

static void explain(void)
{
	run_note("%zu clients are not back", away_count);
	chat_explain();
}

static void release(void)
{
	timer_clear(&drop_timer);
	timer_clear(&look_timer);
	free(away);
	chat_release();
}

static const struct option options[] = {
	ROOM_OPTIONS,
	{"--every", NULL, &every, 1, 3600, "seconds from the end of a storm to the next"},
	{"--drop", &drop_by, NULL, 0, 0,
		"who drops them: client, or server (an operator stops or restarts it)"},
	{NULL, NULL, NULL, 0, 0, NULL},
};

const struct scenario scenario_storm = {.name = "storm",
	.help = "all clients of a chat lose their connection at once and come back",
	.clients = 1000,
	.options = options,
	.meters = meters,
	.prepare = prepare,
	.begin = begin,
	.end = end,
	.explain = explain,
	.release = release};
