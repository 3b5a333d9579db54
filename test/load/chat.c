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
#include <uv.h>

#include "base/clock.h"
#include "base/secret.h"

#define PACE_MS   1
#define LOOK_MS   100
#define EXPLAINED 10
#define AWAY_MS   2000
#define QUIET_MS  500 /* what should not come has time to come */

struct chat chat;

static uv_timer_t pace;
static uint64_t paced; /* messages whose time has come */
static struct timer connect_timer, look_timer, cut_timer;
static size_t rooms_made, rooms_left; /* rooms_left: to be deleted */

static void clients_connect(struct timer *t);

/* ---- rooms ---- */

static struct person *host(void)
{
	return &run.people[run.o.clients];
}

static void host_post(const char *path, struct str body, web_fn *fn, void *arg)
{
	struct buf headers = {0};

	person_headers(host(), &headers);
	web_ask(run.webs[0], "POST", str_of(path), buf_view(&headers), body, fn, arg);
	buf_free(&headers);
}

static void room_make(void);

static void room_made(void *arg, const struct web_answer *a)
{
	struct room *r = arg;

	if (a->status != 201)
		run_fail("the host cannot make chats: %d " STR_FMT
			 "\n  (portalctl user promote lets a person of the platform do it)",
			a->status, STR_ARG(a->body));
	r->id = slice_i64(slice_get(a->body, "id"), 0);
	rooms_made++;
	room_make();
}

static void room_make(void)
{
	char body[128];

	if (rooms_made == (size_t)run.o.rooms) {
		timer_set(&connect_timer, 0);
		return;
	}
	snprintf(body, sizeof(body), "{\"name\":\"load %zu\",\"slug\":\"load-%08x-%zu\"}",
		rooms_made, run.id, rooms_made);
	host_post("/v1/portal/chats", str_of(body), room_made, &chat.rooms[rooms_made]);
}

static void rooms_given(void)
{
	struct str rest = str_of(run.o.chats);

	for (run.o.rooms = 0; rest.p; run.o.rooms++) {
		int64_t id;

		if (!str_to_i64(str_cut(&rest, ','), &id))
			run_fail("--chats: ids with commas between them");
		chat.rooms = realloc(chat.rooms, ((size_t)run.o.rooms + 1) * sizeof(*chat.rooms));
		if (!chat.rooms)
			PANIC("no memory");
		chat.rooms[run.o.rooms] = (struct room){.id = id};
	}
}

/* ---- the clients ---- */

static size_t all_seats(void)
{
	return (size_t)(run.o.clients * run.o.rooms_each);
}

static void clients_make(void)
{
	size_t n = (size_t)run.o.clients, each = (size_t)run.o.rooms_each;

	chat.clients = calloc(n, sizeof(*chat.clients));
	chat.seats = calloc(n * each, sizeof(*chat.seats));
	if (!chat.clients || !chat.seats)
		PANIC("no memory");
	for (size_t i = 0; i < n; i++) {
		struct client *c = &chat.clients[i];

		c->index = (unsigned)i;
		c->person = &run.people[i];
		c->seats = &chat.seats[i * each];
		for (size_t k = 0; k < each; k++) {
			c->seats[k].client = c;
			c->seats[k].room = &chat.rooms[(i + k) % (size_t)run.o.rooms];
		}
	}
}

/* Opens as many sockets as are due since the last time. */
static void clients_connect(struct timer *t)
{
	size_t due = (size_t)(run.o.connect_rate * LOOK_MS / 1000);

	if (!chat.clients)
		clients_make();
	for (due = due ? due : 1; due > 0 && chat.connected < (size_t)run.o.clients; due--)
		client_open(&chat.clients[chat.connected++]);
	if (chat.connected < (size_t)run.o.clients)
		timer_set(t, LOOK_MS);
}

void seat_ready(void)
{
	if (++chat.ready == all_seats())
		run_ready();
}

static void look(struct timer *t);
static void cut(struct timer *t);

