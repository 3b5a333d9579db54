/* The server's side of hub/sio: requests under /socket.io/, visitors, live sockets, the end.
 *
 *   sockets_request -> origin, handshakes of the address -> eio_request
 *   hub/sio: opened (visitor) -> connect (socket_connect.c) -> event (event.c) -> disconnected
 *            the same for "/bot": bot_sockets.c
 *   once a minute: session still live? -> socket_end;  its end told by the bus: hub/room does it
 *
 * Owns: the settings of hub/sio, the counter of handshakes.
 * To add a namespace: `namespaces`, and a case in each function of `handler`. */
#include "api/bot_socket.h"
#include "api/cors.h"
#include "api/serve.h"
#include "api/socket.h"
#include "base/clock.h"
#include "base/config.h"
#include "rules/window.h"

#include <stdlib.h>
#ifdef PORTAL_FAULTS
#include <stdio.h>
#endif

#define PATH            "/socket.io/"
#define SOFT_BYTES      (1u << 20)
#define HARD_BYTES      (4u << 20)
#define SLOW_MS         10000
#define CONNECT_MS      10000
#define HANDSHAKE_S     60
#define RETRY_MS        500
#define RETRY_SPREAD_MS 4000

static const struct str namespaces[] = {STR("/"), STR("/bot")};
static struct sio_settings settings;
static struct window handshakes;
static bool stopping;

bool sockets_path(struct str path)
{
	return str_starts(path, STR(PATH));
}

/* ---- requests ---- */

/* In this process; all processes together count at CONNECT. */
static bool handshake_over(const struct exchange *x, const struct http_request *r)
{
	struct addr addr;
	char key[ADDR_TEXT];
	size_t n;

	if (config.rate_handshake == 0 || !eio_is_handshake(r))
		return false;
	client_address(conn_peer(exchange_conn(x)), r, &addr);
	n = addr_bind_key(&addr, key);
	return window_count(&handshakes, str_hash(str_make(key, n)), config.rate_handshake,
		HANDSHAKE_S, clock_ms() / 1000)
		.over;
}

void sockets_request(struct exchange *x, const struct http_request *r)
{
	if (stopping)
		eio_refuse(x, r, EIO_BAD_REQUEST, STR("Stopping"));
	else if (origin_foreign(conn_peer(exchange_conn(x)), r))
		eio_refuse(x, r, EIO_FORBIDDEN, STR("Origin not allowed"));
	else if (handshake_over(x, r))
		eio_refuse(x, r, EIO_BAD_REQUEST, STR("Too many requests"));
	else
		eio_request(x, r);
}

static void on_headers(const struct http_request *r, struct buf *headers)
{
	cors_headers(headers, cors_listed(r));
}

static void on_opened(void *extra, const struct http_request *r, const struct addr *peer)
{
	struct visitor *v = extra;
	struct str token = http_cookie(r, STR("psession"));

	client_address(peer, r, &v->addr);
	v->has_cookie = token.n > 0;
	v->has_token = token_formed(token);
	if (v->has_token)
		secret_hash(token, v->token_hash);
	visitor_key(v, r->api_key);
#ifdef PORTAL_FAULTS
	snprintf(v->fault, sizeof(v->fault), STR_FMT, STR_ARG(http_header(r, FAULT_HEADER)));
#endif
}

static void on_closed(void *extra)
{
	struct visitor *v = extra;

	free(v->key_hash);
}

/* ---- sockets ---- */

static bool is_bot(sio_id id)
{
	return str_eq(sio_namespace(id), STR("/bot"));
}

static void on_connect(sio_id id, struct str nsp, struct str auth)
{
	if (is_bot(id))
		bot_connect(id, auth);
	else
		socket_connect(id, nsp, auth);
}

static void on_event(sio_id id, const struct sio_event *e)
{
	if (is_bot(id))
		bot_event(sio_data(id), e);
	else
		event_serve(sio_data(id), e);
}

static void on_disconnected(sio_id id, void *data, enum eio_reason why)
{
	(void)id, (void)why;
	if (!bot_gone(data))
		socket_gone(data);
}

void socket_end(struct socket *s, struct str reason)
{
	struct buf data = {0};
	struct str arg;

	buf_printf(&data, "{\"reason\":\"" STR_FMT "\"}", STR_ARG(reason));
	arg = buf_view(&data);
	sio_emit(s->id, STR("session:ended"), &(struct sio_body){.args = &arg, .n = 1});
	sio_disconnect(s->id, true);
	buf_free(&data);
}

/* ---- start and end ---- */

void sockets_setup(void)
{
	static const struct sio_handler handler = {.opened = on_opened,
		.closed = on_closed,
		.connect = on_connect,
		.event = on_event,
		.disconnected = on_disconnected,
		.headers = on_headers};

	settings = (struct sio_settings){.eio = {.ping_interval = config.ping_interval,
						 .ping_timeout = config.ping_timeout,
						 .max_payload = (uint32_t)config.max_payload,
						 .soft = SOFT_BYTES,
						 .hard = HARD_BYTES,
						 .slow_ms = SLOW_MS,
						 .extra = sizeof(struct visitor)},
		.connect_timeout = CONNECT_MS,
		.namespaces = namespaces,
		.namespace_count = sizeof(namespaces) / sizeof(*namespaces)};
	sio_serve(&settings, &handler);
	bots_setup();
}

/* Each is told another time, so that they do not come back in step. */
static struct str restart_data(struct buf *data)
{
	data->n = 0;
	buf_printf(data, "{\"retry_ms\":%u}", RETRY_MS + secret_below(RETRY_SPREAD_MS));
	return buf_view(data);
}

static void tell_restart(struct live *l, void *arg)
{
	live_emit(l, "server:restarting", restart_data(arg));
}

static void tell_bot_restart(sio_id id, void *arg)
{
	struct str data = restart_data(arg);

	sio_emit(id, STR("server:restarting"), &(struct sio_body){.args = &data, .n = 1});
}

void sockets_drain(void)
{
	struct buf data = {0};

	stopping = true;
	everyone_each(tell_restart, &data);
	bots_each(tell_bot_restart, &data);
	bots_stop();
	buf_free(&data);
	sio_close_all();
}

void sockets_teardown(void)
{
	sio_teardown();
}
