/* DATABASE_URL: from what libpq takes to what PQconnectStartParams gets.
 *
 * The user's parameters are kept, host names are resolved here (once, because it blocks) and given
 * as hostaddr, which libpq does not resolve; ours are put behind them, where they win. `host`
 * stays: TLS checks it. A name with several addresses becomes several hosts, tried in turn.
 *
 * To add a parameter of ours: pg_params_make. */
#include "io/pg_private.h"

#include "base/buf.h"

#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>

#define OWN_PARAMS 8

struct hosts {
	struct buf host, addr, port; /* comma separated, an entry an address */
	size_t n;
	bool named; /* `addr` has an entry */
};

static void hosts_add(struct hosts *h, struct str host, const char *addr, struct str port)
{
	if (h->n++ > 0) {
		buf_char(&h->host, ',');
		buf_char(&h->addr, ',');
		buf_char(&h->port, ',');
	}
	buf_str(&h->host, host);
	buf_str(&h->addr, str_of(addr));
	buf_str(&h->port, port);
	h->named |= *addr != 0;
}

static bool hosts_resolve(struct hosts *h, struct str host, struct str port)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	char name[256], addr[64];

	if (host.n == 0 || host.p[0] == '/' || host.p[0] == '@') { /* a Unix socket */
		hosts_add(h, host, "", port);
		return true;
	}
	if (host.n >= sizeof(name))
		return false;
	memcpy(name, host.p, host.n);
	name[host.n] = 0;
	if (getaddrinfo(name, NULL, &hints, &list) != 0)
		return false;
	for (struct addrinfo *a = list; a; a = a->ai_next)
		if (getnameinfo(a->ai_addr, a->ai_addrlen, addr, sizeof(addr), NULL, 0,
			    NI_NUMERICHOST) == 0)
			hosts_add(h, host, addr, port);
	freeaddrinfo(list);
	return true;
}

/* `port` is one for all or one a host. */
static bool hosts_fill(struct hosts *h, struct str host, struct str port)
{
	bool one = str_find(port, ',') < 0;

	do {
		struct str this_host = str_cut(&host, ',');

		if (!hosts_resolve(h, this_host, one ? port : str_cut(&port, ',')))
			return false;
	} while (host.p);
	return true;
}

static char *copy(struct str s)
{
	char *z = malloc(s.n + 1);

	if (!z)
		PANIC("out of memory");
	if (s.n > 0)
		memcpy(z, s.p, s.n);
	z[s.n] = 0;
	return z;
}

static void param(struct pg_params *p, const char *key, struct str value)
{
	size_t i = 0;

	while (p->keys[i])
		i++;
	p->keys[i] = copy(str_of(key));
	p->values[i] = copy(value);
}

static const char *option(const PQconninfoOption *o, const char *key)
{
	for (; o->keyword; o++)
		if (strcmp(o->keyword, key) == 0)
			return o->val;
	return NULL;
}

static bool params_hosts(struct pg_params *p, const PQconninfoOption *o)
{
	const char *host = option(o, "host"), *port = option(o, "port");
	struct hosts h = {0};
	bool ok;

	if (!host)
		host = getenv("PGHOST"); /* as libpq would, but then it would resolve */
	if (!host || option(o, "hostaddr"))
		return true;
	ok = hosts_fill(&h, str_of(host), str_of(port ? port : ""));
	if (ok && h.named) {
		param(p, "host", buf_view(&h.host));
		param(p, "hostaddr", buf_view(&h.addr));
		param(p, "port", buf_view(&h.port));
	}
	buf_free(&h.host);
	buf_free(&h.addr);
	buf_free(&h.port);
	return ok;
}

static void params_options(struct pg_params *p, const PQconninfoOption *o, int64_t statement_ms)
{
	const char *given = option(o, "options");
	struct buf b = {0};

	/* To compile a plan or to start helpers takes longer than any of our statements; it would
	 * block those behind. */
	buf_printf(&b,
		"%s -c TimeZone=UTC -c jit=off -c max_parallel_workers_per_gather=0"
		" -c statement_timeout=%lld",
		given ? given : "", (long long)statement_ms);
	param(p, "options", buf_view(&b));
	buf_free(&b);
}

enum err pg_params_make(struct pg_params *p, struct str url, int64_t statement_ms, struct str *why)
{
	char *text = copy(url), *message = NULL;
	PQconninfoOption *o = PQconninfoParse(text, &message);
	size_t n = 0;
	bool ok;

	free(text);
	PQfreemem(message); /* may quote the password */
	if (!o) {
		*why = STR("DATABASE_URL is malformed: write postgresql://user:password@host/name "
			   "or key=value pairs.");
		return ERR_INVALID_REQUEST;
	}
	while (o[n].keyword)
		n++;
	p->keys = calloc(n + OWN_PARAMS, sizeof(*p->keys));
	p->values = calloc(n + OWN_PARAMS, sizeof(*p->values));
	if (!p->keys || !p->values)
		PANIC("out of memory");
	param(p, "gssencmode", STR("disable")); /* looks for a key server, blocking */
	for (size_t i = 0; i < n; i++)
		if (o[i].val)
			param(p, o[i].keyword, str_of(o[i].val));
	param(p, "application_name", STR("portald"));
	param(p, "client_encoding", STR("UTF8"));
	params_options(p, o, statement_ms);
	ok = params_hosts(p, o);
	PQconninfoFree(o);
	if (ok)
		return OK;
	pg_params_free(p);
	*why = STR("The host name in DATABASE_URL has no address: check its spelling and the name "
		   "server.");
	return ERR_INVALID_REQUEST;
}

void pg_params_free(struct pg_params *p)
{
	for (size_t i = 0; p->keys && p->keys[i]; i++) {
		free(p->keys[i]);
		free(p->values[i]);
	}
	free(p->keys);
	free(p->values);
	*p = (struct pg_params){0};
}
