/* Scenario match: everybody looks for somebody, all at once or at a rate, and again as long as
 * there is time.
 *
 *   prepare: each person has a socket, and a connection for requests; their public key is posted
 *   round: asks in slices of a turn -> POST match/enqueue -> match:found -> (key_needed -> shared)
 *       -> room:key;  all who met have a key -> pairs_check -> leave: POST match/leave
 *       -> match:ended -> round
 *
 * Latencies count from when the request's first bytes were given to the kernel. Who is without a
 * partner when all requests are answered has to be one whom nobody left may meet, or has met in
 * this run. Who has met has a tag in common, or either has `any`. Strangers who search on the same
 * servers spoil these proofs.
 *
 * Lifetime: seekers live from prepare to release. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/secret.h"
#include "cpu.h"
#include "run.h"

#define SLICE      64 /* requests between two looks at what has come */
#define LOOK_MS    50
#define CONNECT_MS 20
#define QUIET_MS   5000 /* without anything new: what is missing will not come */
#define TIMEOUT_MS 10000
#define TAGS_MAX   3
#define SHARE_MAX  8

struct seeker {
	struct sock *sock;
	struct web *web;
	const struct person *person;
	unsigned tags; /* how many; 0: anybody */
	unsigned tag[TAGS_MAX];
	int64_t sent_ns, found_ns, keyed_ns; /* of this round; 0: not yet */
	int64_t chat_id;
	struct buf met; /* partners of earlier rounds: their numbers, with a blank behind each */
	bool posted, left;
};

static struct meter enqueued = {.name = "enqueued", .timed = true},
		    found = {.name = "found", .timed = true},
		    keyed = {.name = "keyed", .timed = true}, unmet = {.name = "unmet"},
		    rounds = {.name = "rounds"};
static struct meter *const meters[] = {&enqueued, &found, &keyed, &unmet, &rounds, NULL};

static int64_t tags_all = 100, any_percent = 10;
static const char *watched;
static const struct option match_options[] = {
	{"--tags", NULL, &tags_all, 1, 99999, "tags that there are; a person has 1 to 3"},
	{"--any", NULL, &any_percent, 0, 100, "people of a hundred who look for anybody"},
	{"--cpu-of", &watched, NULL, 0, 0,
		"NAME=PID[+PID…],…: processes here whose CPU time for a pair is told"},
	{NULL, NULL, NULL, 0, 0, NULL},
};

static const struct share *mine;
static struct seeker *seekers;
static size_t connected, ready;                 /* seekers begun, and with their key posted */
static size_t asked;                            /* of this round, or of its leaving */
static size_t waiting;                          /* requests without an answer */
static size_t pairs_told, found_now, keyed_now; /* of this round; answers that said `matched` */
static bool leaving;
static int64_t round_ns, heard_ns, pairing_ns; /* begin; last event; of all rounds until then */
static struct timer connect_timer, ask_timer, look_timer;

/* ---- requests ---- */

static void seeker_post(struct seeker *s, const char *path, struct str body, web_fn *fn)
{
	struct buf headers = {0};

	person_headers(s->person, &headers);
	web_ask(s->web, "POST", str_of(path), buf_view(&headers), body, fn, s);
	buf_free(&headers);
}

static struct str code_of(const struct web_answer *a)
{
	return a->status ? slice_text(slice_get(a->body, "code")) : STR("no answer");
}

/* ---- latencies ---- */

/* The answer and the event come in either order. */
static void found_look(struct seeker *s)
{
	if (s->sent_ns && s->found_ns)
		meter_time(&found, (s->found_ns - s->sent_ns) / 1000);
}

static void keyed_look(struct seeker *s)
{
	if (s->sent_ns && s->keyed_ns)
		meter_time(&keyed, (s->keyed_ns - s->sent_ns) / 1000);
}

static void answered(void *arg, const struct web_answer *a)
{
	struct seeker *s = arg;

	waiting--;
	if (a->status != 200) {
		run_tally(code_of(a));
		return;
	}
	heard_ns = client_read_ns();
	s->sent_ns = a->sent_ns;
	pairs_told += str_eq(slice_get(a->body, "state"), STR("\"matched\""));
	meter_time(&enqueued, (heard_ns - a->sent_ns) / 1000);
	found_look(s);
	keyed_look(s);
}

