/* Log lines, read back through a pipe in the place of stderr. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"

static int real_stderr, reader;
static struct buf got;
static struct arena memory;

static int begin(void **state)
{
	int ends[2];

	(void)state;
	if (pipe(ends) != 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
		return -1;
	real_stderr = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	reader = ends[0];
	got.n = 0;
	log_setup(LOG_DEBUG, LOG_AUTO);
	return 0;
}

static int end(void **state)
{
	(void)state;
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	close(reader);
	arena_release(&memory);
	buf_free(&got);
	return 0;
}

static void drain(void)
{
	ssize_t n;

	while ((n = read(reader, buf_reserve(&got, 65536), 65536)) > 0)
		got.n += (size_t)n;
}

static const struct json *only_line(void)
{
	struct str text;

	log_flush();
	got.n = 0;
	drain();
	text = buf_view(&got);
	assert_int_equal(str_find(text, '\n'), text.n - 1);
	text = arena_str(&memory, str_make(text.p, text.n - 1));
	assert_non_null(json_parse(&memory, text));
	return json_parse(&memory, text);
}

static void assert_field(const struct json *line, const char *name, struct str value)
{
	assert_true(str_eq(json_to_str(json_get(line, name)), value));
}

static void json_lines(void **state)
{
	const struct json *line;
	int64_t us;

	(void)state;
	log_line(LOG_WARN, "say \"hi\"", LOG_Z("route", "/v1/users/me"), LOG_I("port", -80),
		LOG_S("absent", STR_NULL));
	line = only_line(); /* not a terminal: JSON */
	assert_int_equal(json_len(line), 6);
	assert_true(time_parse(json_to_str(json_get(line, "time")), &us) && us == clock_us());
	assert_field(line, "level", STR("warn"));
	assert_field(line, "message", STR("say \"hi\""));
	assert_field(line, "route", STR("/v1/users/me"));
	assert_int_equal(json_to_i64(json_get(line, "port")), -80);
	assert_non_null(json_get(line, "absent"));
	log_line(LOG_ERROR, "bare");
	assert_field(only_line(), "level", STR("error"));
}

static void stays_valid_whatever_comes(void **state)
{
	char all[255];
	const struct json *line;

	(void)state;
	for (int i = 0; i < 255; i++)
		all[i] = (char)(i + 1);
	log_line(LOG_INFO, "m", LOG_S("all", str_make(all, sizeof(all))),
		LOG_Z("good", "h\xC3\xA9"), LOG_Z("new", "a\nb"));
	line = only_line();
	assert_int_equal(json_to_str(json_get(line, "all")).n, 255);
	assert_memory_equal(json_to_str(json_get(line, "all")).p, all, 0x7E);
	assert_field(line, "good", STR("h\xC3\xA9"));
	assert_field(line, "new", STR("a\nb"));
}

static void levels(void **state)
{
	(void)state;
	log_setup(LOG_WARN, LOG_JSON);
	log_line(LOG_DEBUG, "no");
	log_line(LOG_INFO, "no");
	log_line(LOG_WARN, "yes");
	assert_field(only_line(), "message", STR("yes"));
}

static void text_lines(void **state)
{
	char time[TIME_LEN];
	struct str line;

	(void)state;
	log_setup(LOG_DEBUG, LOG_TEXT);
	log_line(LOG_INFO, "listening", LOG_Z("address", "127.0.0.1:8080"), LOG_I("n", 3),
		LOG_Z("quoted", "a b"), LOG_Z("empty", ""), LOG_Z("evil", "\033[31m\x7F\xC2\x9B"),
		LOG_S("none", STR_NULL), LOG_Z("new", "x\ny"));
	log_flush();
	drain();
	line = buf_view(&got);
	time_format(clock_us(), time);
	assert_true(str_starts(line, str_make(time + 11, 12)));
	/* No colours: this is no terminal. */
	assert_true(str_eq(str_from(line, 12),
		STR(" INFO  listening address=127.0.0.1:8080 n=3 quoted=\"a b\" empty=\"\" "
		    "evil=\"\\u001b[31m?\?\?\" none=null new=\"x\\ny\"\n")));
}

