/* Clients of a load run: HTTP/1.1, WebSocket and Socket.IO, thousands of them in one process and
 * thread, on the loop of io/loop.h: loop_init, client_setup, …, loop_run, client_teardown,
 * loop_close.
 *
 * Nothing here calls back before it returns. What a turn writes to a connection leaves in one
 * system call at its end. A slice handed to a callback points into the bytes received and lives
 * until the callback returns. An idle socket costs about 400 bytes here and holds no buffer.
 *
 * These clients trust the server as a test's own: they look for 101, not for Sec-WebSocket-Accept;
 * text is not checked for UTF-8; a fragmented message, or one above CLIENT_MESSAGE_MAX, ends the
 * connection. No compression, no polling. */
#ifndef LOAD_CLIENT_H
#define LOAD_CLIENT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define CLIENT_WHY         320                /* room for a sentence to the operator */
#define CLIENT_MESSAGE_MAX ((size_t)16 << 20) /* bytes of a WebSocket message or an HTTP body */

/* Lifts the descriptor limit to its hard bound. ack_ms: how long sock_ask waits for an answer. */
void client_setup(int64_t ack_ms);
void client_teardown(void); /* when every web and sock was freed and the loop has run empty */

struct client_stats {
	uint64_t bytes_in, bytes_out, reads, writes; /* system calls on sockets (not web) */
	uint64_t messages_in, messages_out;          /* WebSocket messages */
	uint64_t connects, failed;    /* handshakes that were completed, that were not */
	uint64_t late_acks;           /* came after their time */
	uint64_t handshakes, resumed; /* of TLS: all, and those by a ticket of an earlier one */
};
struct client_stats client_stats(void);
/* clock_ns() when the bytes at hand were read: one look at the clock a read. */
int64_t client_read_ns(void);

/* ---- where ---- */

struct origin;
/* "http[s]://host[:port]" without a path; ports are 80 and 443 otherwise. The name is looked up
 * here, once, and blocks. NULL and a sentence in `why` on failure. Outlives whatever uses it. */
struct origin *origin_new(const char *url, char why[CLIENT_WHY]);
void origin_free(struct origin *o);
const char *origin_url(const struct origin *o);
bool origin_is_tls(const struct origin *o);
/* A name may stand for several addresses: connections go to the next one from now on. False: that
 * was the last. */
bool origin_next(struct origin *o);
/* Whom https origins may be certified by: the authorities of a PEM file, NULL: those of this
 * system; or (insecure) nobody, and any certificate will do. Before the first https origin, which
 * trusts the system otherwise; after secret_setup. False and a sentence on failure. */
bool client_trust(const char *ca, bool insecure, char why[CLIENT_WHY]);

/* ---- HTTP requests ---- */

struct web; /* up to n keep-alive connections to an origin, and the requests that wait for one */
struct web_answer {
	int status;       /* 0: none; refused, lost or too late */
	struct str head;  /* header lines as sent, each with its CRLF */
	struct str body;  /* decoded */
	const char *why;  /* status 0: for people */
	int64_t asked_ns; /* when web_ask was called */
	int64_t sent_ns;  /* when its bytes were given to the kernel, or would have been */
};
typedef void web_fn(void *arg, const struct web_answer *a);

struct web *web_new(const struct origin *o, unsigned connections, int64_t timeout_ms);
void web_free(struct web *w); /* requests under way end with status 0, from within */
/* `headers`: complete lines ("Name: value\r\n…") or empty. A body is sent as application/json. */
void web_ask(struct web *w, const char *method, struct str path, struct str headers,
	struct str body, web_fn *fn, void *arg);
struct str web_header(const struct web_answer *a, const char *name); /* the first; NULL p: absent */
struct str web_cookie(const struct web_answer *a, const char *name); /* that it sets; the same */

/* ---- sockets ---- */

