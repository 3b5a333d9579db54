/* What is measured of sockets: connecting, idling, and messages to everyone in a chat. The same
 * program for Portal, for a plain Socket.IO server that knows the same two events, and for a raw
 * WebSocket server that gives everything to all (floor_fanout.c).
 *
 *   fanout portal|socketio|raw URL [--tokens FILE] [--chat ID] [--size BYTES] [--width
 * N]
 *
 * It is told by lines on its input (a pipe) what to do, one after the other, and answers each with
 * a line of JSON, so that whoever measures the server looks at it before and behind:
 *
 *   open N            connects up to N sockets in all, `width` at a time; with --chat each joins
 *                     that: {open, seconds, p50, p99, errors}
 *   keys N            the first N post a public key and get the chat's (Portal)
 *   send UNDER SECS   the first UNDER send, each as soon as everyone has what it sent before
 *   pace RATE SECS    the first sends RATE messages a second
 *                     {messages, deliveries, seconds, p50, p99, last50, last99, bytes, reads,
 *                     errors}
 *
 * Times are in microseconds: p50 and p99 of one delivery (pace only), last50 and last99 of the last
 * one of a message. `seconds` is until the last delivery.
 *
 * Everyone gets the messages in one order: the k-th that a member gets is the k-th of all. Only
 * member 0 looks which that is. Owns: members, messages under way. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "io/loop.h"
#include "../load/client.h"

#define UNDER_MAX  4096   /* messages under way; a power of two */
#define MARK       "SEQ+" /* in front of a message's number; both are base64 */
#define MARK_LEN   4
#define DIGITS     12
#define SETTLED_MS 5000 /* for what is under way at the end of a run, and for keys */

struct member {
	struct sock *s;
	uint64_t got;
	int64_t began_ns;
	bool ready, keyed;
};

struct times {
	int64_t *ns;
	size_t n, cap;
};

static struct {
	enum {
		PORTAL,
		SOCKETIO,
		RAW
	} protocol;
	struct origin *origin;
	struct web *web;
	struct sock_options sockets;
	struct str tokens; /* lines of `token_len` and a line feed */
	size_t token_len, token_count;
	int64_t chat, size;
	size_t width;

	struct member *members;
	size_t made, ready, goal;
	int64_t began_ns;
	struct times each, last;
	uint64_t errors;
	void (*look)(void); /* of the command: is it done? */

	int64_t epoch;
	struct buf text; /* a message: as it is sent, its number at `digits` */
	size_t digits;
	size_t senders;
	bool sending, paced;
	struct timer timer;
	int64_t every_ns, next_ns, until_ns, ended_ns;
	uint64_t sent, done, bytes, reads;
	int64_t sent_ns[UNDER_MAX]; /* by number */
	uint32_t sender[UNDER_MAX];
	uint64_t number[UNDER_MAX]; /* by order of arrival */
	uint32_t arrived[UNDER_MAX];

	uv_pipe_t input;
	struct buf lines;
} run;

static void fail(const char *what)
{
	fprintf(stderr, "fanout: %s\n", what);
	exit(1);
}

static void on_late(struct timer *t)
{
	(void)t;
	fail("what was waited for did not come");
}

/* ---- times ---- */

static void times_add(struct times *t, int64_t ns)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 65536;
		t->ns = realloc(t->ns, t->cap * sizeof(*t->ns));
		if (!t->ns)
			PANIC("no memory");
	}
	t->ns[t->n++] = ns;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Sorted before. */
static double percentile(const struct times *t, double p)
{
	return t->n ? (double)t->ns[(size_t)(p * (double)(t->n - 1))] / 1e3 : 0;
}

static void times_sort(struct times *t)
{
	if (t->n > 1)
		qsort(t->ns, t->n, sizeof(*t->ns), by_size);
}

/* ---- members ---- */

static struct str token_of(size_t i)
{
	return str_make(run.tokens.p + i % run.token_count * (run.token_len + 1), run.token_len);
}

static void open_more(void)
{
	while (run.made < run.goal && run.made - run.ready < run.width) {
		struct member *m = &run.members[run.made++];

		*m = (struct member){.began_ns = clock_ns()};
		m->s = sock_new(&run.sockets, 0, m);
	}
}

