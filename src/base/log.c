/* Structured logs on stderr.
 *
 * Owns: the one buffer of lines that are not written yet, at most LOG_MAX bytes, and the count of
 * those it had no room for.
 * Path: log_write appends a line; log_flush, once a loop turn, writes as much as poll says will not
 * block, in pieces of at most PIPE_BUF bytes that end at a line's end, so that lines of several
 * processes on one pipe do not mix. A full buffer drops every line until half of it is read, so the
 * gap is one gap, and then says how many are missing.
 * To add another format: a line_… function and a value of enum log_format. */
#include "base/log.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#define LOG_MAX (1 << 20)

static struct {
	enum log_level least;
	bool text, colour;
	struct buf out;     /* lines to write */
	struct buf scratch; /* a value made printable */
	int64_t dropped;
} logs = {.least = LOG_INFO};

static const struct {
	const char *name, *padded, *colour;
} levels[] = {
	[LOG_DEBUG] = {"debug", "DEBUG", "\033[2m"},
	[LOG_INFO] = {"info", "INFO ", "\033[32m"},
	[LOG_WARN] = {"warn", "WARN ", "\033[33m"},
	[LOG_ERROR] = {"error", "ERROR", "\033[31m"},
};

void log_setup(enum log_level least, enum log_format format)
{
	bool terminal = isatty(STDERR_FILENO);

	logs.least = least;
	logs.text = format == LOG_TEXT || (format == LOG_AUTO && terminal);
	logs.colour = logs.text && terminal;
}

/* DEL and the C1 controls (U+0080..U+009F), which JSON leaves alone but a terminal may obey. */
static bool has_controls(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t b = (uint8_t)s.p[i];

		if (b == 0x7F)
			return true;
		if (b == 0xC2 && i + 1 < s.n && (uint8_t)s.p[i + 1] < 0xA0)
			return true;
	}
	return false;
}

/* `s`, or a copy without what would break the line's encoding or a terminal. */
static struct str printable(struct str s)
{
	if (utf8_valid(s) && !(logs.text && has_controls(s)))
		return s;
	logs.scratch.n = 0;
	for (size_t i = 0; i < s.n; i++)
		buf_char(&logs.scratch, (uint8_t)s.p[i] < 0x7F ? s.p[i] : '?');
	return buf_view(&logs.scratch);
}

static void line_json(
	struct buf *b, enum log_level level, const char *message, const struct log_field *f)
{
	struct json_out j;

	json_out_init(&j, b);
	json_obj(&j);
	json_ktime(&j, "time", clock_us());
	json_key(&j, "level");
	json_z(&j, levels[level].name);
	json_kstr(&j, "message", printable(str_of(message)));
	for (; f->kind != LOG_F_END; f++) {
		json_key(&j, f->name);
		if (f->kind == LOG_F_INT)
			json_i64(&j, f->i);
		else
			json_str(&j, printable(f->s));
	}
	json_end(&j);
	buf_char(b, '\n');
}

static bool needs_quotes(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((uint8_t)s.p[i] <= ' ' || s.p[i] == '"' || s.p[i] == '=' || s.p[i] == '\\')
			return true;
	return s.n == 0;
}

static void put_text(struct buf *b, struct str s)
{
	struct json_out j;

	s = printable(s);
	if (s.p && !needs_quotes(s)) {
		buf_str(b, s);
		return;
	}
	json_out_init(&j, b);
	json_str(&j, s);
}

static void put_colour(struct buf *b, const char *code)
{
	if (logs.colour)
		buf_str(b, str_of(code));
}

/* 16:03:16.763 INFO  listening address=127.0.0.1 port=8080 */
static void line_text(
	struct buf *b, enum log_level level, const char *message, const struct log_field *f)
{
	char time[TIME_LEN];

	time_format(clock_us(), time);
	put_colour(b, "\033[2m");
	buf_put(b, time + 11, 12);
	put_colour(b, "\033[0m");
	buf_char(b, ' ');
	put_colour(b, levels[level].colour);
	buf_str(b, str_of(levels[level].padded));
	put_colour(b, "\033[0m");
	buf_char(b, ' ');
	buf_str(b, printable(str_of(message)));
	for (; f->kind != LOG_F_END; f++) {
		buf_char(b, ' ');
		put_colour(b, "\033[36m");
		buf_str(b, str_of(f->name));
		put_colour(b, "\033[0m");
		buf_char(b, '=');
		if (f->kind == LOG_F_INT)
			buf_i64(b, f->i);
		else
			put_text(b, f->s);
	}
	buf_char(b, '\n');
}

static void line_put(enum log_level level, const char *message, const struct log_field *fields)
{
	size_t before = logs.out.n;

	(logs.text ? line_text : line_json)(&logs.out, level, message, fields);
	if (logs.out.n > LOG_MAX) {
		logs.out.n = before;
		logs.dropped++;
	}
}

/* False while lines are missing and it cannot be told yet. */
static bool gap_closed(void)
{
	struct log_field fields[] = {LOG_I("count", logs.dropped), {0}};

	if (logs.dropped == 0)
		return true;
	if (logs.out.n > LOG_MAX / 2)
		return false;
	logs.dropped = 0;
	line_put(LOG_WARN, "log lines dropped", fields);
	return true;
}

bool log_wants(enum log_level level)
{
	return level >= logs.least;
}

void log_write(enum log_level level, const char *message, const struct log_field *fields)
{
	if (!log_wants(level))
		return;
	if (gap_closed())
		line_put(level, message, fields);
	else
		logs.dropped++;
}

/* Whole lines as far as they fit; a longer line is cut. */
static size_t piece(const char *p, size_t n)
{
	const char *end;

	if (n <= PIPE_BUF)
		return n;
	end = memrchr(p, '\n', PIPE_BUF);
	return end ? (size_t)(end - p) + 1 : PIPE_BUF;
}

static void flush(int timeout)
{
	size_t done = 0;

	while (done < logs.out.n) {
		struct pollfd f = {.fd = STDERR_FILENO, .events = POLLOUT};
		const char *at = logs.out.p + done;
		int ready = poll(&f, 1, timeout);
		ssize_t n;

		if (ready == 0)
			break;
		n = ready < 0 ? -1 : write(STDERR_FILENO, at, piece(at, logs.out.n - done));
		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN && timeout == 0)
			break;
		else if (errno != EINTR && errno != EAGAIN)
			done = logs.out.n; /* closed or broken: nobody will ever read them */
	}
	buf_drop(&logs.out, done);
	gap_closed();
}

void log_flush(void)
{
	flush(0);
}

void log_flush_all(void)
{
	while (logs.out.n > 0) /* again for the line about dropped lines */
		flush(-1);
}
