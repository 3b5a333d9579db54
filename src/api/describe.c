/* What a row says, as words and examples. Owns nothing.
 * To describe a new type of field or set of characters: field_words and field_example. */
#include "api/describe.h"

#include <inttypes.h>

/* ---- rows ---- */

static bool names_error(const char *list, enum err e)
{
	struct str rest = str_of(list);

	while (rest.p)
		if (str_eq(str_cut(&rest, ' '), str_from(str_of(err_code(e)), 4)))
			return true;
	return false;
}

static bool row_may(const struct route *r, enum err e)
{
	bool event = r->method == HTTP_OTHER; /* of a socket, which has signed in */
	bool api = event || str_starts(str_of(r->path), STR("/v1/"));

	switch (e) {
	case ERR_INVALID_REQUEST:
		return r->fields || r->method == HTTP_POST;
	case ERR_AUTH_REQUIRED:
		return !event && r->cred & CRED_SESSION;
	case ERR_INVALID_API_KEY:
		return r->cred & (CRED_PUBLIC | CRED_BOT);
	case ERR_ACCESS_DENIED:
		return r->level > 0 || names_error(r->errors, e);
	case ERR_ORIGIN:
	case ERR_MEDIA_TYPE:
	case ERR_TOO_LARGE:
		return r->method == HTTP_POST;
	case ERR_RATE_LIMITED:
		return event || r->tier != TIER_NONE;
	case ERR_INTERNAL:
		return api;
	case ERR_UNAVAILABLE:
		return api || names_error(r->errors, e);
	default:
		return names_error(r->errors, e);
	}
}

size_t row_errors(const struct route *r, enum err out[ERR_COUNT])
{
	size_t n = 0;

	for (int e = OK + 1; e < ERR_COUNT; e++) /* the table stands in the order of status */
		if (row_may(r, (enum err)e))
			out[n++] = (enum err)e;
	return n;
}

const char *row_method(const struct route *r)
{
	return r->method == HTTP_POST ? "POST" : "GET";
}

bool row_has(const struct route *r, enum field_in in)
{
	for (const struct field *f = r->fields; f && f->name; f++)
		if (f->in == in)
			return true;
	return false;
}

static const struct {
	const char *prefix, *group;
} groups[] = {
	{"/v1/authentication/", "Signing in"},
	{"/v1/users/", "People"},
	{"/v1/portal/", "Chats"},
	{"/v1/notifications", "Notifications"},
	{"/v1/announcements", "Notifications"},
	{"/v1/statistics/", "Statistics"},
	{"/v1/bot", "Bots"},
	{"/v1/admin/", "Administration"},
	{"/", "Operations"},
};

const char *row_group(const struct route *r)
{
	size_t i = 0;

	while (!str_starts(str_of(r->path), str_of(groups[i].prefix)))
		i++;
	return groups[i].group;
}

void row_credential(struct buf *b, const struct route *r)
{
	static const char *const levels[] = {
		"", " of a Moderator or above", " of an Admin or above", " of an Owner"};
	const char *between = "";

	if (r->cred & CRED_SESSION) {
		buf_printf(b, "session cookie%s", levels[r->level]);
		between = ", or ";
	}
	if (r->cred & CRED_BOT) {
		buf_printf(b, "%sbot key", between);
		between = ", or ";
	}
	if (r->cred & CRED_PUBLIC)
		buf_printf(b, "%spublic key (where the operator has set any)", between);
	if (r->cred & CRED_METRICS)
		buf_lit(b, "an address in METRICS_ALLOW");
	if (r->cred == CRED_NONE)
		buf_lit(b, "nothing");
}

void row_limit(struct buf *b, const struct route *r)
{
	static const char *const texts[] = {
		[TIER_NONE] = "none",
		[TIER_LOGIN] = "LOGIN, 20 a minute and address",
		[TIER_PUBLIC] = "PUBLIC, 120 a minute and address",
		[TIER_HEALTH] = "HEALTH, 300 a minute and address",
		[TIER_PROBE] = "HEALTH, 300 a minute and address, counted by each process",
		[TIER_AUTH] = "AUTH, 120 a minute and person",
		[TIER_ADMIN] = "ADMIN, 60 a minute and person",
		[TIER_BOT] = "BOT, 600 a minute and key",
	};

	buf_str(b, str_of(texts[r->tier]));
}

