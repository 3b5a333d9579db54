/* What the parts of io/pg share: connection parameters, a link (one libpq connection and its place
 * in the loop), results. */
#ifndef IO_PG_PRIVATE_H
#define IO_PG_PRIVATE_H

#include "base/buf.h"
#include "io/pg.h"

#include <libpq-fe.h>

/* ---- pg_url.c ---- */
struct pg_params { /* for PQconnectStartParams; both end with NULL */
	char **keys;
	char **values;
};
/* Resolves host names, blocking: at start-up only. `statement_ms` 0: no statement timeout. */
enum err pg_params_make(
	struct pg_params *p, struct str url, int64_t statement_ms, struct str *why) MUST_CHECK;
void pg_params_free(struct pg_params *p);

/* ---- pg_link.c ---- */
struct pg_link;
struct pg_link_ops {
	void (*up)(struct pg_link *l);
	/* Bytes have come: PQisBusy, PQgetResult. May close the link. */
	void (*input)(struct pg_link *l);
	/* It is closed; may be opened again, later. `why`: the server's words or ours. */
	void (*lost)(struct pg_link *l, const char *why);
	/* All that waited has been written. May be NULL. */
	void (*written)(struct pg_link *l);
};
struct pg_link {
	PGconn *db; /* NULL: closed */
	struct uv_poll_s *poll;
	struct timer attempt;
	const struct pg_link_ops *ops;
	bool up, writing;
};
void pg_link_init(struct pg_link *l, const struct pg_link_ops *ops);
void pg_link_open(struct pg_link *l, const struct pg_params *p);
void pg_link_flush(struct pg_link *l);                 /* may lose it */
void pg_link_fail(struct pg_link *l, const char *why); /* closes, then `lost` */
void pg_link_close(struct pg_link *l);                 /* idempotent, silent */

/* ---- pg_slot.c: a query, from pg_query until its op ends; owns a copy of its parameters ---- */
struct pg_share;
struct pg_slot {
	struct op op;     /* without a task: of one that goes for `members` */
	struct list node; /* waiting to be sent, in flight, or a member */
	struct list members;
	struct pg_share *share; /* counts it as under way */
	const struct pg_stmt *stmt;
	pg_decode *decode;
	void *out;
	int64_t started; /* clock_ms */
	int64_t sent;    /* clock_ns */
	enum err err;
	unsigned plan;   /* of the connection's statement, as it was sent */
	bool prepares;   /* a PREPARE goes before it */
	bool last;       /* a sync comes after it */
	bool again;      /* is to be sent once more */
	bool alone;      /* has a sync of its own */
	bool retried;    /* after an error of its own */
	bool unprepared; /* its PREPARE may have come to nothing */
	bool stale;      /* its prepared statement is of no use, here and very likely elsewhere */
	int n;
	const char **values;
	int *lengths, *formats;
};
struct pg_slot *pg_slot_new(
	const struct pg_stmt *s, const struct pg_args *a, pg_decode *decode, void *out);
/* Takes it off its list, ends the op (and those of its members), frees. */
void pg_slot_end(struct pg_slot *q, enum err e);
bool pg_slot_is_wanted(const struct pg_slot *q); /* still to be sent: it writes, or one waits */
/* Takes one result of the query: decodes, or sets err and perhaps again. */
void pg_slot_result(struct pg_slot *q, PGresult *res);

struct pg_rows {
	PGresult *res;
	const struct pg_stmt *stmt; /* for messages */
	int first, count, column;   /* the part that is a member's; all of it: 0, all, 0 */
};

/* ---- pg_share.c: several that go as one ---- */
void pg_share_start(size_t statements);
void pg_share_stop(void); /* ends those that wait */
void pg_share_add(struct pg_slot *q);
/* At a turn's end: `go` gets what is to be sent now, singles and those that go for several. */
void pg_share_turn(void (*go)(struct pg_slot *q));
/* It is under way no more; its members end with it. For pg_slot_end. */
void pg_share_end(struct pg_slot *q, enum err e);
/* The rows of one that goes for several: each member decodes its own. */
void pg_share_result(struct pg_slot *q, PGresult *res);
/* Its sync has been answered: each member ends, or is handed to `again`. Frees it. */
void pg_share_done(struct pg_slot *q, void (*again)(struct pg_slot *q));

/* ---- pg_args.c: an element of a text array's literal, without the comma ---- */
void pg_array_put(struct buf *b, const char *p, size_t n, bool binary);

/* ---- pg_script.c, pg.c ---- */
void pg_script_abort(void);
const struct pg_params *pg_script_params(void); /* without a statement timeout */

#endif
