/* One client of the scenario chat: what a front end does on a socket (contract 3.2, 3.3, 4).
 *
 *   client_open -> opened: posts its key -> key_posted -> room:join of each seat, `after` what it
 * has
 *       -> joined: messages, the pages behind them -> seat_look: keyed? -> client_send
 *   client_send -> message:send -> send_answered: the next one, or the same again
 *   on_event: message:new -> deliver;  room:key, room:key_needed, room:epoch_changed -> keys
 *   closed -> (back-off) -> opened
 *
 * A message is sent under one client_id until it is acknowledged, whatever connections that takes.
 * Whatever is missing and no event brings back is looked after by the client's timer. Lifetime: a
 * client lives as long as the run; what comes late for an earlier connection is told by its number,
 * or dropped with that connection.
 *
 * To add an event: a row of `events`. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/secret.h"
#include "chat.h"
#include "history.h"

#define RETRY_MS  600 /* half of it, and up to as much again by chance */
#define KEY_BYTES 32
#define PAGE      500

static void seat_join(struct seat *seat);

/* ---- what comes in ---- */

/* What the run did not send (system messages) is only written down. */
static void deliver(struct seat *seat, const struct item *m, const char *how, bool measured)
{
	struct stream_at at = stream_read(m->id);
	unsigned me = seat->client->index;
	long long room = seat->room->id;
	uint32_t client, number;
	struct stamp s;

	history("got %u %lld " STR_FMT " " STR_FMT " %s", me, room, STR_ARG(m->id),
		STR_ARG(m->client_id.p ? m->client_id : STR("-")), how);
	if (is_behind(at, seat->last))
		seat->last = at;
	chat.last_receive_ns = client_read_ns();
	if (!m->client_id.p || !client_id_read(m->client_id, &client, &number))
		return;
	seat->received++;
	if (!content_fits(m->content, client, number, seat->room->id, &s)) {
		run_tally(STR("bad content"));
		history("bad %u %lld " STR_FMT " " STR_FMT, me, room, STR_ARG(m->id),
			STR_ARG(m->client_id));
		return;
	}
	if (measured)
		meter_time(&chat_received, (client_read_ns() - s.due_ns) / 1000);
	else
		meter_add(&chat_received);
}

/* Before the join's answer is taken in, nothing counts: an answer that came too late was dropped,
 * and with it what was said up to its place in the stream. The next one brings all of it. */
static void on_message(struct seat *seat, struct str data)
{
	struct item m = item_read(data);

	if (!seat->joined)
		return;
	if (seat->paging) {
		if (seat->held.n > 0)
			buf_char(&seat->held, ',');
		buf_str(&seat->held, data);
	} else if (is_behind(stream_read(m.id), seat->paged)) {
		deliver(seat, &m, "live", true);
	}
}

/* ---- the history behind a join ---- */

static void page_ask(struct seat *seat);

/* What came live while pages were read: some of it was in them. */
static void held_deliver(struct seat *seat)
{
	struct buf held = seat->held;
	struct str rest = buf_view(&held), json;

	seat->paging = false;
	seat->paged = seat->last;
	seat->held = (struct buf){0};
	while (slice_next(&rest, &json)) {
		struct item m = item_read(json);

		if (is_behind(stream_read(m.id), seat->paged))
			deliver(seat, &m, "live", false);
	}
	buf_free(&held);
}

struct page {
	struct seat *seat;
	uint32_t connection;
};

static void page_read(void *arg, const struct web_answer *a)
{
	struct page p = *(struct page *)arg;
	struct str rest = slice_inside(a->body), json;
	size_t n = 0;

	free(arg);
	if (!p.seat->paging || p.connection != p.seat->client->connection)
		return;
	for (; a->status == 200 && slice_next(&rest, &json); n++) {
		struct item m = item_read(json);

		deliver(p.seat, &m, "page", false);
	}
	if (a->status != 200) {
		run_tally(STR("page without answer"));
		sock_cut(p.seat->client->sock, RETRY_MS); /* begins anew, from what it has */
	} else if (n == PAGE) {
		page_ask(p.seat);
	} else {
		held_deliver(p.seat);
	}
}

