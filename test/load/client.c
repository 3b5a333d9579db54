/* What all clients of the process share: where servers are, the buffer that everything is read
 * into, the masks, the counters.
 *
 * Lifetime: client_setup to client_teardown. Sockets: client_sock.c; requests: client_web.c; bytes:
 * client_frame.c. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "client_private.h"

#define READ_SIZE ((size_t)256 << 10)

struct client_stats client_counts;
int64_t client_ack_ms;

static char *read_buffer;
static int64_t read_ns;
static uint64_t seed;

void client_setup(int64_t ack_ms)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	client_ack_ms = ack_ms;
	client_counts = (struct client_stats){0};
	read_buffer = malloc(READ_SIZE);
	if (!read_buffer || getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		PANIC("no memory or no randomness");
	seed |= 1;
	socks_setup();
}

void client_teardown(void)
{
	socks_teardown();
	tls_client_teardown();
	free(read_buffer);
	read_buffer = NULL;
}

struct client_stats client_stats(void)
{
	return client_counts;
}

void client_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *out)
{
	(void)h;
	(void)suggested;
	*out = uv_buf_init(read_buffer, READ_SIZE);
}

void client_read_mark(void)
{
	read_ns = clock_ns();
}

int64_t client_read_ns(void)
{
	return read_ns;
}

/* xorshift64: masks and back-offs need no more. */
uint32_t client_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16);
}

/* ---- where ---- */

/* All of its addresses, up to ADDRS_MAX. */
static bool host_look_up(struct origin *o, const char *host, const char *port, char why[CLIENT_WHY])
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *found = NULL;
	int e = getaddrinfo(host, port, &hints, &found);

	if (e != 0) {
		snprintf(why, CLIENT_WHY, "%.100s: %s", host, gai_strerror(e));
		return false;
	}
	for (struct addrinfo *a = found; a && o->addr_count < ADDRS_MAX; a = a->ai_next)
		memcpy(&o->addrs[o->addr_count++], a->ai_addr, a->ai_addrlen);
	freeaddrinfo(found);
	return true;
}

struct place { /* slices of a URL */
	struct str authority, host, port;
	bool tls;
};

/* host, host:port, [address] or [address]:port */
static bool authority_split(struct place *p)
{
	struct str rest = p->authority;
	bool bracket = rest.n > 0 && rest.p[0] == '[';

	p->host = str_cut(&rest, bracket ? ']' : ':');
	if (bracket) {
		p->host = str_from(p->host, 1);
		if (!rest.p || (rest.n > 0 && rest.p[0] != ':'))
			return false;
		rest = rest.n > 0 ? str_from(rest, 1) : STR_NULL;
	}
	p->port = rest.p ? rest : p->tls ? STR("443") : STR("80");
	for (size_t i = 0; i < p->port.n; i++)
		if (p->port.p[i] < '0' || p->port.p[i] > '9')
			return false;
	return p->host.n > 0 && p->host.n < 256 && p->port.n > 0 && p->port.n < 6;
}

static bool url_split(const char *url, struct place *p)
{
	struct str rest = str_of(url);

	p->tls = str_starts(rest, STR("https://"));
	if (!p->tls && !str_starts(rest, STR("http://")))
		return false;
	rest = str_from(rest, p->tls ? 8 : 7);
	p->authority = str_cut(&rest, '/');
	return rest.n == 0 && authority_split(p); /* no path behind it */
}

struct origin *origin_new(const char *url, char why[CLIENT_WHY])
{
	struct origin *o;
	struct place p;
	char name[256], number[8];

	if (!url_split(url, &p)) {
		snprintf(why, CLIENT_WHY,
			"%.100s: http://host[:port] or https://host[:port] is wanted, without a "
			"path",
			url);
		return NULL;
	}
	snprintf(name, sizeof(name), STR_FMT, STR_ARG(p.host));
	snprintf(number, sizeof(number), STR_FMT, STR_ARG(p.port));
	o = calloc(1, sizeof(*o));
	if (!o)
		PANIC("no memory");
	o->url = strdup(url);
	o->host = strndup(p.authority.p, p.authority.n);
	if (!o->url || !o->host)
		PANIC("no memory");
	if (host_look_up(o, name, number, why)) {
		o->tls = p.tls ? tls_origin_new(name, why) : NULL;
		if (o->tls || !p.tls)
			return o;
	}
	origin_free(o);
	return NULL;
}

void origin_free(struct origin *o)
{
	tls_origin_free(o->tls);
	free(o->url);
	free(o->host);
	free(o);
}

const char *origin_url(const struct origin *o)
{
	return o->url;
}

bool origin_is_tls(const struct origin *o)
{
	return o->tls != NULL;
}

const struct sockaddr *origin_addr(const struct origin *o)
{
	return (const struct sockaddr *)&o->addrs[o->at];
}

bool origin_next(struct origin *o)
{
	if (o->at + 1 == o->addr_count)
		return false;
	o->at++;
	return true;
}
