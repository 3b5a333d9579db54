/* A direct chat, as one of its two people has it (contract 3.2, 3.3, 5).
 *
 *   mate_chat_begin -> mate_chat_look: room:join, `after` what it has -> joined -> a key ->
 *   message:send … each says MEET_EACH, then, when it has heard as many, the last one -> mate_leave
 *
 * So who leaves knows that the other has all but that last one: the checker holds the server to it.
 * Nothing counts before the join is answered, because the answer brings it. To add an event: a row
 * of `events`. */
#include "base/clock.h"
#include "base/secret.h"
#include "history.h"
#include "meet.h"

#define PAUSE_MS 400

static bool is_whole(const struct mate *m)
{
	return m->said > MEET_EACH && m->heard > MEET_EACH;
}

void mate_chat_begin(struct mate *m)
{
	m->epoch = m->keyed = 0;
	m->last = (struct stream_at){0};
	m->was_keyed = false;
	m->said = m->heard = 0;
}

void mate_chat_end(struct mate *m)
{
	if (m->sent) /* its number is not used again */
		m->next++;
	m->join_ns = m->send_ns = clock_ns();
	m->joined = m->joining = m->in_flight = m->sent = false;
	timer_clear(&m->pause);
}

/* ---- what comes in ---- */

static void deliver(struct mate *m, const struct item *item, const char *how)
{
	struct stream_at at = stream_read(item->id);
	uint32_t client, number;
	struct stamp s;

	history("got %u %lld " STR_FMT " " STR_FMT " %s", m->client, (long long)m->chat_id,
		STR_ARG(item->id), STR_ARG(item->client_id.p ? item->client_id : STR("-")), how);
	if (is_behind(at, m->last))
		m->last = at;
	if (!item->client_id.p || !client_id_read(item->client_id, &client, &number))
		return;
	if (!content_fits(item->content, client, number, m->chat_id, &s)) {
		run_tally(STR("bad content"));
		history("bad %u %lld " STR_FMT " " STR_FMT, m->client, (long long)m->chat_id,
			STR_ARG(item->id), STR_ARG(item->client_id));
	} else if (client != m->client) {
		m->heard++;
		meter_time(&meet_heard, (client_read_ns() - s.due_ns) / 1000);
	}
}

static void keyed_look(struct mate *m)
{
	if (!m->joined || m->keyed != m->epoch || m->was_keyed)
		return;
	m->was_keyed = true;
	history("keyed %u %lld", m->client, (long long)m->chat_id);
	meter_time(&meet_opened, (clock_ns() - m->met_ns) / 1000);
}

/* ---- joining ---- */

static void join_take(struct mate *m, struct str answer)
{
	bool gap = str_eq(slice_get(answer, "gap"), STR("true"));
	struct str rest = slice_inside(slice_get(answer, "messages")), json;
	struct str key = slice_get(answer, "key"), id = slice_text(slice_get(answer, "session_id"));
	char after[48] = "-";

	if (m->last.ms != 0)
		snprintf(after, sizeof(after), "%llu-%llu", (unsigned long long)m->last.ms,
			(unsigned long long)m->last.seq);
	history("joined %u %lld %s %d", m->client, (long long)m->chat_id, after, gap);
	m->joined = true;
	m->epoch = slice_i64(slice_get(answer, "epoch"), 0);
	m->keyed = key.n > 0 && key.p[0] == '{' ? m->epoch : 0;
	if (id.n == sizeof(m->session) - 1)
		memcpy(m->session, id.p, id.n);
	while (slice_next(&rest, &json)) {
		struct item item = item_read(json);

		deliver(m, &item, "join");
	}
	keyed_look(m);
}

static void joined(struct sock *s, void *arg, struct str answer, int64_t sent_ns)
{
	struct mate *m = arg;
	struct str code = slice_text(slice_get(answer, "code"));

	if (sent_ns < m->join_ns)
		return;
	m->joining = false;
	if (!sock_is_open(s) || m->state != MATE_MEETING)
		return;
	if (str_eq(slice_get(answer, "ok"), STR("true"))) {
		join_take(m, answer);
		mate_look(m);
		return;
	}
	run_tally(answer.p ? code : STR("join without ack"));
	if (str_eq(code, STR("ERR_CHAT_NOT_FOUND")))
		m->place = PLACE_UNKNOWN; /* ask whether it has ended */
	mate_later(m);
}

static void join(struct mate *m)
{
	char args[96];
	int n = snprintf(args, sizeof(args), "{\"chat_id\":%lld", (long long)m->chat_id);

	if (m->last.ms != 0)
		n += snprintf(args + n, sizeof(args) - (size_t)n, ",\"after\":\"%llu-%llu\"",
			(unsigned long long)m->last.ms, (unsigned long long)m->last.seq);
	snprintf(args + n, sizeof(args) - (size_t)n, "}");
	m->joining = true;
	m->join_ns = clock_ns();
	sock_ask(m->sock, STR("room:join"), str_of(args), joined, m);
}