/* Nobody reads: writing and flushing go on, memory stays bounded, and what is missing is told. */
static void a_stalled_reader_blocks_nothing(void **state)
{
	enum {
		LINES = 40000
	};
	char filler[100];
	int64_t next = 0, dropped = 0, reports = 0;
	struct str rest;

	(void)state;
	alarm(60); /* a blocked write would hang for good */
	memset(filler, 'f', sizeof(filler));
	for (int64_t i = 0; i < LINES; i++) {
		log_line(LOG_INFO, "line", LOG_I("i", i), LOG_S("f", str_make(filler, 100)));
		if (i % 100 == 0)
			log_flush();
	}
	for (size_t before = 1; before != got.n;) { /* now somebody reads */
		before = got.n;
		log_flush();
		drain();
	}
	log_line(LOG_INFO, "line", LOG_I("i", LINES));
	log_flush();
	drain();
	rest = buf_view(&got);
	while (rest.n > 0) {
		const struct json *line = json_parse(&memory, str_cut(&rest, '\n'));

		assert_non_null(line);
		if (str_eq(json_to_str(json_get(line, "message")), STR("log lines dropped"))) {
			dropped = json_to_i64(json_get(line, "count"));
			next += dropped;
			reports++;
		} else {
			assert_int_equal(json_to_i64(json_get(line, "i")), next++);
		}
	}
	assert_int_equal(next, LINES + 1);
	assert_int_equal(reports, 1);
	assert_true(dropped > LINES / 2);
	assert_true(got.n > 1 << 20 && got.n < (1 << 20) + 200000);
	alarm(0);
}

static void a_line_beyond_the_buffer_is_dropped(void **state)
{
	char *huge = arena_alloc(&memory, 2 << 20);

	(void)state;
	memset(huge, 'h', 2 << 20);
	log_line(LOG_INFO, "huge", LOG_S("h", str_make(huge, 2 << 20)));
	log_line(LOG_INFO, "next");
	log_flush();
	drain();
	assert_non_null(strstr(arena_dup(&memory, got.p, got.n), "\"count\":1}\n"));
	assert_non_null(strstr(arena_dup(&memory, got.p, got.n), "\"message\":\"next\"}\n"));
	assert_null(strstr(arena_dup(&memory, got.p, got.n), "hhh"));
}

/* Longer than PIPE_BUF: arrives in pieces, whole. */
static void long_lines_arrive(void **state)
{
	char *text = arena_alloc(&memory, 30000);

	(void)state;
	memset(text, 't', 30000);
	log_line(LOG_INFO, "long", LOG_S("t", str_make(text, 30000)));
	assert_int_equal(json_to_str(json_get(only_line(), "t")).n, 30000);
}

static void flush_all_writes_everything(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		log_line(LOG_INFO, "line", LOG_I("i", i));
	log_flush_all();
	drain();
	assert_non_null(strstr(arena_dup(&memory, got.p, got.n), "\"i\":99}\n"));
}

static void a_gone_reader_is_survived(void **state)
{
	(void)state;
	close(reader);
	log_line(LOG_INFO, "to nobody");
	log_flush();
	log_flush_all();
	reader = open("/dev/null", O_RDONLY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(json_lines, begin, end),
		cmocka_unit_test_setup_teardown(stays_valid_whatever_comes, begin, end),
		cmocka_unit_test_setup_teardown(levels, begin, end),
		cmocka_unit_test_setup_teardown(text_lines, begin, end),
		cmocka_unit_test_setup_teardown(a_stalled_reader_blocks_nothing, begin, end),
		cmocka_unit_test_setup_teardown(a_line_beyond_the_buffer_is_dropped, begin, end),
		cmocka_unit_test_setup_teardown(long_lines_arrive, begin, end),
		cmocka_unit_test_setup_teardown(flush_all_writes_everything, begin, end),
		cmocka_unit_test_setup_teardown(a_gone_reader_is_survived, begin, end),
	};

	signal(SIGPIPE, SIG_IGN); /* as the programs do */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
