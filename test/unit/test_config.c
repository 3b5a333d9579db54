/* Settings: sources, bounds, sentences, the unsafe starts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/config.h"

#define KEY32 "0123456789abcdef0123456789abcdef"
#define STORES                                                                                     \
	{"DATABASE_URL", "postgresql:///portal"},                                                  \
	{                                                                                          \
		"REDIS_URL", "redis://127.0.0.1"                                                   \
	}

struct pair {
	const char *name, *value;
};

static const struct pair *env;
static struct buf why;
static char paths[2][64];
static int path_count;

static const char *get(const char *name)
{
	for (const struct pair *p = env; p->name; p++)
		if (strcmp(p->name, name) == 0)
			return p->value;
	return NULL;
}

static int begin(void **state)
{
	(void)state;
	path_count = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	while (path_count > 0)
		unlink(paths[--path_count]);
	config_free();
	buf_free(&why);
	return 0;
}

static const char *file_with(struct str text)
{
	char *path = paths[path_count++];
	int fd;

	snprintf(path, sizeof(paths[0]), "test_config_XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.p, text.n), text.n);
	close(fd);
	return path;
}

static void loads_env(const struct pair *pairs)
{
	env = pairs;
	why.n = 0;
	if (config_load(get, &why) != OK)
		fail_msg(STR_FMT, STR_ARG(buf_view(&why)));
	assert_int_equal(why.n, 0);
}

static void stops_env(const struct pair *pairs, const char *sentence)
{
	env = pairs;
	why.n = 0;
	assert_int_equal(config_load(get, &why), ERR_INVALID_REQUEST);
	buf_char(&why, 0);
	if (!strstr(why.p, sentence))
		fail_msg("said: %s", why.p);
}

#define loads(...) loads_env((const struct pair[]){STORES, __VA_ARGS__, {NULL, NULL}})
#define stops(sentence, ...)                                                                       \
	stops_env((const struct pair[]){STORES, __VA_ARGS__, {NULL, NULL}}, sentence)

static void defaults(void **state)
{
	struct cidr *from;

	(void)state;
	loads({"UNRELATED", "x"});
	assert_true(str_eq(config.listen, STR("127.0.0.1:8080")));
	assert_string_equal(config.database_url.p, "postgresql:///portal");
	assert_int_equal(config.rate_login, 20);
	assert_int_equal(config.max_sessions, 5);
	assert_true(config.local_mode);
	assert_false(config.secure_cookie);
	assert_int_equal(config.secret_key.n, 0);
	assert_int_equal(config.platforms.count, 2);
	assert_string_equal(config.platforms.items[0].p, "discord");
	assert_string_equal(config.platforms.items[1].p, "telegram");
	assert_int_equal(config.proxies.count, 0);
	assert_int_equal(config.metrics_from.count, 2);
	from = config.metrics_from.items;
	assert_int_equal(from[0].bits, 96 + 8);
	assert_int_equal(from[1].bits, 128);
}

static void numbers(void **state)
{
	(void)state;
	loads({"RATE_LIMIT_LOGIN", "0"}, {"CODE_TTL", "3600"});
	assert_int_equal(config.rate_login, 0);
	assert_int_equal(config.code_ttl, 3600);
	stops("RATE_LIMIT_LOGIN must be a number between 0 and 1000000, not \"abc\"",
		{"RATE_LIMIT_LOGIN", "abc"});
	stops("not \"\"", {"RATE_LIMIT_LOGIN", ""});
	stops("not \"1000001\"", {"RATE_LIMIT_LOGIN", "1000001"});
	stops("not \"-1\"", {"RATE_LIMIT_LOGIN", "-1"});
	stops("not \" 5\"", {"RATE_LIMIT_LOGIN", " 5"});
	stops("CODE_TTL must be a number between 10 and 3600, not \"9\"", {"CODE_TTL", "9"});
}

static void words_and_lists(void **state)
{
	(void)state;
	loads({"PLATFORMS", " matrix , discord,,"}, {"LOG_LEVEL", "debug"}, {"LOG_FORMAT", "json"});
	assert_int_equal(config.platforms.count, 2);
	assert_string_equal(config.platforms.items[0].p, "matrix");
	assert_string_equal(config.platforms.items[1].p, "discord");
	loads({"METRICS_ALLOW", ""});
	assert_int_equal(config.metrics_from.count, 0);
	stops("LOG_LEVEL must be debug, info, warn or error, not \"loud\"", {"LOG_LEVEL", "loud"});
	stops("LOG_FORMAT must be json, text or auto", {"LOG_FORMAT", ""});
	stops("COOKIE_SECURE must be true, false or auto", {"COOKIE_SECURE", "yes"});
	stops("TLS_KEY must name", {"TLS_CERT", "/cert.pem"});
	stops("TLS_CERT must name", {"TLS_KEY", "/key.pem"});
	loads({"TLS_CERT", "/cert.pem"}, {"TLS_KEY", "/key.pem"});
	assert_true(config.local_mode);
	stops("PLATFORMS must not be empty", {"PLATFORMS", ""});
	stops("PLATFORMS must name at least one", {"PLATFORMS", " , "});
	stops("PLATFORMS must list names", {"PLATFORMS", "discord,Tele gram"});
	stops("METRICS_ALLOW must list addresses or networks, as 10.0.0.0/8, not \"10/8\"",
		{"METRICS_ALLOW", "::1,10/8"});
	stops("COOKIE_DOMAIN must be a host name", {"COOKIE_DOMAIN", "a.example; Path=/"});
}

static void lengths(void **state)
{
	char text[300];

	(void)state;
	memset(text, 'a', 256);
	text[256] = 0;
	stops("COOKIE_DOMAIN must be at most 255 bytes long", {"COOKIE_DOMAIN", text});
}

static void listens(const char *listen, bool local)
{
	loads({"LISTEN", listen}, {"SECRET_KEY", KEY32});
	assert_int_equal(config.local_mode, local);
	assert_int_equal(config.secure_cookie, !local);
}

static void listen_forms(void **state)
{
	static const char *const bad[] = {"", "8080", ":8080", "localhost:", "example:80",
		"127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:08x",
		"::1:8080", "[::1]", "[127.0.0.1]:80", "unix:", "unix:relative", "1.2.3.4:+80",
		"1.2.3.4:000080"};

	(void)state;
	listens("127.0.0.1:0", true);
	listens("127.9.9.9:8080", true);
	listens("localhost:8080", true);
	assert_true(str_eq(config.listen, STR("127.0.0.1:8080")));
	listens("[::1]:8080", true);
	listens("0.0.0.0:8080", false);
	listens("[::]:65535", false);
	listens("192.168.1.1:80", false);
	listens("unix:/run/portal.sock", false);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		stops("LISTEN must be a numeric address, or localhost, and a port",
			{"LISTEN", bad[i]}, {"SECRET_KEY", KEY32});
}

static void unsafe_starts(void **state)
{
	(void)state;
	stops("SECRET_KEY is required", {"LISTEN", "0.0.0.0:80"});
	stops("SECRET_KEY is required", {"LISTEN", "unix:/run/p"});
	stops("SECRET_KEY is required", {"COOKIE_DOMAIN", ".example.org"});
	stops("SECRET_KEY is required", {"ALLOWED_ORIGINS", "https://example.org"});
	stops("SECRET_KEY is required", {"TRUSTED_PROXIES", "127.0.0.1"});
	stops("SECRET_KEY is required", {"TRUSTED_PROXIES", "none"});
	stops("SECRET_KEY is required", {"PUBLIC_API_KEYS", "a"});
	stops("SECRET_KEY must be at least 32 characters long", {"SECRET_KEY", "abc"});
	stops("SECRET_KEY must be at least 32 characters long", {"LISTEN", "0.0.0.0:80"},
		{"SECRET_KEY", "0123456789abcdef0123456789abcde"});
	stops("TRUSTED_PROXIES must name the proxy", {"SECRET_KEY", KEY32},
		{"ALLOWED_ORIGINS", "https://example.org"});
	stops("TRUSTED_PROXIES must name the proxy", {"SECRET_KEY", KEY32},
		{"PUBLIC_API_KEYS", "a"}, {"LISTEN", "[::1]:80"});
	loads({"SECRET_KEY", KEY32}, {"PUBLIC_API_KEYS", "a"}, {"LISTEN", "0.0.0.0:80"});
	loads({"SECRET_KEY", KEY32}, {"PUBLIC_API_KEYS", "a"}, {"LISTEN", "unix:/run/p"});
	assert_false(config.local_mode);
}

static void proxies(void **state)
{
	(void)state;
	loads({"SECRET_KEY", KEY32}, {"TRUSTED_PROXIES", "none"});
	assert_int_equal(config.proxies.count, 0);
	assert_false(config.local_mode);
	loads({"SECRET_KEY", KEY32}, {"TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8,2001:db8::/32"});
	assert_int_equal(config.proxies.count, 3);
	assert_int_equal(config.proxies.items[2].bits, 32);
	stops("TRUSTED_PROXIES must list addresses or networks", {"SECRET_KEY", KEY32},
		{"TRUSTED_PROXIES", "none,127.0.0.1"});
	stops("not \"proxy.local\"", {"SECRET_KEY", KEY32}, {"TRUSTED_PROXIES", "proxy.local"});
}

static void cookie_secure(void **state)
{
	(void)state;
	loads({"COOKIE_SECURE", "true"});
	assert_true(config.secure_cookie);
	loads({"LISTEN", "0.0.0.0:80"}, {"SECRET_KEY", KEY32}, {"COOKIE_SECURE", "false"});
	assert_false(config.secure_cookie);
}

static void origins(void **state)
{
	static const char *const bad[] = {"example.org", "https://", "https://example.org/",
		"https://example.org/app", "https://Example.org", "ftp://example.org", "*", "null",
		"https://*.example.org", "https://example.org:", "https://example.org:0",
		"https://example.org:65536", "https://a@example.org", "https://example.org?x",
		"https://a b", "https://[::1", "HTTPS://example.org"};

	(void)state;
	loads({"SECRET_KEY", KEY32}, {"TRUSTED_PROXIES", "127.0.0.1"},
		{"ALLOWED_ORIGINS",
			"https://portal.example.org,http://localhost:3000,https://[::1]:8443"});
	assert_int_equal(config.allowed_origins.count, 3);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		stops("ALLOWED_ORIGINS must list origins", {"ALLOWED_ORIGINS", bad[i]});
}

static void stores_are_required(void **state)
{
	(void)state;
	stops_env((const struct pair[]){{"REDIS_URL", "redis://h"}, {NULL, NULL}},
		"DATABASE_URL is required");
	stops_env((const struct pair[]){{"DATABASE_URL", "x"}, {NULL, NULL}},
		"REDIS_URL is required");
	stops_env((const struct pair[]){{"DATABASE_URL", "x"}, {"REDIS_URL", "http://pw@h"},
			  {NULL, NULL}},
		"REDIS_URL must begin with redis:// or unix://");
	assert_null(strstr(why.p, "pw"));
	loads_env((const struct pair[]){{"DATABASE_URL", "x"},
		{"REDIS_URL", "unix://user:word@/run/redis.sock?db=1"}, {NULL, NULL}});
	loads({"REDIS_URL_FILE", NULL}); /* unset */
}

