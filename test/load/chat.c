/* Scenario chat: N clients in R rooms say M messages a second, all together.
 *
 *   prepare: rooms are made by the host, or given -> clients connect at a steady rate -> all seats
 * joined and keyed -> run_ready begin:   every millisecond, whose message is due -> client_send
 *   end:     what was due is still sent -> everybody has what was acknowledged, and nothing has
 * come for QUIET_MS -> run_settled release: sockets go, the host's chats are deleted
 *
 * Message k of the run is due k/M seconds after its begin, and is client k mod N's: latencies count
 * from then, also when the client had to wait for its turn. Owns rooms, clients and seats.
 *
 * One client's doings: chat_client.c. */
#include "chat.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/secret.h"
#include "pace.h"

#define LOOK_MS   100
#define EXPLAINED 10
#define AWAY_MS   2000
#define QUIET_MS  500 /* what should not come has time to come */

struct chat chat;
int64_t chat_each = 1;
struct meter chat_sent = {.name = "sent"}, chat_acked = {.name = "acked", .timed = true},
	     chat_received = {.name = "received", .timed = true}, chat_resent = {.name = "resent"},
	     chat_refused = {.name = "refused"}, chat_gaps = {.name = "gaps"},
	     chat_reconnected = {.name = "reconnected"};

struct meter *const chat_meters[] = {&chat_sent, &chat_acked, &chat_received, &chat_resent,
	&chat_refused, &chat_gaps, &chat_reconnected, NULL};
static int64_t bytes = 64, cuts;
const struct option chat_options[] = {
	ROOM_OPTIONS,
	{"--rooms-each", NULL, &chat_each, 1, 8, "chats that each client is in"},
	{"--bytes", NULL, &bytes, 0, 2900, "bytes of a message before encryption"},
	{"--cuts", NULL, &cuts, 0, 1000,
		"connections cut a second; their clients are away for up to 2 s"},
	{NULL, NULL, NULL, 0, 0, NULL},
};

static struct pace pace;
static struct timer connect_timer, look_timer, cut_timer;

static void clients_connect(struct timer *t);

/* ---- the clients ---- */

static size_t all_seats(void)
{
	return chat.mine->clients * (size_t)chat_each;
}

static void clients_make(void)
{
	size_t n = chat.mine->clients, each = (size_t)chat_each;

	chat.clients = calloc(n, sizeof(*chat.clients));
	chat.seats = calloc(n * each, sizeof(*chat.seats));
	if (!chat.clients || !chat.seats)
		PANIC("no memory");
	for (size_t i = 0; i < n; i++) {
		struct client *c = &chat.clients[i];

		c->index = (unsigned)i;
		c->person = &chat.mine->people[i];
		c->seats = &chat.seats[i * each];
		for (size_t k = 0; k < each; k++) {
			c->seats[k].client = c;
			c->seats[k].room = &rooms.all[(i + k) % rooms.count];
		}
	}
}

/* Opens as many sockets as are due since the last time. */
static void clients_connect(struct timer *t)
{
	size_t due = (size_t)(run.o.connect_rate * LOOK_MS / 1000);

	if (!chat.clients)
		clients_make();
	for (due = due ? due : 1; due > 0 && chat.connected < chat.mine->clients; due--)
		client_open(&chat.clients[chat.connected++]);
	if (chat.connected < chat.mine->clients)
		timer_set(t, LOOK_MS);
}

void seat_ready(void)
{
	if (++chat.ready == all_seats())
		run_ready();
}

static void look(struct timer *t);
static void cut(struct timer *t);

static void rooms_ready(void)
{
	if ((size_t)chat_each > rooms.count)
		run_fail("--rooms-each: there are %zu chats", rooms.count);
	timer_set(&connect_timer, 0);
}

void chat_prepare(const struct share *mine)
{
	if (chat.mine)
		run_fail("chat and storm have the same clients: one of them");
	chat.mine = mine;
	timer_init(&connect_timer, clients_connect);
	timer_init(&look_timer, look);
	timer_init(&cut_timer, cut);
	content_setup((size_t)bytes);
	rooms_make(rooms_ready);
}

/* ---- pace ---- */

int64_t message_due(const struct client *c, uint32_t number)
{
	return pace_due(chat.mine, c->index, number);
}

static void on_due(void *arg, size_t client)
{
	(void)arg;
	client_send(&chat.clients[client]);
}

/* As networks do: one client, whatever it is doing. */
static void cut(struct timer *t)
{
	const struct client *c = &chat.clients[secret_below((uint32_t)chat.mine->clients)];

	timer_set(t, 1000 / cuts);
	sock_cut(c->sock, secret_below(AWAY_MS));
}

void chat_begin(void)
{
	if (cuts > 0)
		timer_set(&cut_timer, 0);
	pace_begin(&pace, chat.mine, on_due, NULL);
}

/* ---- the end ---- */

/* Has sent what was due, and has what was acknowledged. Who was told of a gap may lack some:
 * portal-check knows which. So does it of those that are partial. */
static bool seat_is_settled(const struct seat *s, int64_t now)
{
	const struct client *c = s->client;

	return !c->in_flight && message_due(c, c->next) > now && s->joined && !s->paging &&
	       (chat_gaps.total > 0 || s->partial || s->received >= s->room->acked);
}

static bool all_there(void)
{
	int64_t now = clock_ns();

	for (size_t i = 0; i < all_seats(); i++)
		if (!seat_is_settled(&chat.seats[i], now))
			return false;
	return true;
}

void chat_explain(void)
{
	int64_t now = clock_ns();

	for (size_t i = 0, told = 0; i < all_seats() && told < EXPLAINED; i++) {
		const struct seat *s = &chat.seats[i];

		if (seat_is_settled(s, now))
			continue;
		told++;
		run_note("client %u, chat %lld: %s, epoch %lld, key of %lld, %llu received of "
			 "%llu, message %u%s",
			s->client->index, (long long)s->room->id,
			!s->client->open ? "away"
			: s->paging      ? "paging"
			: s->joined      ? "joined"
					 : "not joined",
			(long long)s->epoch, (long long)s->keyed, (unsigned long long)s->received,
			(unsigned long long)s->room->acked, s->client->next,
			s->client->in_flight ? " in flight"
			: s->client->sent    ? " to be sent again"
					     : "");
	}
}

static void look(struct timer *t)
{
	if (all_there() && clock_ns() - chat.last_receive_ns > QUIET_MS * 1000000ll)
		run_settled();
	else
		timer_set(t, LOOK_MS);
}

void chat_end(void)
{
	chat.last_receive_ns = clock_ns();
	timer_clear(&cut_timer);
	timer_set(&look_timer, LOOK_MS);
}

static void rooms_gone(void)
{
	content_teardown();
	free(chat.seats);
	free(chat.clients);
	run_released();
}

void chat_release(void)
{
	timer_clear(&look_timer);
	pace_end(&pace);
	for (size_t i = 0; i < chat.mine->clients; i++)
		client_close(&chat.clients[i]);
	rooms_release(rooms_gone);
}

const struct scenario scenario_chat = {.name = "chat",
	.help = "clients in rooms who say messages; delivery to everybody in the room is measured",
	.clients = 200,
	.rate = 200,
	.options = chat_options,
	.meters = chat_meters,
	.prepare = chat_prepare,
	.begin = chat_begin,
	.end = chat_end,
	.explain = chat_explain,
	.release = chat_release};
