/* What type and bounds cannot say: the form of addresses, origins and words, and which settings are
 * safe together (contract 0.2).
 *
 * Owns: nothing; lists it makes live in the memory of config.c.
 * Path: config_check runs the checks in order and stops at the first that refuses. Form comes
 * before what is worked out from it, and what is merely missing comes last.
 * To add a check: a function, and a line in config_check. */
#include "base/config_check.h"

#define SECRET_KEY_MIN 32

struct check {
	struct config *c;
	struct arena *memory;
	struct buf *why;
	bool unix_socket, loopback; /* LISTEN */
};

#define REFUSE(k, ...) CONFIG_REFUSE((k)->why, __VA_ARGS__)

static bool all_of(struct str s, const char *chars)
{
	for (size_t i = 0; i < s.n; i++)
		if (!s.p[i] || !strchr(chars, s.p[i]))
			return false;
	return true;
}

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static bool port_valid(struct str s, int64_t least)
{
	int64_t port;

	return s.n > 0 && s.n <= 5 && all_of(s, DIGITS) && str_to_i64(s, &port) && port >= least &&
	       port <= 65535;
}

/* Splits "host:port" at the last colon that is not inside brackets; port is NULL without one. */
static void host_split(struct str s, struct str *host, struct str *port)
{
	size_t at = s.n;

	*host = s;
	*port = STR_NULL;
	while (at > 0 && s.p[at - 1] != ':' && s.p[at - 1] != ']')
		at--;
	if (at > 0 && s.p[at - 1] == ':') {
		*host = str_make(s.p, at - 1);
		*port = str_from(s, at);
	}
}

static enum err check_listen(struct check *k)
{
	struct str s = k->c->listen, host, port;
	struct addr a;

	if (str_starts(s, STR("unix:/"))) {
		k->unix_socket = true;
		return OK;
	}
	host_split(s, &host, &port);
	if (str_eq(host, STR("localhost"))) {
		host = STR("127.0.0.1");
		k->c->listen =
			arena_printf(k->memory, STR_FMT ":" STR_FMT, STR_ARG(host), STR_ARG(port));
	}
	if (!port_valid(port, 0) || !addr_parse(host, &a) ||
		(str_find(host, ':') >= 0 && host.p[0] != '['))
		return REFUSE(k,
			"LISTEN must be a numeric address, or localhost, and a port, as "
			"127.0.0.1:8080 or "
			"[::]:8080, or unix:/path, not \"%.64s\"",
			s.p);
	k->loopback = addr_is_loopback(&a);
	return OK;
}

static enum err check_tls(struct check *k)
{
	const struct config *c = k->c;

	if (c->tls_cert.n > 0 && c->tls_key.n == 0)
		return REFUSE(k, "TLS_KEY must name the file with the key of the certificate in "
				 "TLS_CERT; for a plain port leave both empty");
	if (c->tls_key.n > 0 && c->tls_cert.n == 0)
		return REFUSE(k, "TLS_CERT must name the file with the certificate of TLS_KEY; for "
				 "a plain port leave both empty");
	return OK;
}

static enum err check_word(struct check *k, const char *name, struct str s,
	const char *const *words, const char *sentence)
{
	for (; *words; words++)
		if (str_eq(s, str_of(*words)))
			return OK;
	return REFUSE(k, "%s must be %s, not \"%.64s\"", name, sentence, s.p);
}

static enum err check_words(struct check *k)
{
	static const char *const secure[] = {"true", "false", "auto", NULL};
	static const char *const level[] = {"debug", "info", "warn", "error", NULL};
	static const char *const format[] = {"json", "text", "auto", NULL};
	enum err e =
		check_word(k, "COOKIE_SECURE", k->c->cookie_secure, secure, "true, false or auto");

	if (!e)
		e = check_word(
			k, "LOG_LEVEL", k->c->log_level, level, "debug, info, warn or error");
	if (!e)
		e = check_word(k, "LOG_FORMAT", k->c->log_format, format, "json, text or auto");
	return e;
}

static bool origin_valid(struct str s)
{
	struct str host, port;

	if (str_starts(s, STR("https://")))
		s = str_from(s, 8);
	else if (str_starts(s, STR("http://")))
		s = str_from(s, 7);
	else
		return false;
	host_split(s, &host, &port);
	if (port.p && !port_valid(port, 1))
		return false;
	if (host.n > 0 && host.p[0] == '[') {
		struct addr a;

		return all_of(host, LOWER DIGITS "[]:.") && addr_parse(host, &a);
	}
	return host.n > 0 && all_of(host, LOWER DIGITS ".-_");
}

static enum err check_names(struct check *k)
{
	const struct str_list *origins = &k->c->allowed_origins, *platforms = &k->c->platforms;