static void reads_a_file(void **state)
{
	const char *path = file_with(STR("# a comment\n\n  RATE_LIMIT_LOGIN = 7 \r\nCODE_TTL=60\n"
					 "SECRET_KEY=" KEY32 "=#x\nLOG_LEVEL=debug"));

	(void)state;
	loads({"PORTAL_CONFIG", path}, {"CODE_TTL", "90"});
	assert_int_equal(config.rate_login, 7);
	assert_int_equal(config.code_ttl, 90); /* the environment wins */
	assert_true(str_eq(config.secret_key, STR(KEY32 "=#x")));
	assert_true(str_eq(config.log_level, STR("debug")));
	loads({"PORTAL_CONFIG", ""});
	assert_int_equal(config.rate_login, 20);
}

static void file_with_faults(void **state)
{
	static const char *const rows[][2] = {
		{"CODE_TTL=60\nRATE_LIMIT=7\n", "RATE_LIMIT is not a setting"},
		{"\n\nrate_limit_login=7", "Line 3 of test_config_"},
		{"LISTEN_FILE=x", "LISTEN_FILE is not"},
		{"PORTAL_CONFIG=x", "PORTAL_CONFIG is not"},
		{"SECRET_KEY_FILES=x", "SECRET_KEY_FILES is not"}, {"CODE_TTL", "Line 1 of"},
		{"CODE_TTL 60", "must read KEY=value"}, {"=60", " is not a setting"},
		{"CODE_TTL=60\nCODE_TTL=70", "sets CODE_TTL a second time"},
		{"CODE_TTL=\"60\"",
			"CODE_TTL must be a number between 10 and 3600, not \"\"60\"\""},
		{"SECRET_KEY=a\nSECRET_KEY_FILE=b", "Set SECRET_KEY or SECRET_KEY_FILE, not both"}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		stops(rows[i][1], {"PORTAL_CONFIG", file_with(str_of(rows[i][0]))});
		unlink(paths[--path_count]);
	}
	stops("PORTAL_CONFIG names ./missing, which cannot be opened: No such file",
		{"PORTAL_CONFIG", "./missing"});
	stops("PORTAL_CONFIG names ., which cannot be read", {"PORTAL_CONFIG", "."});
}