static void member_ready(struct member *m)
{
	m->ready = true;
	run.ready++;
	times_add(&run.last, clock_ns() - m->began_ns);
	open_more();
	run.look();
}

static void on_joined(struct sock *s, void *arg, struct str answer, int64_t sent_ns)
{
	struct member *m = arg;
	int64_t epoch = answer.p ? slice_i64(slice_get(answer, "epoch"), 0) : 0;

	(void)s, (void)sent_ns;
	if (!answer.p || !str_eq(slice_get(answer, "ok"), STR("true"))) {
		fprintf(stderr, "fanout: a join: " STR_FMT "\n", STR_ARG(answer));
		fail("a join was refused");
	}
	if (epoch > run.epoch)
		run.epoch = epoch;
	m->keyed = answer.p && slice_get(slice_get(answer, "key"), "blob").p;
	member_ready(m);
}

static void on_opened(struct sock *s)
{
	struct member *m = sock_data(s);
	struct buf args = {0};

	if (run.protocol == RAW || run.chat == 0) {
		member_ready(m);
		return;
	}
	buf_printf(&args, "{\"chat_id\":%lld}", (long long)run.chat);
	sock_ask(s, STR("room:join"), buf_view(&args), on_joined, m);
	buf_free(&args);
}

static void on_closed(struct sock *s, struct str why, bool again)
{
	(void)s, (void)again;
	fprintf(stderr, "fanout: a socket was lost: " STR_FMT "\n", STR_ARG(why));
	run.errors++;
}

static void on_headers(struct sock *s, struct buf *b)
{
	const struct member *m = sock_data(s);

	if (run.token_count == 0)
		return;
	buf_lit(b, "Cookie: psession=");
	buf_str(b, token_of((size_t)(m - run.members)));
	buf_lit(b, "\r\n");
}

/* ---- keys ---- */

static void on_shared(struct sock *s, void *arg, struct str answer, int64_t sent_ns)
{
	(void)s, (void)arg, (void)sent_ns;
	if (!answer.p || !str_eq(slice_get(answer, "ok"), STR("true")))
		run.errors++;
}

/* A blob that nobody opens, for each who needs one. */
static void key_share(struct sock *s, struct str needed)
{
	struct str rest = slice_inside(slice_get(needed, "recipients")), one;
	struct buf args = {0};
	char blob[97];

	memset(blob, 'Q', 96);
	blob[96] = 0;
	buf_printf(&args, "{\"chat_id\":" STR_FMT ",\"epoch\":" STR_FMT ",\"keys\":[",
		STR_ARG(slice_get(needed, "chat_id")), STR_ARG(slice_get(needed, "epoch")));
	for (bool first = true; slice_next(&rest, &one); first = false)
		buf_printf(&args, "%s{\"session_id\":" STR_FMT ",\"blob\":\"%s\"}",
			first ? "" : ",", STR_ARG(slice_get(one, "session_id")), blob);
	buf_lit(&args, "]}");
	sock_ask(s, STR("room:key_share"), buf_view(&args), on_shared, NULL);
	buf_free(&args);
}

static void key_taken(struct member *m, struct str args)
{
	int64_t epoch = slice_i64(slice_get(args, "epoch"), 0);

	if (epoch > run.epoch)
		run.epoch = epoch;
	m->keyed = true;
	run.look();
}

static void on_posted(void *arg, const struct web_answer *a)
{
	(void)arg;
	if (a->status != 200)
		fail("a public key was not taken");
}

static void keys_post(size_t count)
{
	struct buf head = {0}, body = {0};

	for (size_t i = 0; i < count; i++) {
		head.n = body.n = 0;
		buf_printf(&head, "Cookie: psession=" STR_FMT "\r\n", STR_ARG(token_of(i)));
		buf_printf(&body, "{\"public_key\":\"QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ%0*zuA=\"}",
			DIGITS, i);
		web_ask(run.web, "POST", STR("/v1/portal/keys"), buf_view(&head), buf_view(&body),
			on_posted, NULL);
	}
	buf_free(&head);
	buf_free(&body);
}

