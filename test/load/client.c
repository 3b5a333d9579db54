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
#define WHY_SIZE  200

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

static bool host_look_up(struct origin *o, const char *host, const char *port, char why[WHY_SIZE])
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *found = NULL;
	int e = getaddrinfo(host, port, &hints, &found);

	if (e != 0) {
		snprintf(why, WHY_SIZE, "%.100s: %s", host, gai_strerror(e));
		return false;
	}
	memcpy(&o->addr, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return true;
}

struct origin *origin_new(const char *url, char why[WHY_SIZE])
{
	struct str rest = str_of(url), host, port = STR("80");
	char name[256], number[8];
	struct origin *o;
	size_t n;

	if (!str_starts(rest, STR("http://"))) {
		snprintf(why, WHY_SIZE, "%.100s: http://host[:port] is wanted", url);
		return NULL;
	}
	rest = str_from(rest, 7);
	host = str_cut(&rest, '/');
	n = host.n;
	while (n > 0 && host.p[n - 1] >= '0' && host.p[n - 1] <= '9')
		n--;
	rest = host;
	if (n > 0 && host.p[n - 1] == ':') {
		port = str_from(host, n);
		host.n = n - 1;
	}
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = str_make(host.p + 1, host.n - 2);
	if (host.n == 0 || host.n >= sizeof(name) || port.n == 0 || port.n >= sizeof(number)) {
		snprintf(why, WHY_SIZE, "%.100s: no host and port", url);
		return NULL;
	}
	snprintf(name, sizeof(name), STR_FMT, STR_ARG(host));
	snprintf(number, sizeof(number), STR_FMT, STR_ARG(port));
	o = calloc(1, sizeof(*o));
	if (!o)
		PANIC("no memory");
	if (!host_look_up(o, name, number, why)) {
		free(o);
		return NULL;
	}
	o->url = strdup(url);
	o->host = strndup(rest.p, rest.n);
	if (!o->url || !o->host)
		PANIC("no memory");
	return o;
}

void origin_free(struct origin *o)
{
	free(o->url);
	free(o->host);
	free(o);
}

const char *origin_url(const struct origin *o)
{
	return o->url;
}