struct sock;
struct sock_ops {
	/* The handshake is done: of WebSocket (raw), or the namespace's CONNECT is answered. Again
	 * after each reconnect. */
	void (*opened)(struct sock *s);
	/* An event: its name, and its arguments as JSON values with commas between them ("" when
	 * there are none). ack_id >= 0: the server wants sock_answer. */
	void (*event)(struct sock *s, struct str name, struct str args, int64_t ack_id);
	/* raw sockets: a message */
	void (*message)(struct sock *s, struct str data, bool binary);
	/* An open connection ended, or (again false) the server refused, or there is no back-off.
	 * again: it will be tried again, `opened` follows some time. Acks that were waited for have
	 * been told. `why` is for people. May be NULL, as may those above. */
	void (*closed)(struct sock *s, struct str why, bool again);
	/* Called at each handshake; append header lines; the CONNECT packet's JSON. May be NULL. */
	void (*headers)(struct sock *s, struct buf *b);
	void (*auth)(struct sock *s, struct buf *json);
};
/* Shared by many sockets; outlives them. */
struct sock_options {
	const struct sock_ops *ops;
	struct origin *const *origins; /* the next is tried when one does not answer */
	size_t origin_count;
	bool raw;         /* WebSocket messages; else Socket.IO 5 over Engine.IO 4 */
	const char *path; /* NULL: "/" (raw), "/socket.io/?EIO=4&transport=websocket" */
	const char *nsp;  /* NULL: "/" */
	int64_t retry_ms, retry_max_ms; /* first wait, doubled up to the other, half of it by
					   chance; 0: a lost connection is not made again */
};

/* Connects from the next turn on, first to origins[origin % origin_count]. */
struct sock *sock_new(const struct sock_options *o, size_t origin, void *data);
void sock_free(struct sock *s); /* ends the connection; no op is called any more */
void *sock_data(const struct sock *s);
size_t sock_origin(const struct sock *s); /* index of where it is, or tries */
bool sock_is_open(const struct sock *s);
size_t sock_queued(const struct sock *s); /* bytes that wait for the kernel */
/* Cuts the TCP connection (RST) as a network would; `closed` follows, and the back-off. It waits
 * `wait_ms` instead of the first back-off; < 0: the back-off. */
void sock_cut(struct sock *s, int64_t wait_ms);
/* What a server:restarting says: the first wait after the next loss. */
void sock_wait(struct sock *s, int64_t wait_ms);

/* The following do nothing on a socket that is not open. `args`: as in `event`. */
void sock_emit(struct sock *s, struct str name, struct str args);
/* `answer`: the ack's arguments; NULL p: none came in time, or the connection ended. Called exactly
 * once, also by sock_free; sent_ns is when sock_ask was called. On a socket that is not open: at
 * once, from the ready queue. */
typedef void sock_ack_fn(struct sock *s, void *arg, struct str answer, int64_t sent_ns);
void sock_ask(struct sock *s, struct str name, struct str args, sock_ack_fn *fn, void *arg);
void sock_answer(struct sock *s, int64_t ack_id, struct str args);
void sock_send(struct sock *s, struct str data, bool binary); /* raw */

/* Encode once, send often: sock_encode appends a whole masked frame, sock_write sends such bytes.
 */
void sock_encode(struct buf *b, struct str data, bool binary);
void sock_encode_event(struct buf *b, const char *nsp, struct str name, struct str args);
void sock_write(struct sock *s, struct str frames);

/* ---- values of raw JSON, without a tree ---- */

/* The value of a key of the outermost object, as it stands there; NULL p when absent or no object.
 * The text must be valid JSON. Keys with escapes are not found. */
struct str slice_get(struct str object, const char *key);
struct str slice_text(struct str value); /* a string without its quotes, escapes as they are */
int64_t slice_i64(struct str value, int64_t otherwise); /* an integer, or what is given */
/* Takes the next value off "a,b,c" (arguments, or the inside of an array): false when none is left.
 */
bool slice_next(struct str *rest, struct str *value);
struct str slice_inside(struct str array); /* what stands between [ and ]; NULL p when no array */
/* The same over the members of an object: begin with *rest = the object, braces and all. */
bool slice_member(struct str *rest, struct str *key, struct str *value);

#endif
