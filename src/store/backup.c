/* Taking a backup (backup.h).
 *
 *   backup_take -> clock_read -> tables_read -> (COPY of each table) -> copied -> tables_again ->
 *   chats_next (some chats side by side, page after page) … -> task_return
 *
 * A table is in a backup because it is in the schema: nothing has to be added here for a new one.
 * To keep more of Redis: a part of its own, beside `messages`. */
#include "store/backup.h"

#include "base/json.h"
#include "io/pg.h"
#include "io/redis.h"
#include "store/inspect.h"

#define CHATS_AT_ONCE 16
#define PAGE          "100"

struct table {
	struct str name, columns; /* columns: quoted where they need it, "id, name" */
};
struct tables {
	struct table *v;
	size_t count;
};

struct chat_read {
	int64_t id;
	struct str from; /* where its next page begins; NULL p: read */
	struct str wipe_at;
	struct backup *in;
};

struct backup {
	const struct backup_sink *sink;
	struct backup_taken *out;
	struct tables tables, again;
	int64_t cutoff; /* us of Redis' clock */
	struct buf chat_ids;
	struct str rest; /* of chat_ids: not read yet */
	struct chat_read reading[CHATS_AT_ONCE];
	int part;    /* the one begun last; -1: none */
	bool failed; /* the sink */
};

/* ---- what there is ---- */

/* Those that others refer to come first, so that a restore may check each reference at once. */
PG_STMT(sql_backup_tables, OP_READ,
	"WITH RECURSIVE t AS (SELECT c.oid, c.relname::text AS name FROM pg_class c"
	"  WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'),"
	" depth AS (SELECT t.oid, 0 AS n FROM t UNION SELECT k.conrelid, d.n + 1 FROM depth d"
	"  JOIN pg_constraint k ON k.confrelid = d.oid AND k.contype = 'f'"
	"  WHERE k.conrelid <> k.confrelid AND d.n < 32)"
	" SELECT quote_ident(t.name), (SELECT string_agg(quote_ident(a.attname::text), ', '"
	"   ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum > 0"
	"   AND NOT a.attisdropped AND a.attgenerated = '')"
	" FROM t ORDER BY (SELECT max(d.n) FROM depth d WHERE d.oid = t.oid), t.name");

static enum err tables_decode(struct task *t, const struct pg_rows *r, void *out)
{
	struct tables *f = out;

	f->count = (size_t)pg_count(r);
	f->v = arena_array(task_arena(t), struct table, f->count);
	for (int i = 0; i < pg_count(r); i++) {
		f->v[i].name = pg_text_copy(t, r, i, 0);
		f->v[i].columns = pg_text_copy(t, r, i, 1);
	}
	return OK;
}

static bool tables_same(const struct tables *a, const struct tables *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++)
		if (!str_eq(a->v[i].name, b->v[i].name) ||
			!str_eq(a->v[i].columns, b->v[i].columns))
			return false;
	return a->count == b->count;
}

/* ---- PostgreSQL: every table, the counters, and for us the chats ---- */

static struct str copy_script(struct task *t, const struct tables *tables)
{
	struct buf b = {0};
	struct str sql;

	buf_lit(&b, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n");
	for (size_t i = 0; i < tables->count; i++)
		buf_printf(&b, "COPY " STR_FMT " (" STR_FMT ") TO STDOUT;\n",
			STR_ARG(tables->v[i].name), STR_ARG(tables->v[i].columns));
	buf_lit(&b, "COPY (SELECT sequencename, coalesce(last_value, 0) FROM pg_sequences"
		    " WHERE schemaname = current_schema()) TO STDOUT;\n"
		    "COPY (SELECT id FROM chats ORDER BY id) TO STDOUT;\nCOMMIT;\n");
	sql = arena_str(task_arena(t), buf_view(&b));
	buf_free(&b);
	return sql;
}

static void part_begin(struct backup *f, int n)
{
	size_t i = (size_t)n;

	if (i < f->tables.count)
		f->sink->part(
			f->sink->arg, STR("table"), f->tables.v[i].name, f->tables.v[i].columns);
	else
		f->sink->part(f->sink->arg, STR("sequences"), STR(""), STR("name, value"));
}

/* Empty tables have a part, too: begun when the next has a row, or at the end. */
static void parts_begin(struct backup *f, int up_to)
{
	while (f->part < up_to)
		part_begin(f, ++f->part);
}

static bool row_out(void *arg, int n, struct str row)
{
	struct backup *f = arg;
	int last = (int)f->tables.count;

	parts_begin(f, n < last ? n : last);
	if (n <= last)
		return f->sink->line(f->sink->arg, str_make(row.p, row.n - 1));
	buf_str(&f->chat_ids, row);
	return true;
}

/* ---- Redis: the chats' streams ---- */

static struct str cut_line(struct str *lines)
{
	return lines->n > 0 ? str_cut(lines, '\n') : STR_NULL;
}

static void put_line(struct backup *f, struct buf *b)
{
	if (!f->failed && !f->sink->line(f->sink->arg, buf_view(b)))
		f->failed = true;
	b->n = 0;
}

/* {"chat":7,"id":"1712-0","fields":["s","5",…]} */
static void message_line(
	struct backup *f, struct buf *b, int64_t chat, const struct redis_value *entry)
{
	const struct redis_value *fields = redis_at(entry, 1);
	struct json_out j;

