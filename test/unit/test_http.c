/* The HTTP codec. The corpus of fuzz_http is the table of framing cases: a file's name starts with
 * what must come of it; each is read whole, and cut in two at every byte, and byte by byte. Run
 * from the root. */
#include "../fuzz/http_pieces.h"

#include "base/clock.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

#define CORPUS "test/fuzz/corpus/http"

static const char head_of_post[] =
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/* ---- framing ---- */

/* First `first` bytes, then pieces of `rest`. */
struct cut {
	size_t first, rest;
};

static size_t cut_step(void *arg)
{
	struct cut *cut = arg;
	size_t step = cut->first ? cut->first : cut->rest;

	cut->first = 0;
	return step;
}

static void check_cut(const char *name, struct str bytes, struct cut cut, struct str whole)
{
	struct buf text = {0};

	pieces_read(bytes.p, bytes.n, cut_step, &cut, &text);
	if (!str_eq(buf_view(&text), whole))
		fail_msg("%s, cut at %zu and each %zu: " STR_FMT "instead of " STR_FMT, name,
			cut.first, cut.rest, STR_ARG(buf_view(&text)), STR_ARG(whole));
	buf_free(&text);
}

static const char *result_name(enum http_result r)
{
	static const char *const names[] = {[HTTP_MORE] = "more",
		[HTTP_HEAD_DONE] = "more",
		[HTTP_DONE] = "ok",
		[HTTP_BAD] = "bad",
		[HTTP_TOO_LARGE] = "large",
		[HTTP_HEAD_TOO_LARGE] = "head"};

	return names[r];
}

static void check_case(const char *name, struct str bytes)
{
	struct buf whole = {0};
	struct cut once = {0, 0};
	enum http_result result = pieces_read(bytes.p, bytes.n, cut_step, &once, &whole);
	size_t stride = bytes.n < 4096 ? 1 : bytes.n / 64;
	struct str prefix = str_of(name);

	if (!str_eq(str_cut(&prefix, '-'), str_of(result_name(result))))
		fail_msg("%s gave %s", name, result_name(result));
	for (size_t at = 1; at < bytes.n; at += stride)
		check_cut(name, bytes, (struct cut){at, 0}, buf_view(&whole));
	check_cut(name, bytes, (struct cut){0, bytes.n < 4096 ? 1 : 1021}, buf_view(&whole));
	check_cut(name, bytes, (struct cut){0, 7 * stride}, buf_view(&whole));
	buf_free(&whole);
}

static void test_corpus(void **state)
{
	DIR *dir = opendir(CORPUS);
	int count = 0;

	(void)state;
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		char path[512], bytes[8192];
		FILE *f;

		if (e->d_type != DT_REG || !strchr(e->d_name, '-'))
			continue;
		snprintf(path, sizeof(path), CORPUS "/%s", e->d_name);
		f = fopen(path, "rb");
		assert_non_null(f);
		check_case(e->d_name, str_make(bytes, fread(bytes, 1, sizeof(bytes), f)));
		fclose(f);
		count++;
	}
	closedir(dir);
	assert_true(count > 100);
}

/* start, `unit` as often as it takes to make about n bytes, end */
static void check_long(
	const char *name, const char *start, const char *unit, size_t n, const char *end)
{
	struct buf b = {0};

	buf_str(&b, str_of(start));
	while (b.n + strlen(end) < n)
		buf_str(&b, str_of(unit));
	buf_str(&b, str_of(end));
	check_case(name, buf_view(&b));
	buf_free(&b);
}

