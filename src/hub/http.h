/* An HTTP/1.1 server on io/conn and wire/http: connections to requests, replies to bytes. It knows
 * no route and nothing of Portal.
 *
 * One request of a connection is served at a time, in order; pipelined ones wait. Timeouts: headers
 * 10 s from the first byte (and from the accept), body 20 s, idle keep-alive 75 s (config). Expect:
 * 100-continue is answered when the head is complete. HEAD is served as GET with the body left out.
 * A peer that has closed its sending side still gets the reply to what it had sent.
 *
 * Lifetime: an exchange lives from `request` until http_reply (which ends it) or until `gone`. */
#ifndef HUB_HTTP_H
#define HUB_HTTP_H

#include "io/conn.h"
#include "wire/http.h"

struct exchange; /* one request waiting for its reply */

struct http_handler {
	/* A request is complete. `r` and its slices live until this returns: copy what stays. */
	void (*request)(struct exchange *x, const struct http_request *r);
	/* The client left before the reply; x is dead after this. */
	void (*gone)(struct exchange *x);
	/* A request that cannot be parsed or took too long (e: INVALID_REQUEST, TOO_LARGE,
	 * HEADERS_TOO_LARGE, REQUEST_TIMEOUT): append a whole response's headers and body to
	 * `head` / `body` as http_reply takes them. The connection is closed after it. */
	void (*broken)(enum err e, const struct addr *peer, struct buf *head, struct buf *body);
};

void http_serve(const struct http_handler *h); /* once, before the first listener */
/* The largest body that any request may have; HTTP_BODY_MAX unless told, before the first listener.
 * Who allows some requests more than others raises it and refuses the others' itself. With the head
 * it must stay under what a connection keeps, 1 MiB. */
void http_body_max(size_t max);
extern const struct conn_ops http_conn_ops; /* for listener_open */

void exchange_set_data(struct exchange *x, void *data);
void *exchange_data(const struct exchange *x);
struct conn *exchange_conn(const struct exchange *x);
/* The reply will be long in coming: from now on `gone` is called in place of the handler's, and a
 * peer that closes only its sending side has left too. */
void exchange_watch(struct exchange *x, void (*gone)(struct exchange *x));

/* Sends status + `headers` (ready "Name: value\r\n" lines, may be empty) + Content-Length + body,
 * and ends the exchange. `close`: the connection ends after it. */
void http_reply(struct exchange *x, int status, struct str headers, struct str body, bool close);
/* Upgrade: sends 101 with the headers, gives the connection to the caller (conn_set_ops) and ends
 * the exchange; bytes behind the request go to the new owner's input. */
struct conn *http_hijack(struct exchange *x, struct str headers);

/* Draining: idle connections close, busy ones (with a request that has begun to arrive) after their
 * reply; new requests on kept connections are answered with Connection: close. */
void http_drain(void);
bool http_drained(void); /* since http_drain every connection has had its reply or has gone */
size_t http_busy(void);  /* exchanges waiting for a reply */

#endif
