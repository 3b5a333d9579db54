/* Scenario meet: people who search, meet in direct chats, talk and leave, over and over, whatever
 * happens to servers, stores and their own connections. The checker has rules for it (check.h).
 *
 *   go -> mate_look: POST match/enqueue -> (match:found | the answer says so) -> found
 *      -> the chat (meet_chat.c) -> mate_leave: POST match/leave -> mate_over -> turns_over
 *
 * After each connect a client posts its key and asks where it is (match/status), as a page that is
 * opened does; from then on it trusts the events. --reloads of a hundred close the page in the
 * middle of a chat: for a moment or, one in three, for longer than the --grace that the server
 * gives (MATCH_GRACE); half of them come back with a new key. As many lose their network while they
 * search.
 *
 * The end: chats are talked to their end, and who may meet meets; the others search no more. */
#include "meet.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/secret.h"
#include "history.h"

#define EXPLAINED   10
#define LOOK_MS     200
#define RETRY_MS    600 /* half of it, and up to as much again by chance */
#define CONNECT_MS  20
#define TIMEOUT_MS  10000
#define KEY_BYTES   32
#define AWAY_MS     4000 /* longest short absence */
#define BYTES       64   /* of a message */
#define TAGS        3
#define ANY_PERCENT 30

struct meter meet_met = {.name = "met", .timed = true},
	     meet_opened = {.name = "opened", .timed = true}, meet_told = {.name = "told"},
	     meet_heard = {.name = "heard", .timed = true}, meet_whole = {.name = "whole"},
	     meet_short = {.name = "short"}, meet_reloaded = {.name = "reloaded"};
static struct meter *const meters[] = {&meet_met, &meet_opened, &meet_told, &meet_heard,
	&meet_whole, &meet_short, &meet_reloaded, NULL};

static int64_t reloads = 15, grace = 60;
static const struct option meet_options[] = {
	{"--reloads", NULL, &reloads, 0, 100,
		"people of a hundred who reload in a chat; as many lose their network in a search"},
	{"--grace", NULL, &grace, 1, 3600, "seconds: the servers' MATCH_GRACE"},
	{NULL, NULL, NULL, 0, 0, NULL},
};

static const struct share *mine;
static struct mate *mates;
static size_t connected, ready; /* mates begun, and with their key posted for the first time */
static struct turns turns;
static struct timer connect_timer, look_timer;

/* ---- where one is ---- */

static bool by_chance(int64_t percent)
{
	return secret_below(100) < (uint32_t)percent;
}

void mate_later(struct mate *m)
{
	if (!timer_is_set(&m->retry))
		timer_set(&m->retry, RETRY_MS / 2 + secret_below(RETRY_MS));
}

static void go_home(struct mate *m)
{
	bool turn = m->turn;

	m->state = MATE_HOME;
	m->turn = m->goes_home = false;
	if (turn)
		turns_over(&turns, m->index, true);
}

#define TAGS_TEXT 16

static const char *tags_write(const struct mate *m, char out[TAGS_TEXT])
{
	if (m->tags == 0)
		return "any";
	if (m->tags == 1)
		snprintf(out, TAGS_TEXT, "%u", m->tag[0]);
	else
		snprintf(out, TAGS_TEXT, "%u,%u", m->tag[0], m->tag[1]);
	return out;
}

static void searching(struct mate *m)
{
	char tags[TAGS_TEXT];

	if (m->state != MATE_SEARCHING)
		return;
	m->place = PLACE_SEARCHING;
	if (m->listed)
		return;
	m->listed = true;
	history("search %u %s", m->client, tags_write(m, tags));
	if (by_chance(reloads))
		sock_cut(m->sock, secret_below(AWAY_MS));
}

static void found(struct mate *m, int64_t chat_id)
{
	char tags[TAGS_TEXT];

	if (chat_id == m->over_id) /* told before it ended, and read behind that */
		return;
	m->place = PLACE_MATCHED;
	if (chat_id == m->chat_id)
		return;
	if (m->chat_id != 0)
		mate_over(m, "gone");
	m->state = MATE_MEETING;
	m->place = PLACE_MATCHED; /* mate_over says otherwise */
	m->goes_home = m->listed = false;
	m->chat_id = chat_id;
	m->met_ns = clock_ns();
	m->reloads_at = by_chance(reloads) ? 1 + secret_below(MEET_EACH - 1) : 0;
	history("met %u %lld %s", m->client, (long long)chat_id, tags_write(m, tags));
	meter_time(&meet_met, (m->met_ns - m->begun_ns) / 1000);
	mate_chat_begin(m);
}