static void page_ask(struct seat *seat)
{
	struct page *p = malloc(sizeof(*p));
	struct client *c = seat->client;
	struct buf headers = {0};
	char path[128];

	if (!p)
		PANIC("no memory");
	*p = (struct page){seat, c->connection};
	snprintf(path, sizeof(path), "/v1/portal/chats/%lld/history?limit=%d&after=%llu-%llu",
		(long long)seat->room->id, PAGE, (unsigned long long)seat->last.ms,
		(unsigned long long)seat->last.seq);
	person_headers(c->person, &headers);
	seat->paging = true;
	web_ask(run.webs[sock_origin(c->sock)], "GET", str_of(path), buf_view(&headers), STR(""),
		page_read, p);
	buf_free(&headers);
}

/* ---- joining ---- */

static void seat_look(struct seat *seat)
{
	if (!seat->joined || seat->keyed != seat->epoch)
		return;
	if (!seat->was_ready) {
		seat->was_ready = true;
		seat_ready();
	}
	client_send(seat->client);
}

static void again_later(struct client *c)
{
	if (!timer_is_set(&c->timer))
		timer_set(&c->timer, RETRY_MS / 2 + secret_below(RETRY_MS));
}

static void session_take(struct client *c, struct str answer)
{
	struct str id = slice_text(slice_get(answer, "session_id"));

	if (id.n == sizeof(c->session) - 1)
		memcpy(c->session, id.p, id.n);
}

static void join_take(struct seat *seat, struct str answer)
{
	struct client *c = seat->client;
	bool gap = str_eq(slice_get(answer, "gap"), STR("true"));
	bool first = seat->last.ms == 0;
	struct str rest = slice_inside(slice_get(answer, "messages")), json;
	struct str key = slice_get(answer, "key");
	char after[48] = "-";

	if (!first)
		snprintf(after, sizeof(after), "%llu-%llu", (unsigned long long)seat->last.ms,
			(unsigned long long)seat->last.seq);
	history("joined %u %lld %s %d", c->index, (long long)seat->room->id, after, gap);
	if (gap)
		meter_add(&chat_gaps);
	seat->joined = true;
	seat->epoch = slice_i64(slice_get(answer, "epoch"), 0);
	seat->keyed = key.n > 0 && key.p[0] == '{' ? seat->epoch : 0;
	session_take(c, answer);
	while (slice_next(&rest, &json)) {
		struct item m = item_read(json);

		deliver(seat, &m, "join", false);
	}
	if (!str_eq(slice_get(answer, "more"), STR("true")))
		return;
	/* Without an `after` it is what was said before; in the load, to one who had been there and
	 * heard nothing yet. */
	if (!first)
		page_ask(seat);
	else if (run.begun_ns != 0)
		seat->partial = true;
}

static void joined(struct sock *s, void *arg, struct str answer, int64_t sent_ns)
{
	struct seat *seat = arg;

	(void)sent_ns;
	seat->joining = false;
	if (!sock_is_open(s))
		return;
	if (!str_eq(slice_get(answer, "ok"), STR("true"))) {
		run_tally(
			answer.p ? slice_text(slice_get(answer, "code")) : STR("join without ack"));
		again_later(seat->client);
		return;
	}
	join_take(seat, answer);
	seat_look(seat);
}

static void seat_join(struct seat *seat)
{
	char args[96];
	int n = snprintf(args, sizeof(args), "{\"chat_id\":%lld", (long long)seat->room->id);

	if (seat->last.ms != 0)
		n += snprintf(args + n, sizeof(args) - (size_t)n, ",\"after\":\"%llu-%llu\"",
			(unsigned long long)seat->last.ms, (unsigned long long)seat->last.seq);
	snprintf(args + n, sizeof(args) - (size_t)n, "}");
	seat->joining = true;
	sock_ask(seat->client->sock, STR("room:join"), str_of(args), joined, seat);
}

static void seats_join(struct client *c)
{
	for (size_t i = 0; i < (size_t)chat_each; i++)
		if (!c->seats[i].joined && !c->seats[i].joining)
			seat_join(&c->seats[i]);
}

/* ---- keys ---- */

static void key_posted(void *arg, const struct web_answer *a)
{
	struct client *c = arg;

	c->posting = false;
	c->posted = a->status == 200;
	if (!c->open)
		return;
	if (!c->posted) {
		run_tally(a->status > 0 ? slice_text(slice_get(a->body, "code"))
					: STR("key without answer"));
		again_later(c);
	} else {
		seats_join(c);
	}
}