/* ---- messages ---- */

/* {"v":2,…} of --size characters, or a little less: its ct is whole base64. */
static void text_make(void)
{
	struct buf content = {0};
	size_t left;

	buf_printf(&content, "{\"v\":2,\"epoch\":%lld,\"ct\":\"" MARK,
		(long long)(run.epoch > 0 ? run.epoch : 1));
	left = (size_t)run.size - content.n - 2;
	left = (left + MARK_LEN) / 4 * 4 - MARK_LEN;
	for (size_t i = 0; i < left; i++)
		buf_lit(&content, "A");
	buf_lit(&content, "\"}");
	run.text.n = 0;
	if (run.protocol == RAW) {
		buf_str(&run.text, buf_view(&content));
	} else {
		buf_printf(&run.text, "{\"chat_id\":%lld,\"content\":\"", (long long)run.chat);
		for (size_t i = 0; i < content.n; i++) {
			if (content.p[i] == '"')
				buf_lit(&run.text, "\\");
			buf_put(&run.text, content.p + i, 1);
		}
		buf_lit(&run.text, "\"}");
	}
	buf_free(&content);
	run.digits = (size_t)((char *)memmem(run.text.p, run.text.n, MARK, MARK_LEN) - run.text.p) +
		     MARK_LEN;
}

static void on_acked(struct sock *s, void *arg, struct str answer, int64_t sent_ns)
{
	(void)s, (void)arg, (void)sent_ns;
	if (answer.p && str_eq(slice_get(answer, "ok"), STR("true")))
		return;
	fprintf(stderr, "fanout: a message: " STR_FMT "\n", STR_ARG(answer));
	fail("a message was refused");
}

static void message_send(uint32_t sender)
{
	struct sock *s = run.members[sender].s;
	uint64_t number = run.sent++;
	char digits[DIGITS + 1];

	if (run.sent - run.done > UNDER_MAX)
		fail("the server does not keep up");
	run.sent_ns[number % UNDER_MAX] = clock_ns();
	run.sender[number % UNDER_MAX] = sender;
	snprintf(digits, sizeof(digits), "%0*llu", DIGITS, (unsigned long long)number);
	memcpy(run.text.p + run.digits, digits, DIGITS);
	if (run.protocol == RAW)
		sock_send(s, buf_view(&run.text), false);
	else
		sock_ask(s, STR("message:send"), buf_view(&run.text), on_acked, NULL);
}

static void sending_stop(void)
{
	run.sending = false;
	timer_clear(&run.timer);
	run.timer.fn = on_late;
	timer_set(&run.timer, SETTLED_MS);
}

/* Everyone has it. */
static void message_done(uint64_t k)
{
	uint64_t number = run.number[k % UNDER_MAX];
	int64_t now = client_read_ns();

	times_add(&run.last, now - run.sent_ns[number % UNDER_MAX]);
	run.arrived[k % UNDER_MAX] = 0;
	run.done++;
	run.ended_ns = now;
	if (run.sending && !run.paced) {
		if (now >= run.until_ns)
			sending_stop();
		else
			message_send(run.sender[number % UNDER_MAX]);
	}
	if (!run.sending && run.done == run.sent)
		run.look();
}

static uint64_t number_in(struct str text)
{
	const char *p = memmem(text.p, text.n, MARK, MARK_LEN);
	uint64_t v = 0;

	if (!p || p + MARK_LEN + DIGITS > text.p + text.n)
		fail("a message without a number");
	for (int i = 0; i < DIGITS; i++)
		v = v * 10 + (uint64_t)(p[MARK_LEN + i] - '0');
	return v;
}

static void delivered(struct member *m, struct str text)
{
	uint64_t k = m->got++;

	if (m == run.members)
		run.number[k % UNDER_MAX] = number_in(text);
	if (run.paced)
		times_add(&run.each, client_read_ns() - run.sent_ns[k % UNDER_MAX]);
	if (++run.arrived[k % UNDER_MAX] == run.ready)
		message_done(k);
}