/* Neither in a queue nor in a chat. */
static void idle(struct mate *m)
{
	if (m->listed)
		history("idle %u", m->client);
	m->listed = false;
	m->place = PLACE_IDLE;
	if (m->chat_id != 0)
		mate_over(m, m->state == MATE_LEAVING ? "left" : "gone");
	else if (m->goes_home)
		go_home(m);
}

void mate_over(struct mate *m, const char *reason)
{
	history("ended %u %lld %s", m->client, (long long)m->chat_id, reason);
	if (m->said >= MEET_EACH && m->heard >= MEET_EACH)
		meter_add(&meet_whole);
	else
		meter_add(&meet_short);
	m->place = PLACE_IDLE;
	m->over_id = m->chat_id;
	m->chat_id = 0;
	mate_chat_end(m);
	go_home(m);
}

/* ---- requests, one at a time ---- */

static void state_take(struct mate *m, struct str body)
{
	struct str state = slice_text(slice_get(body, "state"));
	struct str direct = slice_get(slice_get(body, "chat"), "chat");

	if (str_eq(state, STR("matched")))
		found(m, slice_i64(slice_get(direct, "id"), 0));
	else if (str_eq(state, STR("searching")))
		searching(m);
	else if (str_eq(state, STR("idle")))
		idle(m);
}

static void answered(void *arg, const struct web_answer *a)
{
	struct mate *m = arg;
	struct str code = slice_text(slice_get(a->body, "code"));

	m->asking = false;
	if (a->status == 200) {
		state_take(m, a->body);
		if (m->place == PLACE_UNKNOWN) /* it told of a chat that has ended since */
			mate_later(m);
		else
			mate_look(m);
	} else if (str_eq(code, STR("ERR_MATCH_NO_ACTIVE_DIRECT"))) {
		idle(m);
		mate_look(m);
	} else {
		run_tally_answer("match", a);
		m->place = PLACE_UNKNOWN;
		mate_later(m);
	}
}

static void ask(struct mate *m, const char *method, const char *path, struct str body, web_fn *fn)
{
	struct buf headers = {0};

	m->asking = true;
	person_headers(m->person, &headers);
	web_ask(m->web, method, str_of(path), buf_view(&headers), body, fn, m);
	buf_free(&headers);
}

static void enqueue(struct mate *m)
{
	char body[96];
	int n = snprintf(body, sizeof(body), "{\"interests\":[");

	for (unsigned i = 0; i < m->tags; i++)
		n += snprintf(
			body + n, sizeof(body) - (size_t)n, "%s\"tag%u\"", i ? "," : "", m->tag[i]);
	snprintf(body + n, sizeof(body) - (size_t)n, "%s]}", m->tags ? "" : "\"any\"");
	ask(m, "POST", "/v1/portal/match/enqueue", str_of(body), answered);
}

static void key_posted(void *arg, const struct web_answer *a)
{
	struct mate *m = arg;

	m->asking = false;
	m->posted = a->status == 200;
	if (!m->posted) {
		run_tally_answer("key", a);
		mate_later(m);
		return;
	}
	if (m->connection == 1 && ++ready == mine->clients)
		run_ready();
	mate_look(m);
}

static void key_post(struct mate *m)
{
	char body[80];

	snprintf(body, sizeof(body), "{\"public_key\":\"%s\"}", m->public_key);
	ask(m, "POST", "/v1/portal/keys", str_of(body), key_posted);
}