/* ---- fields ---- */

static const char *chars_words(enum field_chars set)
{
	switch (set) {
	case CHARS_USERNAME:
		return " of A-Z a-z 0-9 . _ -";
	case CHARS_PLATFORM_ID:
		return " of A-Z a-z 0-9 . _ - :";
	case CHARS_CODE:
		return " of A-Z a-z 0-9";
	case CHARS_SLUG:
		return " of a-z 0-9 -";
	case CHARS_CLIENT_ID:
		return " of A-Z a-z 0-9 -";
	case CHARS_HTTPS_URL:
		return ", an https URL or empty";
	case CHARS_PLATFORM:
		return ", one of PLATFORMS";
	default:
		return "";
	}
}

static void range_words(struct buf *b, const struct field *f, const char *what)
{
	if (f->min == f->max)
		buf_printf(b, "%" PRId64 "%s", f->min, what);
	else
		buf_printf(b, "%" PRId64 "-%" PRId64 "%s", f->min, f->max, what);
}

void field_words(struct buf *b, const struct field *f)
{
	switch (f->type) {
	case FIELD_STR:
		buf_lit(b, "string");
		if (f->words) {
			buf_printf(b, ", one of: %s", f->words);
		} else if (f->chars != CHARS_RAW) {
			buf_lit(b, ", ");
			range_words(b, f, " characters");
			buf_str(b, str_of(chars_words(f->chars)));
		}
		break;
	case FIELD_INT:
		buf_lit(b, "integer, ");
		if (f->min == 1 && f->max > INT32_MAX)
			buf_lit(b, "1 or more");
		else if (f->min == 0 && f->max > INT32_MAX)
			buf_lit(b, "0 or more");
		else
			range_words(b, f, "");
		if (f->in == IN_QUERY && f->def > 0)
			buf_printf(b, ", default %" PRId64, f->def);
		break;
	case FIELD_BOOL:
		buf_lit(b, "true or false");
		break;
	case FIELD_TIME:
		buf_lit(b, "time (RFC 3339)");
		break;
	case FIELD_STRS:
		buf_lit(b, "list of strings, ");
		range_words(b, f, " items");
		break;
	case FIELD_INTS:
		buf_lit(b, "list of integers, ");
		range_words(b, f, " items");
		if (f->words)
			buf_printf(b, "; or \"%s\"", f->words);
		break;
	case FIELD_OBJECTS:
		buf_lit(b, "list of objects, ");
		range_words(b, f, " items");
		break;
	case FIELD_OBJECT:
		buf_lit(b, "object, ");
		range_words(b, f, " keys");
		break;
	}
}

static struct str string_example(const struct field *f)
{
	struct str words = str_of(f->words);

	if (f->words)
		return str_cut(&words, ' ');
	switch (f->chars) {
	case CHARS_PLATFORM:
		return STR("discord");
	case CHARS_PLATFORM_ID:
		return STR("123456789012345678");
	case CHARS_CODE:
		return STR("ABCD1234");
	case CHARS_SLUG:
		return STR("lounge");
	case CHARS_CLIENT_ID:
		return STR("5e58b06c-d844");
	case CHARS_HTTPS_URL:
		return STR("https://cdn.example.org/abc.png");
	default:
		break;
	}
	if (str_ends(str_of(f->name), STR("username")))
		return STR("niels");
	if (strcmp(f->name, "token_suffix") == 0)
		return STR("x7Qf2a");
	if (strcmp(f->name, "avatar_source") == 0 || strcmp(f->name, "platform") == 0)
		return STR("discord");
	return strcmp(f->name, "name") == 0 ? STR("Courier") : STR("nie");
}

static int64_t integer_example(const struct field *f)
{
	if (f->in == IN_QUERY && f->def > 0)
		return f->def;
	return f->min > 1 || f->max < 1000 ? f->min : f->max < 1000000 ? 42 : 1;
}

