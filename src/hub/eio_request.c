/* Engine.IO requests: what a query asks for, handshakes, and errors.
 *
 *   eio_request -> request_check -> (no sid)  handshake: eio_new -> poll_get or ws_open -> opened
 *                                -> (sid)     poll_get, poll_post, poll_upgrade
 *                                -> eio_refuse
 *
 * The order of checks, the numbers and the sentences are the reference server's. Lifetime: nothing
 * here outlives a call. To add an error: enum eio_error and sentences. */
#include "hub/eio_private.h"

#include "base/json.h"

struct query {
	struct str version, transport, sid;
};

static struct query query_read(struct str rest)
{
	struct query q = {0};
	struct str name, value;

	while (query_next(&rest, &name, &value)) {
		if (str_eq(name, STR("EIO")))
			q.version = value;
		else if (str_eq(name, STR("transport")))
			q.transport = value;
		else if (str_eq(name, STR("sid")))
			q.sid = value;
	}
	return q;
}

bool eio_is_handshake(const struct http_request *r)
{
	return query_read(r->query).sid.n == 0;
}

/* ---- answers ---- */

static const struct str sentences[] = {
	[EIO_UNKNOWN_TRANSPORT] = STR("Transport unknown"),
	[EIO_UNKNOWN_SID] = STR("Session ID unknown"),
	[EIO_BAD_METHOD] = STR("Bad handshake method"),
	[EIO_BAD_REQUEST] = STR("Bad request"),
	[EIO_FORBIDDEN] = STR("Forbidden"),
	[EIO_BAD_VERSION] = STR("Unsupported protocol version"),
};

void eio_headers(struct buf *b, const struct http_request *r, const char *type)
{
	if (eio_handler->headers)
		eio_handler->headers(r, b);
	http_put_header(b, "Content-Type", str_of(type));
	http_put_header(b, "Cache-Control", STR("no-store"));
}

void eio_answer(struct exchange *x, const struct http_request *r, int status, const char *type,
	struct str body)
{
	struct buf headers = {0};

	eio_headers(&headers, r, type);
	if (status == 426)
		buf_str(&headers, ws_version_header);
	http_reply(x, status, buf_view(&headers), body, false);
	buf_free(&headers);
}

static void refuse(struct exchange *x, const struct http_request *r, int status, enum eio_error e,
	struct str message)
{
	struct buf body = {0};
	struct json_out j;

	json_out_init(&j, &body);
	json_obj(&j);
	json_ki64(&j, "code", e);
	json_kstr(&j, "message", message.p ? message : sentences[e]);
	json_end(&j);
	eio_answer(x, r, status, "application/json", buf_view(&body));
	buf_free(&body);
}

void eio_refuse(
	struct exchange *x, const struct http_request *r, enum eio_error e, struct str message)
{
	refuse(x, r, e == EIO_FORBIDDEN ? 403 : 400, e, message);
}

/* ---- handshakes ---- */

static void open_packet(const struct eio *e, struct buf *out)
{
	char sid[EIO_SID_TEXT];

	eio_sid(e, sid);
	eio_put_open(out, &(struct eio_open){.sid = {sid, sizeof(sid)},
				  .can_upgrade = eio_is_polling(e),
				  .ping_interval = eio_settings->ping_interval,
				  .ping_timeout = eio_settings->ping_timeout,
				  .max_payload = eio_settings->max_payload});
}

static void handshake(
	struct exchange *x, const struct http_request *r, const struct ws_handshake *hs)
{
	const struct addr peer = *conn_peer(exchange_conn(x));
	struct buf open = {0};
	struct eio *e = eio_new();

	if (hs) {
		eio_take_ws(e, ws_open(x, hs, NULL, eio_settings->max_payload, NULL));
		open_packet(e, &open);
		ws_send_text(e->ws, buf_view(&open));
	} else {
		poll_open(e);
		open_packet(e, &open);
		poll_send(e, buf_view(&open));
		poll_get(e, x, r);
	}
	buf_free(&open);
	eio_handler->opened(e, r, &peer);
}

static void handshake_check(
	struct exchange *x, const struct http_request *r, const struct query *q, bool websocket)
{
	struct ws_handshake hs;
	enum ws_check check = websocket ? ws_check(r, &hs) : WS_CHECK_OK;

	if (r->method != HTTP_GET)
		eio_refuse(x, r, EIO_BAD_METHOD, STR_NULL);
	else if (check != WS_CHECK_OK)
		refuse(x, r, check == WS_CHECK_VERSION ? 426 : 400, EIO_BAD_REQUEST, STR_NULL);
	else if (!str_eq(q->version, STR("4")))
		eio_refuse(x, r, EIO_BAD_VERSION, STR_NULL);
	else if (eio_settings->max_sessions > 0 && eio_counts.open >= eio_settings->max_sessions)
		eio_refuse(x, r, EIO_FORBIDDEN, STR("Too many sessions"));
	else
		handshake(x, r, websocket ? &hs : NULL);
}

/* ---- requests of a session ---- */

static void session_upgrade(struct exchange *x, const struct http_request *r, struct eio *e)
{
	struct ws_handshake hs;
	enum ws_check check = ws_check(r, &hs);

	if (check != WS_CHECK_OK)
		refuse(x, r, check == WS_CHECK_VERSION ? 426 : 400, EIO_BAD_REQUEST, STR_NULL);
	else
		poll_upgrade(e, x, &hs);
}

static void session_request(
	struct exchange *x, const struct http_request *r, const struct query *q, bool websocket)
{
	struct eio *e = eio_by_sid(q->sid);

	if (!e)
		eio_refuse(x, r, EIO_UNKNOWN_SID, STR_NULL);
	else if (!str_eq(q->version, STR("4")))
		eio_refuse(x, r, EIO_BAD_REQUEST, STR_NULL);
	else if (websocket)
		session_upgrade(x, r, e);
	else if (!e->poll)
		eio_refuse(x, r, EIO_BAD_REQUEST, STR_NULL); /* its transport is another */
	else if (r->method == HTTP_GET)
		poll_get(e, x, r);
	else if (r->method == HTTP_POST)
		poll_post(e, x, r);
	else
		eio_refuse(x, r, EIO_BAD_REQUEST, STR_NULL);
}

void eio_request(struct exchange *x, const struct http_request *r)
{
	struct query q = query_read(r->query);
	bool websocket = str_eq(q.transport, STR("websocket"));

	if (!websocket && !str_eq(q.transport, STR("polling")))
		eio_refuse(x, r, EIO_UNKNOWN_TRANSPORT, STR_NULL);
	else if (q.sid.n > 0)
		session_request(x, r, &q, websocket);
	else
		handshake_check(x, r, &q, websocket);
}