static void secrets_from_files(void **state)
{
	const char *path = file_with(STR(KEY32 " with spaces \r\n"));

	(void)state;
	loads({"SECRET_KEY_FILE", path});
	assert_true(str_eq(config.secret_key, STR(KEY32 " with spaces ")));
	stops("Set SECRET_KEY or SECRET_KEY_FILE, not both", {"SECRET_KEY_FILE", path},
		{"SECRET_KEY", KEY32});
	stops("SECRET_KEY_FILE names ./missing, which cannot be opened",
		{"SECRET_KEY_FILE", "./missing"});
	loads({"LISTEN_FILE", "./missing"}, {"CODE_TTL", "60"}); /* only secrets have files */
	path = file_with(str_make("0123456789abcdef0123456789abcdef\0x", 34));
	stops("SECRET_KEY must not contain a NUL byte", {"SECRET_KEY_FILE", path});
}

static void env_replaces_the_file_of_a_secret(void **state)
{
	const char *path = file_with(STR("SECRET_KEY_FILE=./missing\n"));

	(void)state;
	loads({"PORTAL_CONFIG", path}, {"SECRET_KEY", KEY32});
	assert_true(str_eq(config.secret_key, STR(KEY32)));
}

static void prints(void **state)
{
	struct buf out = {0};

	(void)state;
	loads({"SECRET_KEY", KEY32}, {"PUBLIC_API_KEYS", "hush,hidden"},
		{"TRUSTED_PROXIES", "none"}, {"CODE_TTL", "77"});
	config_print(&out);
	buf_char(&out, 0);
	assert_non_null(
		strstr(out.p, "# Seconds a login code is valid. (default 600)\nCODE_TTL=77\n"));
	assert_non_null(strstr(out.p, "\nSECRET_KEY=********\n"));
	assert_non_null(strstr(out.p, "\nPUBLIC_API_KEYS=********\n"));
	assert_non_null(strstr(out.p, "\nPLATFORMS=discord,telegram\n"));
	assert_non_null(strstr(out.p, "\nCOOKIE_DOMAIN=\n"));
	assert_null(strstr(out.p, KEY32));
	assert_null(strstr(out.p, "hush"));
	assert_null(strstr(out.p, "postgresql:///portal"));

	buf_free(&out);
}