void mate_look(struct mate *m)
{
	if (!m->open || m->asking)
		return;
	if (!m->posted)
		key_post(m);
	else if (m->place == PLACE_UNKNOWN)
		ask(m, "GET", "/v1/portal/match/status", STR(""), answered);
	else if (m->state == MATE_SEARCHING && m->place == PLACE_IDLE)
		enqueue(m);
	else if (m->state == MATE_SEARCHING && m->goes_home)
		ask(m, "POST", "/v1/portal/match/dequeue", STR(""), answered);
	else if (m->state == MATE_MEETING)
		mate_chat_look(m);
	else if (m->state == MATE_LEAVING)
		ask(m, "POST", "/v1/portal/match/leave", STR(""), answered);
}

void mate_leave(struct mate *m)
{
	history("left %u %lld", m->client, (long long)m->chat_id);
	m->state = MATE_LEAVING;
	mate_look(m);
}

void mate_reload(struct mate *m)
{
	int64_t away = secret_below(AWAY_MS);

	if (secret_below(3) == 0)
		away = (grace + 2) * 1000 + away;
	if (secret_below(2) == 0)
		random_base64(m->public_key, KEY_BYTES);
	meter_add(&meet_reloaded);
	sock_cut(m->sock, away);
}

static void on_retry(struct timer *t)
{
	mate_look(LIST_ITEM(t, struct mate, retry));
}

static void on_pause(struct timer *t)
{
	mate_look(LIST_ITEM(t, struct mate, pause));
}

/* ---- connections ---- */

static void opened(struct sock *s)
{
	struct mate *m = sock_data(s);

	m->open = true;
	m->connection++;
	run.open++;
	history("open %u %u %zu", m->client, m->connection, sock_origin(s));
	m->posted = m->joined = m->joining = m->was_keyed = false;
	m->place = PLACE_UNKNOWN;
	mate_look(m);
}

static void closed(struct sock *s, struct str why, bool again)
{
	struct mate *m = sock_data(s);

	if (m->open)
		history("lost %u", m->client);
	run.open -= m->open;
	m->open = m->joined = false;
	if (!again)
		run_note("client %u stays away: " STR_FMT, m->client, STR_ARG(why));
}

static void on_event(struct sock *s, struct str name, struct str data, int64_t ack_id)
{
	struct mate *m = sock_data(s);

	(void)ack_id;
	if (mate_chat_event(m, name, data))
		return;
	if (str_eq(name, STR("match:found"))) {
		found(m, slice_i64(slice_get(slice_get(data, "chat"), "id"), 0));
		mate_look(m);
	} else if (str_eq(name, STR("match:idle"))) {
		idle(m);
		mate_look(m);
	} else if (str_eq(name, STR("server:restarting"))) {
		sock_wait(s, slice_i64(slice_get(data, "retry_ms"), -1));
	} else if (str_eq(name, STR("session:ended"))) {
		run_tally(STR("session:ended"));
	}
}

static void headers(struct sock *s, struct buf *b)
{
	const struct mate *m = sock_data(s);

	buf_printf(b, "X-Forwarded-For: %s\r\n", m->person->from);
}

static void auth(struct sock *s, struct buf *json)
{
	const struct mate *m = sock_data(s);

	buf_printf(json, "{\"session\":\"%s\"}", m->person->token);
}

static const struct sock_ops ops = {
	.opened = opened, .event = on_event, .closed = closed, .headers = headers, .auth = auth};
static struct sock_options options = {.ops = &ops, .origins = run.origins};

static void mate_open(struct mate *m, size_t i)
{
	size_t at = i % run.o.url_count;

	m->index = i;
	m->client = (uint32_t)(run.people_count + i); /* behind those of the scenario chat */
	m->person = &mine->people[i];
	timer_init(&m->retry, on_retry);
	timer_init(&m->pause, on_pause);
	random_base64(m->public_key, KEY_BYTES);
	m->web = web_new(run.origins[at], 1, TIMEOUT_MS);
	m->sock = sock_new(&options, at, m);
}

static void mates_connect(struct timer *t)
{
	size_t due = (size_t)(run.o.connect_rate * CONNECT_MS / 1000);

	for (due = due ? due : 1; due > 0 && connected < mine->clients; due--, connected++)
		mate_open(&mates[connected], connected);
	if (connected < mine->clients)
		timer_set(t, CONNECT_MS);
}

/* ---- the course ---- */

static void look(struct timer *t);

