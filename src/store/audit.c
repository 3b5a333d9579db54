/* The audit log as it is read, proven, exported and pruned (audit.h). The rules stand in
 * schema/0007_administration.sql; what is long goes in pages here, so that no statement is.
 *
 *   audit_verify: (kept mark) -> page -> page … -> ended, or the first fault
 *   audit_prune:  recorded -> swept -> swept … -> nothing is left to go
 *
 * To add a filter: struct audit_filter, AUDIT_FOUND, audit_list. */
#include "store/audit.h"

#include "io/pg.h"

#define PAGE 1000

static void arg_id(struct task *t, struct pg_args *a, int64_t v) /* 0: NULL */
{
	if (v == 0)
		pg_arg_null(a);
	else
		pg_arg_i64(t, a, v);
}

/* ---- reading ---- */

#define AUDIT_FOUND                                                                                \
	" FROM audit_log a WHERE ($1::text IS NULL OR a.event_type = $1::text)"                    \
	" AND ($2::bigint IS NULL OR a.actor_id = $2::bigint)"                                     \
	" AND ($3::bigint IS NULL OR a.target_id = $3::bigint)"                                    \
	" AND ($4::timestamptz IS NULL OR a.created_at >= $4::timestamptz)"                        \
	" AND ($5::timestamptz IS NULL OR a.created_at < $5::timestamptz)"

/* At least one row, so that the total is there on a page past the end too. Without a filter the log
 * is not counted: it has no gaps. */
PG_STMT_PLANNED(sql_audit_page, OP_READ,
	"WITH page AS (SELECT a.*" AUDIT_FOUND
	" ORDER BY a.id DESC OFFSET $6::bigint LIMIT $7::bigint)"
	" SELECT CASE WHEN coalesce($1::text, $2::text, $3::text, $4::text, $5::text) IS NULL"
	"  THEN (SELECT h.id - h.pruned_id FROM audit_head h) ELSE (SELECT count(*)" AUDIT_FOUND
	") END,"
	" p.id, p.event_type, p.actor_id, p.target_id, p.chat_id, p.data::text, p.created_at,"
	" encode(p.hash, 'hex'), b.username, x.username"
	" FROM (VALUES (1)) one (row) LEFT JOIN page p ON true LEFT JOIN users b ON b.id = "
	"p.actor_id"
	" LEFT JOIN users x ON x.id = p.target_id ORDER BY p.id DESC");

static enum err decode_page(struct task *t, const struct pg_rows *r, void *out)
{
	struct audit_page *page = out;

	page->total = pg_i64(r, 0, 0);
	page->count = pg_null(r, 0, 1) ? 0 : (size_t)pg_count(r);
	page->rows = arena_array(task_arena(t), struct audit_entry, page->count);
	for (int i = 0; i < (int)page->count; i++)
		page->rows[i] = (struct audit_entry){
			.id = pg_i64(r, i, 1),
			.event_type = pg_text_copy(t, r, i, 2),
			.actor_id = pg_i64(r, i, 3),
			.target_id = pg_i64(r, i, 4),
			.chat_id = pg_i64(r, i, 5),
			.data = pg_text_copy(t, r, i, 6),
			.created_at = pg_time(r, i, 7),
			.hash = pg_text_copy(t, r, i, 8),
			.actor_name = pg_text_copy(t, r, i, 9),
			.target_name = pg_text_copy(t, r, i, 10),
		};
	return OK;
}

void audit_list(struct task *t, const struct audit_filter *f, struct audit_page *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_str(t, &a, f->event_type);
	arg_id(t, &a, f->actor_id);
	arg_id(t, &a, f->target_id);
	pg_arg_time(t, &a, f->from);
	pg_arg_time(t, &a, f->to);
	pg_arg_i64(t, &a, f->offset);
	pg_arg_i64(t, &a, f->limit);
	pg_query(t, &sql_audit_page, &a, decode_page, out, next);
}

/* ---- proving ---- */

struct verify {
	const struct audit_mark *kept;
	struct audit_report *out;
	int64_t looked; /* of this page */
	bool ended;
};

static void mark_decode(const struct pg_rows *r, int row, int id, int hash, struct audit_mark *m)
{
	struct str bytes = pg_text(r, row, hash);

	m->id = pg_i64(r, row, id);
	if (bytes.n == AUDIT_HASH_LEN) /* else: before the first entry, or NULL */
		memcpy(m->hash, bytes.p, AUDIT_HASH_LEN);
}

/* A fault that was found; one in an earlier entry comes first. */
static void fault_found(struct audit_report *r, enum audit_fault fault, int64_t id)
{
	if (r->fault == AUDIT_WHOLE || id < r->fault_id) {
		r->fault = fault;
		r->fault_id = id;
	}
}

static enum audit_fault fault_of(struct str word)
{
	if (!word.p)
		return AUDIT_WHOLE;
	return str_eq(word, STR("missing")) ? AUDIT_MISSING : AUDIT_ALTERED;
}

PG_STMT(sql_audit_verify, OP_READ,
	"SELECT id, hash, looked, ended, fault, fault_id FROM audit_verify($1::bigint, $2::bytea,"
	" $3::bigint)");

static enum err decode_verify(struct task *t, const struct pg_rows *r, void *out)
{
	struct verify *f = out;
	enum audit_fault fault = fault_of(pg_text(r, 0, 4));

	(void)t;
	mark_decode(r, 0, 0, 1, &f->out->last);
	f->looked = pg_i64(r, 0, 2);
	f->ended = pg_bool(r, 0, 3) || fault != AUDIT_WHOLE;
	f->out->looked += f->looked;
	if (fault != AUDIT_WHOLE)
		fault_found(f->out, fault, pg_i64(r, 0, 5));
	return OK;
}