	json_out_init(&j, b);
	json_obj(&j);
	json_ki64(&j, "chat", chat);
	json_kstr(&j, "id", redis_str(redis_at(entry, 0)));
	json_key(&j, "fields");
	json_arr(&j);
	for (size_t i = 0; i < redis_len(fields); i++)
		json_str(&j, redis_str(redis_at(fields, i)));
	json_end(&j);
	json_end(&j);
	put_line(f, b);
	f->out->messages++;
}

static enum err page_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct chat_read *c = out;
	size_t n = redis_len(v);
	struct buf b = {0};

	for (size_t i = 0; i < n; i++)
		message_line(c->in, &b, c->id, redis_at(v, i));
	buf_free(&b);
	c->from = n < 100 ? STR_NULL
			  : arena_printf(task_arena(t), "(" STR_FMT,
				    STR_ARG(redis_str(redis_at(redis_at(v, n - 1), 0))));
	return OK;
}

/* {"chat":7,"wipe_at":"1712345678000"} */
static enum err wipe_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct chat_read *c = out;
	struct buf b = {0};
	struct json_out j;

	(void)t;
	if (redis_is_nil(v))
		return OK;
	json_out_init(&j, &b);
	json_obj(&j);
	json_ki64(&j, "chat", c->id);
	json_kstr(&j, "wipe_at", redis_str(v));
	json_end(&j);
	put_line(c->in, &b);
	buf_free(&b);
	return OK;
}

static void chats_next(struct task *t);

static void page_ask(struct task *t, struct chat_read *c)
{
	struct redis_args a = {0};

	redis_arg(&a, STR("XRANGE"));
	redis_key(t, &a, "portal:chat:%lld:stream", (long long)c->id);
	redis_arg(&a, c->from);
	redis_arg_i64(t, &a, c->in->cutoff / 1000);
	redis_arg(&a, STR("COUNT"));
	redis_arg(&a, STR(PAGE));
	redis_call(t, OP_READ, &a, page_decode, c, chats_next);
}

static void wipe_ask(struct task *t, struct chat_read *c)
{
	struct redis_args a = {0};

	redis_arg(&a, STR("ZSCORE"));
	redis_key(t, &a, "portal:wipes");
	redis_arg_i64(t, &a, c->id);
	redis_call(t, OP_READ, &a, wipe_decode, c, chats_next);
}

/* Whoever is read gives the place to the next chat. */
static void chats_next(struct task *t)
{
	struct backup *f = task_frame(t);
	bool any = false;

	if (f->failed) {
		task_fail(t, ERR_INTERNAL);
		return;
	}
	for (size_t i = 0; i < CHATS_AT_ONCE; i++) {
		struct chat_read *c = &f->reading[i];
		struct str line = c->from.p ? STR_NULL : cut_line(&f->rest);

		if (line.p) {
			*c = (struct chat_read){.in = f, .from = STR("-")};
			ASSERT(str_to_i64(line, &c->id));
			f->out->chats++;
			wipe_ask(t, c);
		}
		if (c->from.p) {
			page_ask(t, c);
			any = true;
		}
	}
	if (!any)
		task_return(t);
}

/* ---- the steps ---- */

static void tables_again(struct task *t)
{
	struct backup *f = task_frame(t);

	if (!tables_same(&f->tables, &f->again)) {
		task_fail_with(
			t, (struct fault){.err = ERR_CONFLICT,
				   .sentence = STR("The schema changed meanwhile; try again")});
		return;
	}
	parts_begin(f, (int)f->tables.count);
	f->sink->part(f->sink->arg, STR("messages"), STR(""), STR(""));
	f->rest = buf_view(&f->chat_ids);
	chats_next(t);
}

static void copied(struct task *t)
{
	struct backup *f = task_frame(t);
	struct pg_args none = {0};

	pg_query(t, &sql_backup_tables, &none, tables_decode, &f->again, tables_again);
}

static void tables_read(struct task *t)
{
	struct backup *f = task_frame(t);

	pg_script_copy(
		t, copy_script(t, &f->tables), &(struct pg_copy){.out = row_out, .arg = f}, copied);
}

static void clock_read(struct task *t)
{
	struct backup *f = task_frame(t);
	struct pg_args none = {0};

	pg_query(t, &sql_backup_tables, &none, tables_decode, &f->tables, tables_read);
}

static void ids_free(void *arg)
{
	buf_free(arg);
}

void backup_take(
	struct task *t, const struct backup_sink *sink, struct backup_taken *out, task_fn *next)
{
	struct backup *f = task_call(t, sizeof(*f), next);

	f->sink = sink;
	f->out = out;
	f->part = -1;
	*out = (struct backup_taken){0};
	arena_defer(task_arena(t), ids_free, &f->chat_ids);
	inspect_redis_clock(t, &f->cutoff, clock_read);
}