static void prepare(void)
{
	timer_init(&connect_timer, clients_connect);
	timer_init(&look_timer, look);
	timer_init(&cut_timer, cut);
	content_setup((size_t)run.o.bytes);
	if (run.o.chats) {
		rooms_given();
		timer_set(&connect_timer, 0);
	} else {
		chat.rooms = calloc((size_t)run.o.rooms, sizeof(*chat.rooms));
		if (!chat.rooms)
			PANIC("no memory");
		room_make();
	}
	if (run.o.rooms_each > run.o.rooms)
		run_fail("--rooms-each: there are %lld chats", (long long)run.o.rooms);
}

/* ---- pace ---- */

int64_t message_due(const struct client *c, uint32_t number)
{
	uint64_t k = (uint64_t)number * (uint64_t)run.o.clients + c->index;

	int64_t due;

	if (run.begun_ns == 0 || k >= (uint64_t)(run.o.rate * run.o.seconds))
		return INT64_MAX;
	due = run.begun_ns + (int64_t)(k * 1000000000u / (uint64_t)run.o.rate);
	return run.ended_ns != 0 && due > run.ended_ns ? INT64_MAX : due;
}

static void on_pace(uv_timer_t *t)
{
	uint64_t all = (uint64_t)(run.o.rate * run.o.seconds);
	uint64_t now;

	(void)t;
	loop_enter();
	now = (uint64_t)((clock_ns() - run.begun_ns) / 1000) * (uint64_t)run.o.rate / 1000000 + 1;
	for (; paced < now && paced < all; paced++)
		client_send(&chat.clients[paced % (uint64_t)run.o.clients]);
}

/* As networks do: one client, whatever it is doing. */
static void cut(struct timer *t)
{
	const struct client *c = &chat.clients[secret_below((uint32_t)run.o.clients)];

	timer_set(t, 1000 / run.o.cuts);
	sock_cut(c->sock, secret_below(AWAY_MS));
}

static void begin(void)
{
	if (run.o.cuts > 0)
		timer_set(&cut_timer, 0);
	uv_timer_init(loop_uv(), &pace);
	if (run.o.rate > 0)
		uv_timer_start(&pace, on_pace, 0, PACE_MS);
}

/* ---- the end ---- */

/* Has sent what was due, and has what was acknowledged. Who was told of a gap may lack some:
 * portal-check knows which. */
static bool seat_is_settled(const struct seat *s, int64_t now)
{
	const struct client *c = s->client;

	return !c->in_flight && message_due(c, c->next) > now && s->joined && !s->paging &&
	       (run.gaps > 0 || s->received >= s->room->acked);
}

static bool all_there(void)
{
	int64_t now = clock_ns();

	for (size_t i = 0; i < all_seats(); i++)
		if (!seat_is_settled(&chat.seats[i], now))
			return false;
	return true;
}

static void explain(void)
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

static void end(void)
{
	chat.last_receive_ns = clock_ns();
	timer_clear(&cut_timer);
	timer_set(&look_timer, LOOK_MS);
}

static void all_free(void)
{
	content_teardown();
	free(chat.rooms);
	free(chat.seats);
	free(chat.clients);
	run_released();
}

static void room_deleted(void *arg, const struct web_answer *a)
{
	(void)arg;
	if (a->status != 200)
		run_note("a chat could not be deleted: %d", a->status);
	if (--rooms_left == 0)
		all_free();
}

static void release(void)
{
	timer_clear(&look_timer);
	uv_close((uv_handle_t *)&pace, NULL);
	for (size_t i = 0; i < (size_t)run.o.clients; i++)
		client_close(&chat.clients[i]);
	if (!run.o.host)
		all_free();
	rooms_left = rooms_made;
	for (size_t i = 0; i < rooms_made; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/v1/portal/chats/%lld/delete",
			(long long)chat.rooms[i].id);
		host_post(path, STR(""), room_deleted, NULL);
	}
}

const struct scenario scenario_chat = {.name = "chat",
	.help = "clients in rooms who say messages; delivery to everybody in the room is measured",
	.prepare = prepare,
	.begin = begin,
	.end = end,
	.explain = explain,
	.release = release};