static void go(size_t client)
{
	struct mate *m = &mates[client];

	m->turn = true;
	m->begun_ns = clock_ns();
	m->tags = by_chance(ANY_PERCENT) ? 0 : 1 + secret_below(2);
	m->tag[0] = secret_below(TAGS);
	m->tag[1] = (m->tag[0] + 1 + secret_below(TAGS - 1)) % TAGS;
	if (m->state == MATE_HOME)
		m->state = MATE_SEARCHING;
	mate_look(m);
}

static void prepare(const struct share *share)
{
	mine = share;
	options.origin_count = run.o.url_count;
	options.retry_ms = run.o.retry_ms;
	options.retry_max_ms = 5 * run.o.retry_ms;
	mates = calloc(mine->clients, sizeof(*mates));
	if (!mates)
		PANIC("no memory");
	history("grace %lld", (long long)grace);
	content_setup(BYTES);
	turns_setup(&turns, mine, go);
	timer_init(&connect_timer, mates_connect);
	timer_init(&look_timer, look);
	timer_set(&connect_timer, 0);
}

static void begin(void)
{
	turns_begin(&turns);
}

static bool may_meet(const struct mate *a, const struct mate *b)
{
	for (unsigned i = 0; i < a->tags; i++)
		for (unsigned k = 0; k < b->tags; k++)
			if (a->tag[i] == b->tag[k])
				return true;
	return a->tags == 0 || b->tags == 0;
}

/* All who are left search, and no two of them may meet. */
static bool all_alone(void)
{
	for (size_t i = 0; i < connected; i++) {
		const struct mate *a = &mates[i];

		if (a->state == MATE_HOME)
			continue;
		if (a->state != MATE_SEARCHING || a->place != PLACE_SEARCHING)
			return false;
		for (size_t k = 0; k < i; k++)
			if (mates[k].state != MATE_HOME && may_meet(a, &mates[k]))
				return false;
	}
	return true;
}

static void look(struct timer *t)
{
	timer_set(t, LOOK_MS);
	if (!all_alone())
		return;
	for (size_t i = 0; i < connected; i++) {
		mates[i].goes_home = mates[i].state == MATE_SEARCHING;
		mate_look(&mates[i]);
	}
}

static void end(void)
{
	timer_set(&look_timer, LOOK_MS);
	turns_end(&turns);
}

static void explain(void)
{
	static const char *const states[] = {"home", "searching", "meeting", "leaving"};
	static const char *const places[] = {"unknown", "idle", "searching", "matched"};

	for (size_t i = 0, told = 0; i < connected && told < EXPLAINED; i++) {
		const struct mate *m = &mates[i];

		if (m->state == MATE_HOME)
			continue;
		told++;
		run_note("client %u: %s, to the server %s%s%s, chat %lld%s, epoch %lld, key of "
			 "%lld, %u said, %u heard%s",
			m->client, states[m->state], places[m->place], m->open ? "" : ", away",
			m->asking ? ", asking" : "", (long long)m->chat_id,
			m->joined ? "" : " not joined", (long long)m->epoch, (long long)m->keyed,
			m->said, m->heard, m->in_flight ? ", one in flight" : "");
	}
}

static void release(void)
{
	turns_release(&turns);
	timer_clear(&connect_timer);
	timer_clear(&look_timer);
	for (size_t i = 0; i < connected; i++) {
		struct mate *m = &mates[i];

		if (m->chat_id != 0)
			history("end %u %lld %d", m->client, (long long)m->chat_id, m->joined);
		web_free(m->web); /* what it still asks ends, and may set a timer */
		sock_free(m->sock);
		timer_clear(&m->retry);
		timer_clear(&m->pause);
	}
	turns_free(&turns);
	free(mates);
	content_teardown();
	run_released();
}

const struct scenario scenario_meet = {.name = "meet",
	.help = "people who search, meet, talk and leave, one chat after the other, and reload in "
		"the middle; time until they are told, have a key and hear is measured",
	.clients = 20,
	.rate = 0,
	.options = meet_options,
	.meters = meters,
	.prepare = prepare,
	.begin = begin,
	.end = end,
	.explain = explain,
	.release = release};