/* ---- sending ---- */

static void acked(struct mate *m, struct str answer)
{
	char id[CLIENT_ID_MAX];

	client_id_write(id, m->client, m->next);
	history("acked %u %lld %s " STR_FMT, m->client, (long long)m->chat_id, id,
		STR_ARG(slice_text(slice_get(answer, "id"))));
	meter_add(&meet_told);
	m->sent = false;
	m->next++;
	m->said++;
	if (m->said == m->reloads_at)
		mate_reload(m);
	else
		timer_set(&m->pause, secret_below(PAUSE_MS));
}

static void send_answered(struct sock *s, void *arg, struct str answer, int64_t sent_ns)
{
	struct mate *m = arg;
	struct str code =
		answer.p ? slice_text(slice_get(answer, "code")) : STR("send without ack");

	(void)s;
	if (sent_ns < m->send_ns)
		return;
	m->in_flight = false;
	if (str_eq(slice_get(answer, "ok"), STR("true"))) {
		acked(m, answer);
		return;
	}
	run_tally(code);
	if (str_eq(code, STR("ERR_EPOCH_MISMATCH")))
		m->epoch = slice_i64(slice_get(answer, "epoch"), m->epoch);
	else if (str_eq(code, STR("ERR_NOT_JOINED")))
		m->joined = false;
	else if (str_eq(code, STR("ERR_CHAT_NOT_FOUND")))
		m->place = PLACE_UNKNOWN;
	mate_later(m);
}

static void say(struct mate *m)
{
	struct buf args = {0};
	char id[CLIENT_ID_MAX];

	client_id_write(id, m->client, m->next);
	buf_printf(&args,
		"{\"chat_id\":%lld,\"client_id\":\"%s\",\"content\":", (long long)m->chat_id, id);
	content_put(&args, m->epoch,
		&(struct stamp){.run = run.id,
			.client = m->client,
			.number = m->next,
			.room = (uint32_t)m->chat_id,
			.due_ns = clock_ns()});
	buf_char(&args, '}');
	history("%s %u %lld %s", m->sent ? "again" : "sent", m->client, (long long)m->chat_id, id);
	m->in_flight = m->sent = true;
	m->send_ns = clock_ns();
	sock_ask(m->sock, STR("message:send"), buf_view(&args), send_answered, m);
	buf_free(&args);
}

void mate_chat_look(struct mate *m)
{
	bool last = m->said == MEET_EACH;

	if (m->joining)
		return;
	if (!m->joined)
		join(m);
	else if (is_whole(m))
		mate_leave(m);
	else if (!m->in_flight && !timer_is_set(&m->pause) && m->keyed == m->epoch &&
		 (m->said < MEET_EACH || (last && m->heard >= MEET_EACH)))
		say(m);
}

/* ---- events ---- */

static void on_message(struct mate *m, struct str data)
{
	struct item item = item_read(data);

	if (m->joined)
		deliver(m, &item, "live");
}

static void shared(struct sock *s, void *arg, struct str answer, int64_t sent_ns)
{
	(void)s;
	(void)arg;
	(void)sent_ns;
	if (answer.p && !str_eq(slice_get(answer, "ok"), STR("true")))
		run_tally(slice_text(slice_get(answer, "code")));
}

static void on_key_needed(struct mate *m, struct str data)
{
	struct buf b = {0};

	key_share_write(&b, data, m->session);
	sock_ask(m->sock, STR("room:key_share"), buf_view(&b), shared, m);
	buf_free(&b);
}

static void on_key(struct mate *m, struct str data)
{
	m->keyed = slice_i64(slice_get(data, "epoch"), 0);
	if (m->keyed > m->epoch)
		m->epoch = m->keyed;
	keyed_look(m);
}

static void on_epoch(struct mate *m, struct str data)
{
	int64_t epoch = slice_i64(slice_get(data, "epoch"), 0);

	if (epoch > m->epoch)
		m->epoch = epoch;
}

static void on_ended(struct mate *m, struct str data)
{
	struct str reason = slice_text(slice_get(data, "reason"));
	char text[16];

	snprintf(text, sizeof(text), STR_FMT, STR_ARG(reason));
	mate_over(m, text);
}

static const struct event {
	struct str name;
	void (*fn)(struct mate *m, struct str data);
} events[] = {
	{STR("message:new"), on_message},
	{STR("room:key"), on_key},
	{STR("room:key_needed"), on_key_needed},
	{STR("room:epoch_changed"), on_epoch},
	{STR("match:ended"), on_ended},
};

bool mate_chat_event(struct mate *m, struct str name, struct str data)
{
	size_t i = 0;

	while (i < sizeof(events) / sizeof(events[0]) && !str_eq(name, events[i].name))
		i++;
	if (i == sizeof(events) / sizeof(events[0]))
		return false;
	if (m->chat_id != 0 && slice_i64(slice_get(data, "chat_id"), 0) == m->chat_id) {
		events[i].fn(m, data);
		mate_look(m);
	}
	return true;
}