static void on_event(struct sock *s, struct str name, struct str args, int64_t ack_id)
{
	struct member *m = sock_data(s);

	(void)ack_id;
	if (str_eq(name, STR("message:new")))
		delivered(m, args);
	else if (str_eq(name, STR("room:key_needed")))
		key_share(s, args);
	else if (str_eq(name, STR("room:key")))
		key_taken(m, args);
}

static void on_message(struct sock *s, struct str data, bool binary)
{
	(void)binary;
	delivered(sock_data(s), data);
}

static void on_pace(struct timer *t)
{
	int64_t now = clock_ns();

	if (now >= run.until_ns) {
		sending_stop();
		if (run.done == run.sent)
			run.look();
		return;
	}
	if (now >= run.next_ns) {
		message_send(0);
		run.next_ns += run.every_ns;
	}
	timer_set(t, (run.next_ns - now) / 1000000);
}

/* ---- commands ---- */

static void nothing(void)
{
}

static void answered(void)
{
	fflush(stdout);
	run.look = nothing;
}

static void opened_look(void)
{
	if (run.ready < run.goal)
		return;
	times_sort(&run.last);
	printf("{\"open\":%zu,\"seconds\":%.6f,\"p50\":%.0f,\"p99\":%.0f,\"errors\":%llu}\n",
		run.ready, (double)(clock_ns() - run.began_ns) / 1e9, percentile(&run.last, 0.5),
		percentile(&run.last, 0.99), (unsigned long long)run.errors);
	answered();
}

static void open_begin(size_t goal)
{
	if (goal > run.goal)
		run.goal = goal;
	run.last.n = 0;
	open_more();
	run.look = opened_look;
	run.look();
}

static void keyed_look(void)
{
	for (size_t i = 0; i < run.senders; i++)
		if (!run.members[i].keyed)
			return;
	timer_clear(&run.timer);
	printf("{\"keyed\":%zu,\"epoch\":%lld}\n", run.senders, (long long)run.epoch);
	answered();
}

static void keys_begin(size_t count)
{
	run.senders = count;
	run.look = keyed_look;
	run.timer.fn = on_late;
	timer_set(&run.timer, SETTLED_MS);
	keys_post(count);
	run.look();
}

static void sent_look(void)
{
	struct client_stats st = client_stats();

	timer_clear(&run.timer);
	times_sort(&run.each);
	times_sort(&run.last);
	printf("{\"messages\":%llu,\"deliveries\":%llu,\"seconds\":%.6f,\"p50\":%.0f,\"p99\":%.0f,"
	       "\"last50\":%.0f,\"last99\":%.0f,\"bytes\":%.0f,\"reads\":%.4f,\"errors\":%llu}\n",
		(unsigned long long)run.done, (unsigned long long)(run.done * run.ready),
		(double)(run.ended_ns - run.began_ns) / 1e9, percentile(&run.each, 0.5),
		percentile(&run.each, 0.99), percentile(&run.last, 0.5),
		percentile(&run.last, 0.99),
		(double)(st.bytes_in - run.bytes) / (double)(run.done * run.ready),
		(double)(st.reads - run.reads) / (double)(run.done * run.ready),
		(unsigned long long)run.errors);
	answered();
}

static void send_begin(bool paced, size_t n, double seconds)
{
	if (n == 0 || (!paced && n > run.ready) || seconds <= 0 || run.ready == 0)
		fail("what is to be sent, by whom?");
	text_make();
	run.each.n = run.last.n = 0;
	run.sent = run.done = 0;
	for (size_t i = 0; i < run.made; i++)
		run.members[i].got = 0;
	run.bytes = client_stats().bytes_in;
	run.reads = client_stats().reads;
	run.sending = true;
	run.paced = paced;
	run.until_ns = run.began_ns + (int64_t)(seconds * 1e9);
	run.look = sent_look;
	if (paced) {
		run.every_ns = 1000000000 / (int64_t)n;
		run.next_ns = clock_ns();
		timer_init(&run.timer, on_pace);
		timer_set(&run.timer, 0);
		return;
	}
	timer_init(&run.timer, on_late);
	timer_set(&run.timer, (int64_t)(seconds * 1e3) + SETTLED_MS);
	for (uint32_t i = 0; i < n; i++)
		message_send(i);
}