static void key_post(struct client *c)
{
	struct buf headers = {0};
	char body[80];

	snprintf(body, sizeof(body), "{\"public_key\":\"%s\"}", c->public_key);
	person_headers(c->person, &headers);
	c->posting = true;
	web_ask(run.webs[sock_origin(c->sock)], "POST", STR("/v1/portal/keys"), buf_view(&headers),
		str_of(body), key_posted, c);
	buf_free(&headers);
}

static void shared(struct sock *s, void *arg, struct str answer, int64_t sent_ns)
{
	(void)s;
	(void)arg;
	(void)sent_ns;
	if (answer.p && !str_eq(slice_get(answer, "ok"), STR("true")))
		run_tally(slice_text(slice_get(answer, "code"))); /* another was quicker, mostly */
}

static void on_key_needed(struct seat *seat, struct str data)
{
	struct buf b = {0};

	key_share_write(&b, data, seat->client->session);
	sock_ask(seat->client->sock, STR("room:key_share"), buf_view(&b), shared, seat);
	buf_free(&b);
}

static void on_key(struct seat *seat, struct str data)
{
	seat->keyed = slice_i64(slice_get(data, "epoch"), 0);
	if (seat->keyed > seat->epoch)
		seat->epoch = seat->keyed;
	seat_look(seat);
}

static void on_epoch(struct seat *seat, struct str data)
{
	int64_t epoch = slice_i64(slice_get(data, "epoch"), 0);

	if (epoch > seat->epoch)
		seat->epoch = epoch;
}

static void on_cleared(struct seat *seat, struct str data)
{
	(void)data;
	history("cleared %u %lld", seat->client->index, (long long)seat->room->id);
}

static void on_out(struct seat *seat, struct str data)
{
	(void)data;
	seat->joined = false;
	history("out %u %lld put", seat->client->index, (long long)seat->room->id);
}

/* ---- events ---- */

static const struct event {
	struct str name;
	void (*fn)(struct seat *seat, struct str data);
} events[] = {
	{STR("message:new"), on_message},
	{STR("room:key"), on_key},
	{STR("room:key_needed"), on_key_needed},
	{STR("room:epoch_changed"), on_epoch},
	{STR("portal:cleared"), on_cleared},
	{STR("room:kicked"), on_out},
	{STR("room:destroyed"), on_out},
};

static void on_event(struct sock *s, struct str name, struct str data, int64_t ack_id)
{
	struct client *c = sock_data(s);
	int64_t chat_id;

	(void)ack_id;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (!str_eq(name, events[i].name))
			continue;
		chat_id = slice_i64(slice_get(data, "chat_id"), 0);
		for (size_t k = 0; k < (size_t)chat_each; k++)
			if (c->seats[k].room->id == chat_id)
				events[i].fn(&c->seats[k], data);
		return;
	}
	if (str_eq(name, STR("server:restarting")))
		sock_wait(s, slice_i64(slice_get(data, "retry_ms"), -1));
	else if (str_eq(name, STR("session:ended")))
		run_tally(STR("session:ended"));
}

/* ---- sending ---- */

static struct seat *seat_at_hand(struct client *c)
{
	return &c->seats[c->next % (uint32_t)chat_each];
}

static void message_done(struct client *c)
{
	c->next++;
	c->sent = false;
	client_send(c);
}

/* Refused for now: what has to come first comes by an event, or the timer sees to it. */
static bool send_is_for_later(struct seat *seat, struct str answer, struct str code)
{
	if (str_eq(code, STR("ERR_EPOCH_MISMATCH"))) {
		on_epoch(seat, answer);
		return true;
	}
	if (str_eq(code, STR("ERR_NOT_JOINED")))
		seat->joined = false;
	return str_eq(code, STR("ERR_NOT_JOINED")) || str_eq(code, STR("ERR_NO_ROOM_KEY")) ||
	       str_eq(code, STR("ERR_UNAVAILABLE")) || str_eq(code, STR("ERR_MESSAGE_RATE")) ||
	       str_eq(code, STR("ERR_RATE_LIMITED")) || str_eq(code, STR("ERR_INTERNAL"));
}