static void test_limits(void **state)
{
	const char *get = "GET / HTTP/1.1\r\nHost: a\r\nA: ";
	char start[128];

	(void)state;
	check_long("ok-head-exact", get, "x", HTTP_HEAD_MAX, "\r\n\r\n");
	check_long("head-byte-over", get, "x", HTTP_HEAD_MAX + 1, "\r\n\r\n");
	check_long("head-endless", get, "x", HTTP_HEAD_MAX + 1, "");
	check_long("head-line", "GET /", "a", HTTP_HEAD_MAX + 1, "");
	check_long("head-empty-lines", "", "\r\n", HTTP_HEAD_MAX + 2, "");
	check_long(
		"ok-100-headers", "GET / HTTP/1.1\r\nHost: a\r\n", "A: b\r\n", 25 + 99 * 6, "\r\n");
	check_long("head-101-headers", "GET / HTTP/1.1\r\nHost: a\r\n", "A:\r\n", 25 + 100 * 4 + 2,
		"\r\n");
	snprintf(start, sizeof(start), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n",
		HTTP_BODY_MAX);
	check_long("ok-body-exact", start, "y", strlen(start) + HTTP_BODY_MAX, "");
	snprintf(start, sizeof(start), "%s10000\r\n", head_of_post);
	check_long("ok-chunk-exact", start, "z", strlen(start) + 65536 + 7, "\r\n0\r\n\r\n");
	snprintf(start, sizeof(start), "%s10001\r\n", head_of_post);
	check_long("large-chunk", start, "z", 70000, "");
	check_long("large-chunks", head_of_post, "4\r\nzzzz\r\n", 160000, "");
	check_long("large-tiny-chunks", head_of_post, "1\r\nz\r\n", 140000, "");
	snprintf(start, sizeof(start), "%s1;", head_of_post);
	check_long("large-chunk-extension", start, "a", 140000, "");
	snprintf(start, sizeof(start), "%s0\r\n", head_of_post);
	check_long("large-trailers", start, "A: b\r\n", 140000, "");
}

/* ---- what a request says ---- */

static char bytes_of[8192];
static struct http_request request;

static enum http_result read_all(const char *text, size_t *consumed)
{
	struct http_reader r;
	enum http_result result;

	http_reader_init(&r);
	memcpy(bytes_of, text, strlen(text));
	result = http_read(&r, bytes_of, strlen(text), &request, consumed);
	http_reader_release(&r);
	return result;
}

static const struct http_request *parsed(const char *text)
{
	size_t consumed;

	assert_int_equal(read_all(text, &consumed), HTTP_DONE);
	return &request;
}

static void assert_str(struct str s, const char *expected)
{
	assert_non_null(s.p);
	if (!str_eq(s, str_of(expected)))
		fail_msg("'" STR_FMT "' is not '%s'", STR_ARG(s), expected);
}