static void left(void *arg, const struct web_answer *a)
{
	waiting--;
	if (a->status != 200 && a->status != 404) /* 404: the partner was quicker */
		run_tally(code_of(a));
	(void)arg;
}

/* ---- what all do ---- */

static void search(struct seeker *s)
{
	char body[96];
	int n = snprintf(body, sizeof(body), "{\"interests\":[");

	s->sent_ns = s->found_ns = s->keyed_ns = s->chat_id = 0;
	s->left = false;
	s->tags = secret_below(100) < (uint32_t)any_percent ? 0 : 1 + secret_below(TAGS_MAX);
	for (unsigned i = 0; i < s->tags; i++) {
		s->tag[i] = secret_below((uint32_t)tags_all);
		n += snprintf(body + n, sizeof(body) - (size_t)n, "%s\"tag%05u\"", i ? "," : "",
			s->tag[i]);
	}
	snprintf(body + n, sizeof(body) - (size_t)n, "%s]}", s->tags ? "" : "\"any\"");
	seeker_post(s, "/v1/portal/match/enqueue", str_of(body), answered);
}

static void leave(struct seeker *s)
{
	seeker_post(s, "/v1/portal/match/leave", STR(""), left);
}

static size_t asks_due(void)
{
	uint64_t due;

	if (leaving || mine->rate == 0)
		return asked + SLICE < mine->clients ? asked + SLICE : mine->clients;
	due = (uint64_t)((clock_ns() - round_ns) / 1000) * (uint64_t)mine->rate / 1000000 + 1;
	return due < mine->clients ? due : mine->clients;
}

static void ask(struct timer *t)
{
	size_t due = asks_due();

	for (; asked < due; asked++) {
		waiting++;
		if (leaving)
			leave(&seekers[asked]);
		else
			search(&seekers[asked]);
	}
	if (asked < mine->clients)
		timer_set(t, leaving || mine->rate == 0 ? 0 : 1);
}

/* ---- rounds ---- */

static void asks_begin(bool leave_now)
{
	leaving = leave_now;
	asked = 0;
	heard_ns = clock_ns();
	timer_set(&ask_timer, 0);
	timer_set(&look_timer, LOOK_MS);
}

static void round_begin(void)
{
	meter_add(&rounds);
	cpu_begin();
	round_ns = clock_ns();
	pairs_told = found_now = keyed_now = 0;
	asks_begin(false);
}

static bool may_meet(const struct seeker *a, const struct seeker *b)
{
	for (unsigned i = 0; i < a->tags; i++)
		for (unsigned k = 0; k < b->tags; k++)
			if (a->tag[i] == b->tag[k])
				return true;
	return a->tags == 0 || b->tags == 0;
}

/* Recently, as the server may see it: then they may meet later, when nobody else is there. */
static bool have_met(const struct seeker *a, const struct seeker *b)
{
	struct str rest = buf_view(&a->met);
	int64_t number;

	while (rest.n > 0)
		if (str_to_i64(str_cut(&rest, ' '), &number) && b == &seekers[number])
			return true;
	return false;
}

static void pair_check(struct seeker *a, struct seeker *b)
{
	if (!may_meet(a, b))
		run_tally(STR("two who may not meet have"));
	buf_printf(&a->met, "%td ", b - seekers);
	buf_printf(&b->met, "%td ", a - seekers);
}

static int by_chat(const void *a, const void *b)
{
	const struct seeker *const *x = a, *const *y = b;

	return ((*x)->chat_id > (*y)->chat_id) - ((*x)->chat_id < (*y)->chat_id);
}

