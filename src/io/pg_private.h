/* What the parts of io/pg share: connection parameters, a link (one libpq connection and its place
 * in the loop), results. */
#ifndef IO_PG_PRIVATE_H
#define IO_PG_PRIVATE_H

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
struct pg_slot {
	struct op op;
	struct list node; /* waiting to be sent, or in flight */
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
void pg_slot_end(struct pg_slot *q, enum err e); /* takes it off its list, ends the op, frees */
/* Takes one result of the query: decodes, or sets err and perhaps again. */
void pg_slot_result(struct pg_slot *q, PGresult *res);

struct pg_rows {
	PGresult *res;
	const struct pg_stmt *stmt; /* for messages */
};

/* ---- pg_script.c, pg.c ---- */
void pg_script_abort(void);
const struct pg_params *pg_script_params(void); /* without a statement timeout */

#endif