void field_example(struct json_out *j, const struct field *f)
{
	switch (f->type) {
	case FIELD_STR:
		json_str(j, string_example(f));
		break;
	case FIELD_INT:
		json_i64(j, integer_example(f));
		break;
	case FIELD_BOOL:
		json_bool(j, true);
		break;
	case FIELD_TIME:
		json_z(j, "2026-03-31T16:03:16.763528Z");
		break;
	case FIELD_STRS:
		json_arr(j);
		json_z(j, "123456789012345678");
		json_end(j);
		break;
	case FIELD_INTS:
		json_arr(j);
		json_i64(j, 1);
		json_end(j);
		break;
	case FIELD_OBJECTS:
		json_arr(j);
		json_obj(j);
		json_end(j);
		json_end(j);
		break;
	case FIELD_OBJECT:
		json_obj(j);
		json_kstr(j, "theme", STR("dark"));
		json_end(j);
		break;
	}
}

/* ---- examples ---- */

static void url_example(struct buf *b, const struct route *r)
{
	struct str rest = str_of(r->path);
	char between = '?';

	buf_lit(b, "http://127.0.0.1:8080");
	while (rest.p) {
		buf_str(b, str_cut(&rest, '{'));
		if (!rest.p)
			break;
		struct str name = str_cut(&rest, '}');

		for (const struct field *f = r->fields; f->name; f++)
			if (f->in == IN_PATH && str_eq(name, str_of(f->name))) {
				if (f->type == FIELD_INT)
					buf_i64(b, integer_example(f));
				else
					buf_str(b, string_example(f));
			}
	}
	for (const struct field *f = r->fields; f && f->name; f++) {
		if (f->in != IN_QUERY || strcmp(f->name, "offset") == 0)
			continue;
		buf_printf(b, "%c%s=", between, f->name);
		if (f->type == FIELD_INT)
			buf_i64(b, integer_example(f));
		else
			buf_str(b, string_example(f));
		between = '&';
	}
}

static void body_example(struct buf *b, const struct route *r)
{
	struct json_out j;

	buf_lit(b, " \\\n  -H \"Content-Type: application/json\" \\\n  -d '");
	json_out_init(&j, b);
	if (strcmp(r->fields[0].name, "*") == 0) {
		field_example(&j, &r->fields[0]);
	} else {
		json_obj(&j);
		for (const struct field *f = r->fields; f->name; f++)
			if (f->in == IN_BODY) {
				json_key(&j, f->name);
				field_example(&j, f);
			}
		json_end(&j);
	}
	buf_char(b, '\'');
}

void row_curl(struct buf *b, const struct route *r)
{
	bool query = row_has(r, IN_QUERY);

	buf_printf(b, "curl %s%s", r->method == HTTP_POST ? "-X POST " : "", query ? "'" : "");
	url_example(b, r);
	if (query)
		buf_char(b, '\'');
	if (r->cred & CRED_BOT)
		buf_lit(b, " \\\n  -H \"X-API-Key: hbot_YOUR_KEY\"");
	else if (r->cred & CRED_SESSION && !(r->cred & CRED_PUBLIC))
		buf_lit(b, " \\\n  -b \"psession=YOUR_SESSION\"");
	if (row_has(r, IN_BODY))
		body_example(b, r);
}

static void indent(struct buf *b, int depth)
{
	buf_char(b, '\n');
	for (int i = 0; i < depth; i++)
		buf_lit(b, "  ");
}

/* A line a member, for objects of more than a few. */
void shape_pretty(struct buf *b, const char *shape)
{
	bool wide = strlen(shape) > 72;
	int depth = 0;

	for (const char *p = shape; *p; p++) {
		if (wide && *p == '{') {
			buf_char(b, '{');
			indent(b, ++depth);
		} else if (wide && *p == '}') {
			indent(b, --depth);
			buf_char(b, '}');
		} else if (wide && *p == ',') {
			buf_char(b, ',');
			indent(b, depth);
			while (p[1] == ' ')
				p++;
		} else {
			buf_char(b, *p);
			if (*p == ':')
				buf_char(b, ' ');
		}
	}
}