/* What was printed is a settings file that gives the same settings (secrets apart). */
static void printed_text_is_a_file(void **state)
{
	struct buf out = {0}, again = {0};
	const char *path;

	(void)state;
	loads({"CODE_TTL", "77"}, {"METRICS_ALLOW", "::1, 10.0.0.0/8"});
	config_print(&out);
	path = file_with(buf_view(&out));
	loads({"PORTAL_CONFIG", path});
	config_print(&again);
	assert_true(str_eq(buf_view(&out), buf_view(&again)));
	buf_free(&out);
	buf_free(&again);
}

static void prints_after_a_failed_load(void **state)
{
	struct buf out = {0};

	(void)state;
	stops_env((const struct pair[]){{"CODE_TTL", "77"}, {NULL, NULL}},
		"DATABASE_URL is required");
	config_print(&out);
	buf_char(&out, 0);
	assert_non_null(strstr(out.p, "\nCODE_TTL=77\n"));
	assert_non_null(strstr(out.p, "\nSECRET_KEY=\n"));
	buf_free(&out);
}

static void markdown(void **state)
{
	struct buf out = {0};

	(void)state;
	config_print_markdown(&out);
	buf_char(&out, 0);
	assert_non_null(strstr(
		out.p, "\n| `CODE_TTL` | `600` | 10 to 3600 | Seconds a login code is valid. |\n"));
	assert_non_null(strstr(out.p, "\n| `SECRET_KEY` (secret) |  |  | At least 32"));
	buf_free(&out);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {T(defaults), T(numbers), T(words_and_lists), T(lengths),
		T(listen_forms), T(unsafe_starts), T(proxies), T(cookie_secure), T(origins),
		T(stores_are_required), T(reads_a_file), T(file_with_faults), T(secrets_from_files),
		T(env_replaces_the_file_of_a_secret), T(prints), T(printed_text_is_a_file),
		T(prints_after_a_failed_load), T(markdown)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