	for (size_t i = 0; i < origins->count; i++)
		if (!origin_valid(origins->items[i]))
			return REFUSE(k,
				"ALLOWED_ORIGINS must list origins as browsers send them, "
				"https://host or https://host:port in lower case without a path, "
				"not "
				"\"%.64s\"",
				origins->items[i].p);
	for (size_t i = 0; i < platforms->count; i++)
		if (platforms->items[i].n > 32 || !all_of(platforms->items[i], LOWER DIGITS "_-"))
			return REFUSE(k,
				"PLATFORMS must list names of at most 32 lower-case letters, "
				"digits, "
				"_ and -, not \"%.64s\"",
				platforms->items[i].p);
	if (platforms->count == 0)
		return REFUSE(k, "PLATFORMS must name at least one platform");
	if (!all_of(k->c->cookie_domain, LOWER UPPER DIGITS ".-"))
		return REFUSE(k,
			"COOKIE_DOMAIN must be a host name, as .example.org, not \"%.64s\"",
			k->c->cookie_domain.p);
	return OK;
}

static enum err check_cidrs(
	struct check *k, const char *name, const struct str_list *from, struct cidr_list *to)
{
	to->items = arena_array(k->memory, struct cidr, from->count);
	for (; to->count < from->count; to->count++)
		if (!cidr_parse(from->items[to->count], &to->items[to->count]))
			return REFUSE(k,
				"%s must list addresses or networks, as 10.0.0.0/8, not \"%.64s\"",
				name, from->items[to->count].p);
	return OK;
}

static enum err check_addresses(struct check *k)
{
	const struct str_list *trusted = &k->c->trusted_proxies;
	enum err e = check_cidrs(k, "METRICS_ALLOW", &k->c->metrics_allow, &k->c->metrics_from);

	if (e || (trusted->count == 1 && str_eq(trusted->items[0], STR("none"))))
		return e;
	return check_cidrs(k, "TRUSTED_PROXIES", trusted, &k->c->proxies);
}

static void work_out(struct check *k)
{
	struct config *c = k->c;

	c->local_mode = k->loopback && c->cookie_domain.n == 0 && c->allowed_origins.count == 0 &&
			c->trusted_proxies.count == 0 && c->public_api_keys.count == 0;
	c->secure_cookie = str_eq(c->cookie_secure, STR("auto"))
				   ? !c->local_mode
				   : str_eq(c->cookie_secure, STR("true"));
}

/* Contract 0.2: what only local mode may leave out. */
static enum err check_safety(struct check *k)
{
	const struct config *c = k->c;

	if (c->secret_key.n > 0 && c->secret_key.n < SECRET_KEY_MIN)
		return REFUSE(k,
			"SECRET_KEY must be at least %d characters long; openssl rand -hex 32 "
			"makes "
			"one",
			SECRET_KEY_MIN);
	if (c->local_mode)
		return OK;
	if (c->secret_key.n == 0)
		return REFUSE(k,
			"SECRET_KEY is required unless LISTEN is on loopback and COOKIE_DOMAIN, "
			"ALLOWED_ORIGINS, TRUSTED_PROXIES and PUBLIC_API_KEYS are empty; openssl "
			"rand -hex 32 makes one");
	if (k->loopback && c->trusted_proxies.count == 0)
		return REFUSE(k,
			"TRUSTED_PROXIES must name the proxy in front of the loopback address in "
			"LISTEN, as 127.0.0.1, or be none when there is no proxy; without it "
			"everyone would count as one address");
	return OK;
}

static enum err check_stores(struct check *k)
{
	const struct config *c = k->c;

	if (c->database_url.n == 0)
		return REFUSE(k, "DATABASE_URL is required: where PostgreSQL is, as "
				 "postgresql://portal@127.0.0.1/portal");
	if (c->redis_url.n == 0)
		return REFUSE(
			k, "REDIS_URL is required: where Redis is, as redis://127.0.0.1:6379/0");
	if (!str_starts(c->redis_url, STR("redis://")) && !str_starts(c->redis_url, STR("unix://")))
		return REFUSE(k, "REDIS_URL must begin with redis:// or unix://");
	return OK;
}

enum err config_check(struct config *c, struct arena *memory, struct buf *why)
{
	struct check k = {.c = c, .memory = memory, .why = why};
	enum err e = check_listen(&k);

	if (!e)
		e = check_tls(&k);
	if (!e)
		e = check_words(&k);
	if (!e)
		e = check_names(&k);
	if (!e)
		e = check_addresses(&k);
	if (e)
		return e;
	work_out(&k);
	e = check_safety(&k);
	return e ? e : check_stores(&k);
}