static void command(char *line)
{
	size_t n = 0;
	double seconds = 0;

	run.began_ns = clock_ns();
	if (sscanf(line, "open %zu", &n) == 1)
		open_begin(n);
	else if (sscanf(line, "keys %zu", &n) == 1)
		keys_begin(n);
	else if (sscanf(line, "send %zu %lf", &n, &seconds) == 2)
		send_begin(false, n, seconds);
	else if (sscanf(line, "pace %zu %lf", &n, &seconds) == 2)
		send_begin(true, n, seconds);
	else
		fail("open N, keys N, send UNDER SECONDS, pace RATE SECONDS");
}

static void on_input(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	char *end;

	(void)s;
	loop_enter();
	if (n < 0)
		exit(run.errors > 0); /* the connections end with it */
	buf_put(&run.lines, b->base, (size_t)n);
	while ((end = memchr(run.lines.p, '\n', run.lines.n)) != NULL) {
		*end = 0;
		command(run.lines.p);
		buf_drop(&run.lines, (size_t)(end + 1 - run.lines.p));
	}
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *b)
{
	static char in[4096];

	(void)h, (void)suggested;
	*b = uv_buf_init(in, sizeof(in));
}

/* ---- start ---- */

static void tokens_read(const char *path)
{
	struct buf all = {0};
	char part[65536];
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		fail("the tokens cannot be read");
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		buf_put(&all, part, n);
	fclose(f);
	run.tokens = buf_view(&all);
	while (run.token_len < all.n && all.p[run.token_len] != '\n')
		run.token_len++;
	run.token_count = all.n / (run.token_len + 1);
	if (run.token_count == 0)
		fail("no tokens");
}

static void options_read(int argc, char **argv)
{
	static const struct option options[] = {{"tokens", required_argument, NULL, 't'},
		{"chat", required_argument, NULL, 'c'}, {"size", required_argument, NULL, 's'},
		{"width", required_argument, NULL, 'w'}, {NULL, 0, NULL, 0}};
	int o;

	run.size = 1024;
	run.width = 64;
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 't')
			tokens_read(optarg);
		else if (o == 'c')
			run.chat = atoll(optarg);
		else if (o == 's')
			run.size = atoll(optarg);
		else if (o == 'w')
			run.width = (size_t)atoll(optarg);
		else
			exit(2);
	}
	if (run.size < 128 || run.size > 4096 || run.width == 0)
		fail("an option is out of its range");
}

int main(int argc, char **argv)
{
	static const struct sock_ops ops = {.opened = on_opened,
		.event = on_event,
		.message = on_message,
		.closed = on_closed,
		.headers = on_headers};
	static const char *const protocols[] = {"portal", "socketio", "raw"};
	char why[CLIENT_WHY];
	int at = 0;

	options_read(argc, argv);
	if (argc - optind != 2)
		fail("usage: fanout portal|socketio|raw URL [options]");
	while (at < 3 && strcmp(argv[optind], protocols[at]) != 0)
		at++;
	if (at == 3)
		fail("portal, socketio or raw");
	run.protocol = (uint8_t)at;
	loop_init();
	client_setup(20000);
	run.origin = origin_new(argv[optind + 1], why);
	if (!run.origin)
		fail(why);
	run.web = web_new(run.origin, 8, 20000);
	run.sockets = (struct sock_options){
		.ops = &ops, .origins = &run.origin, .origin_count = 1, .raw = run.protocol == RAW};
	run.members = calloc(65536, sizeof(*run.members));
	if (!run.members)
		PANIC("no memory");
	run.look = nothing;
	timer_init(&run.timer, on_late);
	uv_pipe_init(loop_uv(), &run.input, 0);
	if (uv_pipe_open(&run.input, 0) != 0)
		fail("the commands come by a pipe");
	uv_read_start((uv_stream_t *)&run.input, on_alloc, on_input);
	loop_run();
	return 0;
}