/* Those without a chat stand first: no two of them may meet. Behind them, two by two, chats. */
static void pairs_check(void)
{
	struct seeker **all = malloc(mine->clients * sizeof(struct seeker *));
	size_t n = 0, lone = 0;

	if (!all)
		PANIC("no memory");
	for (size_t i = 0; i < mine->clients; i++)
		if (seekers[i].sent_ns || seekers[i].chat_id) /* others were refused */
			all[n++] = &seekers[i];
	qsort(all, n, sizeof(struct seeker *), by_chat);
	for (; lone < n && all[lone]->chat_id == 0; lone++) {
		meter_add(&unmet);
		for (size_t i = 0; i < lone; i++)
			if (may_meet(all[i], all[lone]) && !have_met(all[i], all[lone]))
				run_tally(STR("two who may meet have not"));
	}
	for (size_t i = lone; i < n; i += 2)
		if (i + 1 == n || all[i]->chat_id != all[i + 1]->chat_id ||
			(i + 2 < n && all[i]->chat_id == all[i + 2]->chat_id))
			run_tally(STR("a chat that has not two people"));
		else
			pair_check(all[i], all[i + 1]);
	free(all);
}

static bool all_left(void)
{
	for (size_t i = 0; i < mine->clients; i++)
		if (seekers[i].chat_id != 0 && !seekers[i].left)
			return false;
	return true;
}

/* A pair that is made later, by a server's tick, is told of by no answer. */
static bool all_met(void)
{
	bool met = found_now >= 2 * pairs_told && keyed_now >= found_now;

	if (!met && clock_ns() - heard_ns > QUIET_MS * 1000000ll) {
		run_tally(STR("an event that does not come"));
		return true;
	}
	return met;
}

static void look(struct timer *t)
{
	if (asked < mine->clients || waiting > 0 || !(leaving ? all_left() : all_met())) {
		timer_set(t, LOOK_MS);
	} else if (!leaving) {
		cpu_end();
		pairing_ns += heard_ns - round_ns;
		pairs_check();
		asks_begin(true);
	} else if (run.ended_ns == 0) {
		round_begin();
	} else {
		run_settled();
	}
}

/* ---- events ---- */

static void on_found(struct seeker *s, struct str data)
{
	if (s->chat_id != 0)
		run_tally(STR("found again"));
	s->chat_id = slice_i64(slice_get(slice_get(data, "chat"), "id"), 0);
	s->found_ns = heard_ns = client_read_ns();
	found_now++;
	found_look(s);
}

static void shared(struct sock *sock, void *arg, struct str answer, int64_t sent_ns)
{
	(void)sock;
	(void)arg;
	(void)sent_ns;
	if (!str_eq(slice_get(answer, "ok"), STR("true")))
		run_tally(answer.p ? slice_text(slice_get(answer, "code"))
				   : STR("share without ack"));
}

/* A blob that nobody opens, for each who needs one. */
static void on_key_needed(struct seeker *s, struct str data)
{
	struct str rest = slice_inside(slice_get(data, "recipients")), one;
	struct buf b = {0};

	buf_printf(&b, "{\"chat_id\":%lld,\"epoch\":%lld,\"keys\":[",
		(long long)slice_i64(slice_get(data, "chat_id"), 0),
		(long long)slice_i64(slice_get(data, "epoch"), 0));
	for (size_t n = 0; n < SHARE_MAX && slice_next(&rest, &one); n++)
		buf_printf(&b, "%s{\"session_id\":\"" STR_FMT "\",\"blob\":\"%096d\"}",
			n ? "," : "", STR_ARG(slice_text(slice_get(one, "session_id"))), 0);
	buf_lit(&b, "]}");
	sock_ask(s->sock, STR("room:key_share"), buf_view(&b), shared, s);
	buf_free(&b);
}

static void on_key(struct seeker *s, struct str data)
{
	(void)data;
	if (s->keyed_ns != 0)
		return;
	s->keyed_ns = heard_ns = client_read_ns();
	keyed_now++;
	keyed_look(s);
}

static void on_ended(struct seeker *s, struct str data)
{
	(void)data;
	s->left = true;
}

static const struct event {
	struct str name;
	void (*fn)(struct seeker *s, struct str data);
} events[] = {
	{STR("match:found"), on_found},
	{STR("match:ended"), on_ended},
	{STR("room:key_needed"), on_key_needed},
	{STR("room:key"), on_key},
};

static void on_event(struct sock *sock, struct str name, struct str data, int64_t ack_id)
{
	(void)ack_id;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (str_eq(name, events[i].name))
			events[i].fn(sock_data(sock), data);
	if (str_eq(name, STR("server:restarting")))
		sock_wait(sock, slice_i64(slice_get(data, "retry_ms"), -1));
}