static void verify_page(struct task *t)
{
	struct verify *f = task_frame(t);
	struct pg_args a = {0};

	if (f->ended) {
		task_return(t);
		return;
	}
	pg_arg_i64(t, &a, f->out->last.id);
	pg_arg_bytes(&a, f->out->last.hash, f->out->last.id ? AUDIT_HASH_LEN : 0);
	pg_arg_i64(t, &a, PAGE);
	pg_query(t, &sql_audit_verify, &a, decode_verify, f, verify_page);
}

/* null: it was pruned since. */
PG_STMT(sql_audit_kept, OP_READ,
	"SELECT CASE WHEN $1::bigint < h.pruned_id THEN NULL"
	" WHEN $1::bigint = h.pruned_id THEN h.pruned_hash = $2::bytea"
	" ELSE (SELECT a.hash = $2::bytea FROM audit_log a WHERE a.id = $1::bigint) END,"
	" $1::bigint > h.id OR ($1::bigint > h.pruned_id AND NOT EXISTS"
	"  (SELECT FROM audit_log a WHERE a.id = $1::bigint)), least($1::bigint, h.id + 1)"
	" FROM audit_head h");

static enum err decode_kept(struct task *t, const struct pg_rows *r, void *out)
{
	struct verify *f = out;

	(void)t;
	if (pg_bool(r, 0, 1))
		fault_found(f->out, AUDIT_MISSING, pg_i64(r, 0, 2));
	else if (!pg_null(r, 0, 0) && !pg_bool(r, 0, 0))
		fault_found(f->out, AUDIT_ALTERED, f->kept->id);
	return OK;
}

void audit_verify(
	struct task *t, const struct audit_mark *kept, struct audit_report *out, task_fn *next)
{
	struct verify *f = task_call(t, sizeof(*f), next);
	struct pg_args a = {0};

	*out = (struct audit_report){.fault = AUDIT_WHOLE};
	f->out = out;
	f->kept = kept;
	if (!kept) {
		verify_page(t);
		return;
	}
	pg_arg_i64(t, &a, kept->id);
	pg_arg_bytes(&a, kept->hash, kept->id ? AUDIT_HASH_LEN : 0);
	pg_query(t, &sql_audit_kept, &a, decode_kept, f, verify_page);
}

/* ---- exporting ---- */

PG_STMT(sql_audit_export, OP_READ,
	"WITH page AS (SELECT a.* FROM audit_log a, audit_head h WHERE a.id > $1::bigint"
	"  AND a.id > h.pruned_id AND a.created_at < $2::timestamptz ORDER BY a.id LIMIT "
	"$3::bigint)"
	" SELECT count(*), coalesce(max(p.id), $1::bigint),"
	" (array_agg(p.hash ORDER BY p.id DESC))[1], coalesce(string_agg(json_build_object('id', "
	"p.id,"
	"  'prev_hash', encode(p.prev_hash, 'hex'), 'hash', encode(p.hash, 'hex'),"
	"  'text', audit_text(p))::text || E'\\n', '' ORDER BY p.id), '') FROM page p");

static enum err decode_chunk(struct task *t, const struct pg_rows *r, void *out)
{
	struct audit_chunk *c = out;

	c->count = (size_t)pg_i64(r, 0, 0);
	mark_decode(r, 0, 1, 2, &c->last);
	c->lines = pg_text_copy(t, r, 0, 3);
	return OK;
}

void audit_export(struct task *t, int64_t after, int64_t before, int64_t limit,
	struct audit_chunk *out, task_fn *next)
{
	struct pg_args a = {0};

	pg_arg_i64(t, &a, after);
	pg_arg_time(t, &a, before);
	pg_arg_i64(t, &a, limit);
	pg_query(t, &sql_audit_export, &a, decode_chunk, out, next);
}

/* ---- pruning ---- */

struct prune {
	int64_t *gone, page; /* page: how many went last */
};

PG_STMT(sql_audit_prune, OP_WRITE, "SELECT audit_prune($1::bigint, $2::bigint, $3::bytea)");
PG_STMT(sql_audit_sweep, OP_WRITE, "SELECT audit_sweep($1::bigint)");

static enum err decode_recorded(struct task *t, const struct pg_rows *r, void *out)
{
	(void)t;
	(void)out;
	return str_eq(pg_text(r, 0, 0), STR("unknown")) ? ERR_CONFLICT : OK;
}

static enum err decode_swept(struct task *t, const struct pg_rows *r, void *out)
{
	struct prune *f = out;

	(void)t;
	f->page = pg_i64(r, 0, 0);
	*f->gone += f->page;
	return OK;
}

static void sweep(struct task *t)
{
	struct prune *f = task_frame(t);
	struct pg_args a = {0};

	if (f->page == 0) {
		task_return(t);
		return;
	}
	pg_arg_i64(t, &a, PAGE);
	pg_query(t, &sql_audit_sweep, &a, decode_swept, f, sweep);
}

void audit_prune(
	struct task *t, const struct audit_mark *last, int64_t actor, int64_t *gone, task_fn *next)
{
	struct prune *f = task_call(t, sizeof(*f), next);
	struct pg_args a = {0};

	*gone = 0;
	f->gone = gone;
	f->page = 1;
	arg_id(t, &a, actor);
	pg_arg_i64(t, &a, last->id);
	pg_arg_bytes(&a, last->hash, AUDIT_HASH_LEN);
	pg_query(t, &sql_audit_prune, &a, decode_recorded, NULL, sweep);
}
