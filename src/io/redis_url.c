/* REDIS_URL: redis://[[user]:password@]host[:port][/db] or unix://[[user]:password@]/path[?db=n].
 *
 * Parsed once at start-up into slices of one copy, which the URL owns. A host name is resolved here
 * and never again, because resolving blocks. To add an option: url_query. */
#include "io/redis_private.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define REDIS_PORT 6379

static enum err refuse(struct str *why, const char *sentence)
{
	*why = str_of(sentence);
	return ERR_INVALID_REQUEST;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes in place; the slice shrinks, its text is ours to write. */
static bool decode(struct str *s)
{
	char *out = (char *)(uintptr_t)s->p;
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		int hi, lo;

		if (s->p[i] != '%') {
			out[n++] = s->p[i];
			continue;
		}
		if (i + 2 >= s->n || (hi = hex_digit(s->p[i + 1])) < 0 ||
			(lo = hex_digit(s->p[i + 2])) < 0)
			return false;
		out[n++] = (char)(hi << 4 | lo);
		i += 2;
	}
	s->n = n;
	return true;
}

static bool number(struct str s, int64_t max, int *out)
{
	int64_t n;

	if (!str_to_i64(s, &n) || n < 0 || n > max)
		return false;
	*out = (int)n;
	return true;
}

/* Takes "user:password@" off the front. Nothing before '@' may hold a '/'. */
static bool url_credentials(struct redis_url *u, struct str *rest)
{
	ptrdiff_t slash = str_find(*rest, '/');
	struct str authority = slash < 0 ? *rest : str_make(rest->p, (size_t)slash);
	ptrdiff_t at = str_find(authority, '@');
	struct str who;

	if (at < 0)
		return true;
	who = str_make(rest->p, (size_t)at);
	*rest = str_from(*rest, (size_t)at + 1);
	u->user = str_cut(&who, ':');
	u->password = who;
	if (!u->password.p)
		return false;
	if (u->user.n == 0)
		u->user = STR_NULL;
	return decode(&u->password) && (!u->user.p || decode(&u->user));
}

static bool url_query(struct redis_url *u, struct str query)
{
	while (query.n > 0) {
		struct str value = str_cut(&query, '&');
		struct str key = str_cut(&value, '=');

		if (!str_eq(key, STR("db")) || !number(value, 65535, &u->db))
			return false;
	}
	return true;
}

static enum err url_resolve(struct redis_url *u, struct str host, struct str *why)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	char name[256];

	if (host.n == 0 || host.n >= sizeof(name))
		return refuse(why, "REDIS_URL names no host.");
	memcpy(name, host.p, host.n);
	name[host.n] = 0;
	if (getaddrinfo(name, NULL, &hints, &list) != 0)
		return refuse(why, "The host name in REDIS_URL has no address: check its spelling "
				   "and the name server.");
	for (struct addrinfo *a = list; a && u->addr_count < REDIS_ADDRS; a = a->ai_next)
		if (getnameinfo(a->ai_addr, a->ai_addrlen, u->addrs[u->addr_count],
			    sizeof(u->addrs[0]), NULL, 0, NI_NUMERICHOST) == 0)
			u->addr_count++;
	freeaddrinfo(list);
	return u->addr_count ? OK : refuse(why, "The host name in REDIS_URL has no address.");
}

static enum err url_tcp(struct redis_url *u, struct str rest, struct str *why)
{
	struct str authority = str_cut(&rest, '/'), host;

	if (rest.n > 0 && !number(rest, 65535, &u->db))
		return refuse(why, "REDIS_URL ends in /db, where db is a number.");
	if (str_starts(authority, STR("["))) { /* an IPv6 address */
		authority = str_from(authority, 1);
		host = str_cut(&authority, ']');
		if (!authority.p || (authority.n > 0 && authority.p[0] != ':'))
			return refuse(why, "The address in REDIS_URL lacks its bracket.");
		authority = authority.n > 0 ? str_from(authority, 1) : STR_NULL;
	} else {
		host = str_cut(&authority, ':');
	}
	u->port = REDIS_PORT;
	if (authority.p && !number(authority, 65535, &u->port))
		return refuse(why, "The port in REDIS_URL is no number.");
	return url_resolve(u, host, why);
}

static enum err url_unix(struct redis_url *u, struct str rest, struct str *why)
{
	struct str path = str_cut(&rest, '?');

	if (path.n < 2 || path.p[0] != '/' || path.n > 100)
		return refuse(why, "REDIS_URL lacks the socket's path: unix:///path/to/socket.");
	if (rest.p && !url_query(u, rest))
		return refuse(why, "REDIS_URL of a socket may end in ?db=n only.");
	if (asprintf(&u->path, STR_FMT, STR_ARG(path)) < 0)
		PANIC("out of memory");
	return OK;
}

enum err redis_url_parse(struct redis_url *u, struct str url, struct str *why)
{
	struct str rest;
	bool tcp;
	enum err e;

	*u = (struct redis_url){0};
	u->text = malloc(url.n + 1);
	if (!u->text)
		PANIC("out of memory");
	memcpy(u->text, url.p, url.n);
	rest = str_make(u->text, url.n);
	tcp = str_starts(rest, STR("redis://"));
	if (!tcp && !str_starts(rest, STR("unix://")))
		e = refuse(why, "REDIS_URL must begin with redis:// or unix://.");
	else if (rest = str_from(rest, tcp ? 8 : 7), !url_credentials(u, &rest))
		e = refuse(why, "The user and password in REDIS_URL are malformed: write "
				":password@ or user:password@, percent-encoded.");
	else
		e = tcp ? url_tcp(u, rest, why) : url_unix(u, rest, why);
	if (e)
		redis_url_free(u);
	return e;
}

void redis_url_free(struct redis_url *u)
{
	free(u->path);
	free(u->text);
	*u = (struct redis_url){0};
}

int redis_url_auth(const struct redis_url *u, struct str parts[3])
{
	int n = 0;

	if (!u->password.p)
		return 0;
	parts[n++] = STR("AUTH");
	if (u->user.p)
		parts[n++] = u->user;
	parts[n++] = u->password;
	return n;
}