static void test_fields(void **state)
{
	const struct http_request *r = parsed(
		"POST /a%20b?x=1?2 HTTP/1.1\r\nhost: h:8080\r\nCookie: a=1\r\nORIGIN: null\r\n"
		"Content-Type: text/plain \r\nX-Api-Key:\tk\r\nX-Correlation-Id: c\r\n"
		"User-Agent: u v\r\nX-Other: \r\nContent-Length: 2\r\n\r\nhi");

	(void)state;
	assert_int_equal(r->method, HTTP_POST);
	assert_str(r->target, "/a%20b?x=1?2");
	assert_str(r->path, "/a%20b");
	assert_str(r->query, "x=1?2");
	assert_str(r->host, "h:8080");
	assert_str(r->cookie, "a=1");
	assert_str(r->origin, "null");
	assert_str(r->content_type, "text/plain");
	assert_str(r->api_key, "k");
	assert_str(r->correlation_id, "c");
	assert_str(r->user_agent, "u v");
	assert_str(r->body, "hi");
	assert_str(http_header(r, "x-OTHER"), "");
	assert_null(http_header(r, "x-othe").p);
	assert_true(r->keep_alive);
	assert_false(r->http10 || r->upgrade || r->expect_continue);

	r = parsed("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(r->method, HTTP_GET);
	assert_null(r->query.p);
	assert_null(r->body.p);
	assert_null(r->cookie.p);
	r = parsed("DELETE /? HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(r->method, HTTP_OTHER);
	assert_str(r->query, "");
	assert_str(r->body, "");
}

static void test_targets(void **state)
{
	const struct http_request *r = parsed("GET http://b:1/p/q?r HTTP/1.1\r\nHost: a\r\n\r\n");

	(void)state;
	assert_str(r->path, "/p/q");
	assert_str(r->query, "r");
	assert_str(r->host, "b:1");
	r = parsed("GET https://b HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_str(r->path, "/");
	assert_null(r->query.p);
	r = parsed("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(r->method, HTTP_OPTIONS);
	assert_str(r->path, "*");
	r = parsed("GET //b/c HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_str(r->path, "//b/c");
	assert_str(r->host, "a");
}

static void test_connection(void **state)
{
	(void)state;
	assert_false(parsed("GET / HTTP/1.0\r\n\r\n")->keep_alive);
	assert_true(parsed("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")->keep_alive);
	assert_false(parsed("GET / HTTP/1.1\r\nHost: a\r\nConnection: CLOSE\r\n\r\n")->keep_alive);
	assert_false(parsed("GET / HTTP/1.0\r\nConnection: close, keep-alive\r\n\r\n")->keep_alive);
	assert_true(parsed("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
			    ->upgrade);
	assert_false(parsed("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n")->upgrade);
}

static void test_pipeline_and_expect(void **state)
{
	const char *text = "POST /1 HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n"
			   "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
			   "GET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET";
	size_t n = strlen(text), head = (size_t)(strstr(text, "3\r\n") - text), consumed;
	struct http_reader r;

	(void)state;
	http_reader_init(&r);
	assert_int_equal(http_read(&r, bytes_of, 0, &request, &consumed), HTTP_MORE);
	assert_true(http_reader_idle(&r));
	memcpy(bytes_of, text, n);
	assert_int_equal(http_read(&r, bytes_of, head - 1, &request, &consumed), HTTP_MORE);
	assert_false(http_reader_idle(&r) || http_reader_in_body(&r));
	assert_int_equal(http_read(&r, bytes_of, head + 4, &request, &consumed), HTTP_HEAD_DONE);
	assert_true(request.expect_continue);
	assert_str(request.path, "/1");
	assert_true(http_reader_in_body(&r));
	assert_int_equal(http_read(&r, bytes_of, n, &request, &consumed), HTTP_DONE);
	assert_str(request.body, "abcde");
	assert_true(http_reader_idle(&r));

	text = bytes_of + consumed;
	n -= consumed;
	assert_int_equal(http_read(&r, bytes_of + consumed, n, &request, &consumed), HTTP_DONE);
	assert_str(request.path, "/2");
	assert_int_equal(n - consumed, 3);
	assert_int_equal(http_read(&r, bytes_of, 3, &request, &consumed), HTTP_MORE);
	http_reader_release(&r);
	assert_true(http_reader_idle(&r));
}

static void test_body_max(void **state)
{
	const char *text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
	struct http_reader r;
	size_t consumed;

	(void)state;
	http_reader_init(&r);
	memcpy(bytes_of, text, strlen(text));
	http_reader_body_max(&r, 2);
	assert_int_equal(
		http_read(&r, bytes_of, strlen(text), &request, &consumed), HTTP_TOO_LARGE);
	http_reader_body_max(&r, 3);
	assert_int_equal(http_read(&r, bytes_of, strlen(text), &request, &consumed), HTTP_DONE);
	http_reader_release(&r);
}

/* ---- pieces ---- */

static bool collect(void *arg, struct str value)
{
	buf_str(arg, value);
	buf_char(arg, '|');
	return value.n != 1;
}

static void test_header_each_back(void **state)
{
	const struct http_request *r = parsed("GET / HTTP/1.1\r\nHost: a\r\nX: 0\r\nx: 1\r\n"
					      "Y: no\r\nX: 22\r\nX: 333\r\n\r\n");
	struct buf b = {0};

	(void)state;
	http_header_each_back(r, "X", collect, &b);
	assert_str(buf_view(&b), "333|22|1|");
	buf_free(&b);
}

static void test_cookies(void **state)
{
	const struct http_request *r;

	(void)state;
	assert_str(cookie_find(STR("a=1; psession=x-_y; b"), STR("psession")), "x-_y");
	assert_str(cookie_find(STR("psession=1; psession=2"), STR("psession")), "1");
	assert_str(cookie_find(STR("psession=\"q\""), STR("psession")), "q");
	assert_str(cookie_find(STR("psession="), STR("psession")), "");
	assert_str(cookie_find(STR("a=b=c;psession=d=="), STR("psession")), "d==");
	assert_str(cookie_find(STR(";; =x; odd one=a,b; psession=z;"), STR("psession")), "z");
	assert_null(cookie_find(STR("Psession=1; xpsession=2; psessionx=3"), STR("psession")).p);
	assert_null(cookie_find(STR("psession"), STR("psession")).p);
	assert_null(cookie_find(STR("psession=a b; psession=c"), STR("psession")).p);
	assert_null(cookie_find(STR("psession=a\"b"), STR("psession")).p);
	assert_null(cookie_find(STR("psession=\""), STR("psession")).p);
	assert_null(cookie_find(STR(""), STR("psession")).p);
	assert_null(cookie_find(STR_NULL, STR("psession")).p);
	r = parsed("GET / HTTP/1.1\r\nHost: a\r\nCookie: a=1\r\ncookie: psession=2; b=3\r\n"
		   "Cookie: psession=4\r\n\r\n");
	assert_str(http_cookie(r, STR("psession")), "2");
	assert_str(http_cookie(r, STR("a")), "1");
	assert_null(http_cookie(r, STR("c")).p);
}

static void assert_decoded(const char *from, bool plus, const char *to)
{
	char out[64];
	size_t n;
	bool ok = uri_decode(str_of(from), plus, out, &n);

	assert_int_equal(ok, to != NULL);
	if (to)
		assert_str(str_make(out, n), to);
}

static void test_uri_decode(void **state)
{
	(void)state;
	assert_decoded("", false, "");
	assert_decoded("a%2Fb%2f+c", false, "a/b/+c");
	assert_decoded("a+b%2B", true, "a b+");
	assert_decoded("%C3%A9\xc3\xa9", false, "\xc3\xa9\xc3\xa9");
	assert_decoded("%", false, NULL);
	assert_decoded("a%4", false, NULL);
	assert_decoded("%G0", false, NULL);
	assert_decoded("%4 ", false, NULL);
	assert_decoded("%00", false, NULL);
	assert_decoded("%C3", false, NULL);
	assert_decoded("%C0%AF", false, NULL);
	assert_decoded("%ED%A0%80", false, NULL);
}

static void test_query(void **state)
{
	struct str rest = STR("a=1&&b&=c&d=e=f&"), name, value;

	(void)state;
	assert_true(query_next(&rest, &name, &value));
	assert_str(name, "a");
	assert_str(value, "1");
	assert_true(query_next(&rest, &name, &value));
	assert_str(name, "b");
	assert_str(value, "");
	assert_true(query_next(&rest, &name, &value));
	assert_str(name, "");
	assert_str(value, "c");
	assert_true(query_next(&rest, &name, &value));
	assert_str(name, "d");
	assert_str(value, "e=f");
	assert_false(query_next(&rest, &name, &value));
	rest = STR_NULL;
	assert_false(query_next(&rest, &name, &value));
}

static void test_media_type(void **state)
{
	struct str json = STR("application/json");

	(void)state;
	assert_true(media_type_is(STR("application/json"), json));
	assert_true(media_type_is(STR("Application/JSON ; charset=utf-8"), json));
	assert_false(media_type_is(STR("application/jsonp"), json));
	assert_false(media_type_is(STR("text/plain;application/json"), json));
	assert_false(media_type_is(STR(""), json));
	assert_false(media_type_is(STR_NULL, json));
}

/* ---- responses ---- */

static void test_response(void **state)
{
	struct buf b = {0};
	struct str text, line;

	(void)state;
	http_begin(&b, 200);
	http_put_header(&b, "X-A", STR("b\r\nSet-Cookie: evil"));
	http_end_head(&b, 7, true);
	text = buf_view(&b);
	assert_str(str_cut(&text, '\n'), "HTTP/1.1 200 OK\r");
	line = str_cut(&text, '\n');
	assert_true(str_starts(line, STR("Date: ")) && str_ends(line, STR(" GMT\r")));
	assert_int_equal(line.n, strlen("Date: Sun, 06 Nov 1994 08:49:37 GMT\r"));
	assert_str(text, "X-A: b  Set-Cookie: evil\r\nContent-Length: 7\r\n\r\n");
	b.n = 0;
	http_begin(&b, 204);
	http_end_head(&b, -1, false);
	assert_true(str_ends(buf_view(&b), STR(" GMT\r\nConnection: close\r\n\r\n")));
	b.n = 0;
	http_begin(&b, 599);
	assert_true(str_starts(buf_view(&b), STR("HTTP/1.1 599 Unknown\r\n")));
	buf_free(&b);
}

static struct str date_now(struct buf *b)
{
	struct str text, line;

	b->n = 0;
	http_begin(b, 200);
	text = buf_view(b);
	str_cut(&text, '\n');
	line = str_cut(&text, '\n');
	return line;
}

static void test_date(void **state)
{
	struct buf b = {0};

	(void)state;
	for (int day = 0; day < 400; day++) {
		time_t now = (time_t)(clock_us() / 1000000);
		char expected[64];

		strftime(expected, sizeof(expected), "Date: %a, %d %b %Y %T GMT\r", gmtime(&now));
		assert_str(date_now(&b), expected);
		clock_advance(86400 * 1000 + 1000);
	}
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corpus),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_connection),
		cmocka_unit_test(test_pipeline_and_expect),
		cmocka_unit_test(test_body_max),
		cmocka_unit_test(test_header_each_back),
		cmocka_unit_test(test_cookies),
		cmocka_unit_test(test_uri_decode),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_media_type),
		cmocka_unit_test(test_response),
		cmocka_unit_test(test_date),
	};

	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
