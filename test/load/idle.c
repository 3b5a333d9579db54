/* Scenario idle: sockets that are signed in, in one room each, and silent: how fast they come, and
 * what each costs the server (with its memory before the first, in the result's `server`).
 *
 *   prepare: rooms -> begin: --connect-rate sockets a second -> opened -> room:join -> joined
 *   end -> run_settled when all that came are joined -> release
 *
 * They post no key, so nobody is asked for one (contract 3.3). A person has --sockets-each of them.
 * Owns its sockets. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "pace.h"
#include "rooms.h"

struct idler {
	struct sock *sock;
	struct person *person;
	struct room *room;
	int64_t begun_ns; /* the connection at hand */
	bool joined;
};

static const struct share *mine;
static struct share sockets; /* the same with a client a socket, at --connect-rate */
static struct idler *idlers;
static struct pace pace;
static size_t count, joined_count;
static bool ending;
static int64_t each = 1;

static struct meter joined_meter = {.name = "joined", .timed = true}, lost_meter = {.name = "lost"};
static struct meter *const meters[] = {&joined_meter, &lost_meter, NULL};
static const struct option options[] = {
	ROOM_OPTIONS,
	{"--sockets-each", NULL, &each, 1, 1000,
		"sockets of each person; MAX_SOCKETS_PER_SESSION is 10"},
	{NULL, NULL, NULL, 0, 0, NULL},
};

static void look_settled(void)
{
	if (ending && joined_count == count) {
		ending = false;
		run_settled();
	}
}

static void joined(struct sock *s, void *arg, struct str answer, int64_t sent_ns)
{
	struct idler *d = arg;

	(void)sent_ns;
	if (!sock_is_open(s))
		return;
	if (!str_eq(slice_get(answer, "ok"), STR("true"))) {
		run_tally(
			answer.p ? slice_text(slice_get(answer, "code")) : STR("join without ack"));
		sock_cut(s, -1);
		return;
	}
	d->joined = true;
	joined_count++;
	meter_time(&joined_meter, (client_read_ns() - d->begun_ns) / 1000);
	look_settled();
}

static void opened(struct sock *s)
{
	struct idler *d = sock_data(s);
	char args[40];

	run.open++;
	snprintf(args, sizeof(args), "{\"chat_id\":%lld}", (long long)d->room->id);
	sock_ask(s, STR("room:join"), str_of(args), joined, d);
}

static void closed(struct sock *s, struct str why, bool again)
{
	struct idler *d = sock_data(s);

	joined_count -= d->joined;
	run.open--;
	d->joined = false;
	d->begun_ns = clock_ns();
	meter_add(&lost_meter);
	if (!again)
		run_note("a socket stays away: " STR_FMT, STR_ARG(why));
}

static void headers(struct sock *s, struct buf *b)
{
	person_headers(((struct idler *)sock_data(s))->person, b);
}

static const struct sock_ops ops = {.opened = opened, .closed = closed, .headers = headers};
static struct sock_options socket_options = {.ops = &ops, .origins = run.origins};

static void on_due(void *arg, size_t i)
{
	struct idler *d = &idlers[i];

	(void)arg;
	if (count == sockets.clients || ending)
		return;
	count++;
	d->begun_ns = clock_ns();
	d->sock = sock_new(&socket_options, i, d);
}

static void prepare(const struct share *share)
{
	mine = share;
	sockets =
		(struct share){.clients = mine->clients * (size_t)each, .rate = run.o.connect_rate};
	idlers = calloc(sockets.clients, sizeof(*idlers));
	if (!idlers)
		PANIC("no memory");
	socket_options.origin_count = run.o.url_count;
	socket_options.retry_ms = run.o.retry_ms;
	socket_options.retry_max_ms = 5 * run.o.retry_ms;
	rooms_make(run_ready);
}

static void begin(void)
{
	for (size_t i = 0; i < sockets.clients; i++) {
		idlers[i].person = &mine->people[i % mine->clients];
		idlers[i].room = &rooms.all[i % rooms.count];
	}
	pace_begin(&pace, &sockets, on_due, NULL);
}

static void end(void)
{
	ending = true;
	look_settled();
}

static void explain(void)
{
	run_note("%zu sockets were begun, %zu are in their room", count, joined_count);
}

static void gone(void)
{
	free(idlers);
	run_released();
}

static void release(void)
{
	pace_end(&pace);
	for (size_t i = 0; i < sockets.clients; i++)
		if (idlers[i].sock)
			sock_free(idlers[i].sock);
	rooms_release(gone);
}

const struct scenario scenario_idle = {.name = "idle",
	.help = "silent sockets, each in a room: how fast they come, what memory they take",
	.clients = 1000,
	.options = options,
	.meters = meters,
	.prepare = prepare,
	.begin = begin,
	.end = end,
	.explain = explain,
	.release = release};
