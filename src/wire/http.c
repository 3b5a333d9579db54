/* HTTP beside the reader: pieces of requests, and responses.
 *
 * Owns the text of the current second's Date header; nothing else. Everything returned points into
 * what was given. To add a status: add its row to `statuses`. */
#include "wire/http.h"

#include "base/clock.h"

#include <stdio.h>

/* ---- requests ---- */

struct str http_header(const struct http_request *r, const char *name)
{
	struct str wanted = str_of(name);

	for (int i = 0; i < r->header_count; i++) {
		if (str_eq_nocase(r->headers[i].name, wanted))
			return r->headers[i].value;
	}
	return STR_NULL;
}

void http_header_each_back(const struct http_request *r, const char *name,
	bool (*fn)(void *arg, struct str value), void *arg)
{
	struct str wanted = str_of(name);

	for (int i = r->header_count - 1; i >= 0; i--) {
		if (str_eq_nocase(r->headers[i].name, wanted) && !fn(arg, r->headers[i].value))
			return;
	}
}

/* cookie-octet: what a value may consist of. */
static bool is_cookie_octet(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\';
}

static struct str cookie_value(struct str v)
{
	if (v.n >= 2 && v.p[0] == '"' && v.p[v.n - 1] == '"')
		v = str_make(v.p + 1, v.n - 2);
	for (size_t i = 0; i < v.n; i++) {
		if (!is_cookie_octet((unsigned char)v.p[i]))
			return STR_NULL;
	}
	return v;
}

/* cookie-pair *( ";" SP cookie-pair ); *found tells a malformed value from none. */
static struct str cookie_seek(struct str header, struct str name, bool *found)
{
	while (header.p) {
		struct str value = str_trim(str_cut(&header, ';'));
		struct str key = str_cut(&value, '=');

		if (value.p && str_eq(key, name)) {
			*found = true;
			return cookie_value(value);
		}
	}
	return STR_NULL;
}

struct str cookie_find(struct str header, struct str name)
{
	bool found = false;

	return cookie_seek(header, name, &found);
}

struct str http_cookie(const struct http_request *r, struct str name)
{
	bool found = false;

	for (int i = 0; i < r->header_count; i++) {
		if (r->headers[i].name.n == 6 && str_eq_nocase(r->headers[i].name, STR("cookie"))) {
			struct str value = cookie_seek(r->headers[i].value, name, &found);

			if (found)
				return value;
		}
	}
	return STR_NULL;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool uri_decode(struct str s, bool plus, char *out, size_t *n)
{
	size_t used = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '%') {
			int high = s.n - i > 2 ? hex_digit(s.p[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(s.p[i + 2]) : -1;

			if (low < 0 || (high == 0 && low == 0))
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		out[used++] = c;
	}
	*n = used;
	return utf8_valid(str_make(out, used));
}

bool query_next(struct str *rest, struct str *name, struct str *value)
{
	while (rest->p) {
		struct str pair = str_cut(rest, '&');

		if (pair.n == 0)
			continue;
		*value = pair;
		*name = str_cut(value, '=');
		if (!value->p) /* a name alone has an empty value */
			*value = str_make(pair.p + pair.n, 0);
		return true;
	}
	return false;
}

bool media_type_is(struct str content_type, struct str type)
{
	return content_type.p && str_eq_nocase(str_trim(str_cut(&content_type, ';')), type);
}

/* ---- responses ---- */

static const struct {
	int status;
	const char *text;
} statuses[] = {
	{100, "100 Continue"},
	{101, "101 Switching Protocols"},
	{200, "200 OK"},
	{201, "201 Created"},
	{204, "204 No Content"},
	{301, "301 Moved Permanently"},
	{302, "302 Found"},
	{303, "303 See Other"},
	{304, "304 Not Modified"},
	{307, "307 Temporary Redirect"},
	{308, "308 Permanent Redirect"},
	{400, "400 Bad Request"},
	{401, "401 Unauthorized"},
	{403, "403 Forbidden"},
	{404, "404 Not Found"},
	{405, "405 Method Not Allowed"},
	{408, "408 Request Timeout"},
	{409, "409 Conflict"},
	{413, "413 Content Too Large"},
	{415, "415 Unsupported Media Type"},
	{422, "422 Unprocessable Content"},
	{426, "426 Upgrade Required"},
	{429, "429 Too Many Requests"},
	{431, "431 Request Header Fields Too Large"},
	{500, "500 Internal Server Error"},
	{503, "503 Service Unavailable"},
};

static const char *status_text(int status)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		if (statuses[i].status == status)
			return statuses[i].text;
	}
	return NULL;
}

/* RFC 9110, section 5.6.7. Not by libc: its first conversion reads the time zone's file. */
static struct str date_line(void)
{
	static const char days[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
	static const char months[12][4] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	static char text[64];
	static size_t length;
	static int64_t second = -1;
	int64_t now = clock_us() / 1000000;
	char iso[TIME_LEN]; /* 2026-03-31T16:03:16.763528Z */

	if (now != second) {
		second = now;
		time_format(now * 1000000, iso);
		length = (size_t)snprintf(text, sizeof(text), "Date: %s, %.2s %s %.4s %.8s GMT\r\n",
			days[now / 86400 % 7], iso + 8, months[(iso[5] - '0') * 10 + iso[6] - '1'],
			iso, iso + 11);
	}
	return str_make(text, length);
}

void http_begin(struct buf *b, int status)
{
	const char *text = status_text(status);

	buf_lit(b, "HTTP/1.1 ");
	if (text)
		buf_str(b, str_of(text));
	else
		buf_printf(b, "%d Unknown", status);
	buf_lit(b, "\r\n");
	buf_str(b, date_line());
}

void http_put_header(struct buf *b, const char *name, struct str value)
{
	size_t at;

	buf_str(b, str_of(name));
	buf_lit(b, ": ");
	at = b->n;
	buf_str(b, value);
	for (; at < b->n; at++) {
		if ((unsigned char)b->p[at] < ' ' || b->p[at] == 0x7f)
			b->p[at] = ' ';
	}
	buf_lit(b, "\r\n");
}

void http_end_head(struct buf *b, int64_t body_length, bool keep_alive)
{
	if (body_length >= 0) {
		buf_lit(b, "Content-Length: ");
		buf_i64(b, body_length);
		buf_lit(b, "\r\n");
	}
	if (!keep_alive)
		buf_lit(b, "Connection: close\r\n");
	buf_lit(b, "\r\n");
}