/* ---- connections ---- */

static void posted(void *arg, const struct web_answer *a)
{
	struct seeker *s = arg;

	if (a->status != 200)
		run_fail("a public key is not taken: %d " STR_FMT, a->status, STR_ARG(a->body));
	if (s->posted)
		return;
	s->posted = true;
	if (++ready == mine->clients)
		run_ready();
}

static void opened(struct sock *sock)
{
	struct seeker *s = sock_data(sock);
	char body[80];

	run.open++;
	snprintf(body, sizeof(body), "{\"public_key\":\"%08x%035d=\"}", (unsigned)(s - seekers), 0);
	seeker_post(s, "/v1/portal/keys", str_of(body), posted);
}

static void closed(struct sock *sock, struct str why, bool again)
{
	(void)sock;
	run.open--;
	run_tally(STR("socket lost"));
	if (!again)
		run_fail("a client stays away: " STR_FMT, STR_ARG(why));
}

static void headers(struct sock *sock, struct buf *b)
{
	const struct seeker *s = sock_data(sock);

	buf_printf(b, "X-Forwarded-For: %s\r\n", s->person->from);
}

static void auth(struct sock *sock, struct buf *json)
{
	const struct seeker *s = sock_data(sock);

	buf_printf(json, "{\"session\":\"%s\"}", s->person->token);
}

static const struct sock_ops ops = {
	.opened = opened, .event = on_event, .closed = closed, .headers = headers, .auth = auth};
static struct sock_options options = {.ops = &ops, .origins = run.origins};

static void seekers_connect(struct timer *t)
{
	size_t due = (size_t)(run.o.connect_rate * CONNECT_MS / 1000);

	for (due = due ? due : 1; due > 0 && connected < mine->clients; due--, connected++) {
		struct seeker *s = &seekers[connected];
		size_t at = connected % run.o.url_count;

		s->person = &mine->people[connected];
		s->web = web_new(run.origins[at], 1, TIMEOUT_MS);
		s->sock = sock_new(&options, at, s);
	}
	if (connected < mine->clients)
		timer_set(t, CONNECT_MS);
}

/* ---- the course ---- */

static void prepare(const struct share *share)
{
	mine = share;
	cpu_of(watched);
	options.origin_count = run.o.url_count;
	options.retry_ms = run.o.retry_ms;
	options.retry_max_ms = 5 * run.o.retry_ms;
	seekers = calloc(mine->clients, sizeof(*seekers));
	if (!seekers)
		PANIC("no memory");
	timer_init(&connect_timer, seekers_connect);
	timer_init(&ask_timer, ask);
	timer_init(&look_timer, look);
	timer_set(&connect_timer, 0);
}

/* The round at hand is ended as the others: `look` settles the run. */
static void end(void)
{
}

static void result(struct json_out *j)
{
	uint64_t pairs = found.total / 2;

	json_ki64(j, "pairs", (int64_t)pairs);
	json_ki64(j, "pairs_per_s",
		pairing_ns ? (int64_t)((double)pairs * 1e9 / (double)pairing_ns) : 0);
	json_key(j, "cpu_us_per_pair");
	json_obj(j);
	cpu_write(pairs, j);
	json_end(j);
}

static void explain(void)
{
	run_note("%zu of %zu have asked to %s, %zu without an answer", asked, mine->clients,
		leaving ? "leave" : "search", waiting);
}

static void release(void)
{
	timer_clear(&connect_timer);
	timer_clear(&ask_timer);
	timer_clear(&look_timer);
	for (size_t i = 0; i < connected; i++) {
		sock_free(seekers[i].sock);
		web_free(seekers[i].web);
		buf_free(&seekers[i].met);
	}
	free(seekers);
	run_released();
}

const struct scenario scenario_match = {.name = "match",
	.help = "people who look for somebody at once (rate 0) or so many a second, and leave; "
		"time until "
		"they are told, and have a key, is measured",
	.clients = 2000,
	.options = match_options,
	.meters = meters,
	.prepare = prepare,
	.begin = round_begin,
	.end = end,
	.result = result,
	.explain = explain,
	.release = release};