static void send_answered(struct sock *s, void *arg, struct str answer, int64_t sent_ns)
{
	struct client *c = arg;
	struct seat *seat = seat_at_hand(c);
	struct str code =
		answer.p ? slice_text(slice_get(answer, "code")) : STR("send without ack");
	char id[CLIENT_ID_MAX];

	(void)sent_ns;
	client_id_write(id, c->index, c->next);
	c->in_flight = false;
	if (str_eq(slice_get(answer, "ok"), STR("true"))) {
		history("acked %u %lld %s " STR_FMT, c->index, (long long)seat->room->id, id,
			STR_ARG(slice_text(slice_get(answer, "id"))));
		seat->room->acked++;
		meter_time(&chat_acked, (client_read_ns() - message_due(c, c->next)) / 1000);
		message_done(c);
		return;
	}
	run_tally(code);
	if (!answer.p || send_is_for_later(seat, answer, code)) {
		if (sock_is_open(s))
			again_later(c);
		return;
	}
	history("refused %u %lld %s " STR_FMT, c->index, (long long)seat->room->id, id,
		STR_ARG(code));
	meter_add(&chat_refused);
	message_done(c);
}

void client_send(struct client *c)
{
	static struct buf args;
	struct seat *seat = seat_at_hand(c);
	int64_t due = message_due(c, c->next);
	char id[CLIENT_ID_MAX];

	if (c->in_flight || !c->open || due > clock_ns() || !seat->joined ||
		seat->keyed != seat->epoch)
		return;
	client_id_write(id, c->index, c->next);
	args.n = 0;
	buf_printf(&args,
		"{\"chat_id\":%lld,\"client_id\":\"%s\",\"content\":", (long long)seat->room->id,
		id);
	content_put(&args, seat->epoch,
		&(struct stamp){.run = run.id,
			.client = c->index,
			.number = c->next,
			.room = (uint32_t)seat->room->id,
			.due_ns = due});
	buf_char(&args, '}');
	history("%s %u %lld %s", c->sent ? "again" : "sent", c->index, (long long)seat->room->id,
		id);
	if (c->sent) {
		meter_add(&chat_resent);
	} else {
		meter_add(&chat_sent);
	}
	c->in_flight = c->sent = true;
	sock_ask(c->sock, STR("message:send"), buf_view(&args), send_answered, c);
}

/* ---- the connection ---- */

static void opened(struct sock *s)
{
	struct client *c = sock_data(s);

	c->open = true;
	c->connection++;
	run.open++;
	if (c->connection > 1)
		meter_add(&chat_reconnected);
	history("open %u %u %zu", c->index, c->connection, sock_origin(s));
	for (size_t i = 0; i < (size_t)chat_each; i++) {
		struct seat *seat = &c->seats[i];

		seat->joining = false;
		buf_free(&seat->held);
	}
	c->posted = false;
	if (!c->posting)
		key_post(c);
}

static void closed(struct sock *s, struct str why, bool again)
{
	struct client *c = sock_data(s);

	if (c->open)
		history("lost %u", c->index);
	run.open -= c->open;
	c->open = false;
	for (size_t i = 0; i < (size_t)chat_each; i++)
		c->seats[i].joined = c->seats[i].paging = false;
	if (!again)
		run_note("client %u stays away: " STR_FMT, c->index, STR_ARG(why));
}

static void headers(struct sock *s, struct buf *b)
{
	const struct client *c = sock_data(s);

	buf_printf(b, "X-Forwarded-For: %s\r\n", c->person->from);
}

static void auth(struct sock *s, struct buf *json)
{
	const struct client *c = sock_data(s);

	buf_printf(json, "{\"session\":\"%s\"}", c->person->token);
}

static void on_timer(struct timer *t)
{
	struct client *c = LIST_ITEM(t, struct client, timer);

	if (!c->open)
		return;
	if (!c->posted) {
		if (!c->posting)
			key_post(c);
		return;
	}
	seats_join(c);
	client_send(c);
}

static const struct sock_ops ops = {
	.opened = opened, .event = on_event, .closed = closed, .headers = headers, .auth = auth};
static struct sock_options options = {.ops = &ops, .origins = run.origins};

void client_open(struct client *c)
{
	options.origin_count = run.o.url_count;
	options.retry_ms = run.o.retry_ms;
	options.retry_max_ms = 5 * run.o.retry_ms;
	timer_init(&c->timer, on_timer);
	random_base64(c->public_key, KEY_BYTES);
	c->sock = sock_new(&options, c->index, c);
}

void client_close(struct client *c)
{
	for (size_t i = 0; i < (size_t)chat_each; i++) {
		struct seat *seat = &c->seats[i];

		history("end %u %lld %d", c->index, (long long)seat->room->id, seat->joined);
		buf_free(&seat->held);
	}
	timer_clear(&c->timer);
	sock_free(c->sock);
}
