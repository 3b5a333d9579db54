/* Bringing a backup back (backup.h).
 *
 *   restore_look -> ground_pg -> ground_people -> ground_clock -> ground_scan … -> task_return
 *   restore_tables -> (one script) -> tables_restored
 *   restore_messages -> dropped … -> lines_next … -> task_return
 *
 * The schema is made by this binary's own migrations: those that the backup had, then the rows,
 * then the migrations that came since. So a backup of an older version comes back as this
 * version's. */
#include "store/backup.h"

#include "base/clock.h"
#include "base/json.h"
#include "gen/schema.h"
#include "io/pg.h"
#include "io/redis.h"
#include "store/inspect.h"
#include "store/migration.h"

#define LINES_AT_ONCE 64
#define SCAN_COUNT    "1000"
#define PIECE         65536

/* ---- what is there ---- */

struct ground {
	struct restore_ground *out;
	bool users;
	int64_t now_us; /* Redis' clock */
	struct str cursor;
};

/* A server is told by its connections, also when it uses another Redis. */
PG_STMT(sql_restore_ground, OP_READ,
	"SELECT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = current_database()"
	"  AND a.application_name = 'portald' AND a.pid <> pg_backend_pid()),"
	" EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace"
	"  AND c.relkind IN ('r', 'p', 'v', 'm')),"
	" to_regclass('schema_migrations') IS NOT NULL, to_regclass('users') IS NOT NULL");
PG_STMT(sql_restore_people, OP_READ, "SELECT EXISTS (SELECT FROM users)");

static enum err ground_decode(struct task *t, const struct pg_rows *r, void *out)
{
	struct ground *f = out;
	bool any = pg_bool(r, 0, 1), ours = pg_bool(r, 0, 2);

	(void)t;
	f->out->served = pg_bool(r, 0, 0);
	f->out->tables = any && ours;
	f->out->foreign = any && !ours;
	f->users = pg_bool(r, 0, 3);
	return OK;
}

static enum err people_decode(struct task *t, const struct pg_rows *r, void *out)
{
	(void)t;
	*(bool *)out = pg_bool(r, 0, 0);
	return OK;
}

static enum err leases_decode(struct task *t, const struct redis_value *v, void *out)
{
	(void)t;
	*(bool *)out = redis_i64(v) > 0;
	return OK;
}

/* The next page of portal:*; `decode` is given the keys, `cursor` is "0" behind the last. */
static void scan(struct task *t, struct str cursor, redis_decode *decode, void *out, task_fn *next)
{
	struct redis_args a = {0};

	redis_arg(&a, STR("SCAN"));
	redis_arg(&a, cursor);
	redis_arg(&a, STR("MATCH"));
	redis_arg(&a, STR("portal:*"));
	redis_arg(&a, STR("COUNT"));
	redis_arg(&a, STR(SCAN_COUNT));
	redis_call(t, OP_READ, &a, decode, out, next);
}

static enum err any_decode(struct task *t, const struct redis_value *v, void *out)
{
	struct ground *f = out;

	f->cursor = arena_str(task_arena(t), redis_str(redis_at(v, 0)));
	f->out->redis |= redis_len(redis_at(v, 1)) > 0;
	return OK;
}

static void ground_scanned(struct task *t)
{
	struct ground *f = task_frame(t);

	if (f->out->redis || str_eq(f->cursor, STR("0")))
		task_return(t);
	else
		scan(t, f->cursor, any_decode, f, ground_scanned);
}

static void ground_scan(struct task *t)
{
	scan(t, STR("0"), any_decode, task_frame(t), ground_scanned);
}

static void ground_clock(struct task *t)
{
	struct ground *f = task_frame(t);
	struct redis_args a = {0};

	redis_arg(&a, STR("ZCOUNT"));
	redis_key(t, &a, "portal:processes");
	redis_arg_i64(t, &a, f->now_us / 1000);
	redis_arg(&a, STR("+inf"));
	redis_call(t, OP_READ, &a, leases_decode, &f->out->leased, ground_scan);
}

static void ground_people(struct task *t)
{
	struct ground *f = task_frame(t);

	inspect_redis_clock(t, &f->now_us, ground_clock);
}

static void ground_pg(struct task *t)
{
	struct ground *f = task_frame(t);
	struct pg_args none = {0};

	if (f->users)
		pg_query(t, &sql_restore_people, &none, people_decode, &f->out->people,
			ground_people);
	else
		ground_people(t);
}

void restore_look(struct task *t, struct restore_ground *out, task_fn *next)
{
	struct ground *f = task_call(t, sizeof(*f), next);
	struct pg_args none = {0};

	f->out = out;
	*out = (struct restore_ground){0};
	pg_query(t, &sql_restore_ground, &none, ground_decode, f, ground_pg);
}

/* ---- PostgreSQL ---- */

struct tables_restore {
	const struct restore_ask *ask;
	struct str *pieces; /* of each COPY what has not been sent */
};

static bool kind_is(const struct backup_part *p, const char *kind)
{
	return str_eq(p->kind, str_of(kind));
}

/* Names stand in the script as they are. */
static bool names_plain(const struct backup_part *p)
{
	const char *fit = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_\", ";

	for (size_t i = 0; i < p->name.n; i++)
		if (!p->name.p[i] || !strchr(fit, p->name.p[i]))
			return false;
	for (size_t i = 0; i < p->columns.n; i++)
		if (!p->columns.p[i] || !strchr(fit, p->columns.p[i]))
			return false;
	return true;
}

static bool is_versions(const struct backup_part *p)
{
	return kind_is(p, "table") && str_eq(p->name, STR("schema_migrations"));
}

/* The files that the backup's schema was made of: name and hash are the row's first columns. */
static struct migrations_had parts_versions(struct arena *a, const struct backup_parts *parts)
{
	struct migrations_had had = {0};

	for (size_t i = 0; i < parts->count; i++) {
		struct str lines = parts->v[i].lines;

		if (!is_versions(&parts->v[i]))
			continue;
		had.names = arena_array(a, struct str, lines.n);
		had.hashes = arena_array(a, struct str, lines.n);
		while (lines.n > 0) {
			struct str line = str_cut(&lines, '\n');

			had.names[had.count] = str_cut(&line, '\t');
			had.hashes[had.count++] = str_cut(&line, '\t');
		}
	}
	return had;
}

/* Triggers would count, number and refuse what has been counted, numbered and written before. */
#define TRIGGERS_OFF                                                                               \
	"CREATE TEMP TABLE restored_triggers ON COMMIT DROP AS"                                    \
	" SELECT g.tgrelid::regclass::text AS rel, g.tgname, g.tgenabled FROM pg_trigger g"        \
	"  JOIN pg_class c ON c.oid = g.tgrelid WHERE c.relnamespace = "                           \
	"current_schema()::regnamespace"                                                           \
	"   AND NOT g.tgisinternal AND g.tgenabled <> 'D';\n"                                      \
	"DO $$ DECLARE g record; BEGIN FOR g IN SELECT * FROM restored_triggers LOOP"              \
	" EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', g.rel, g.tgname);"                   \
	" END LOOP; END $$;\n"
#define TRIGGERS_ON                                                                                \
	"DO $$ DECLARE g record; BEGIN FOR g IN SELECT * FROM restored_triggers LOOP"              \
	" EXECUTE format('ALTER TABLE %s ENABLE %s TRIGGER %I', g.rel, CASE g.tgenabled"           \
	"  WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' ELSE '' END, g.tgname);"                 \
	" END LOOP; END $$;\n"

/* An id is used a thousand times a second at most; an hour more, for clocks that differ. */
#define COUNTERS_ON                                                                                \
	"SELECT setval(quote_ident(s.name)::regclass, s.value + 1 + 1000 * %lld)"                  \
	" FROM restored_sequences s;\n"
/* A rotation of an epoch is one of at most ten thousand steps that a chat sees in a second. */
#define EPOCHS_ON "UPDATE chats SET epoch_ceiling = epoch_ceiling + 10000 * %lld::bigint;\n"
#define SESSIONS_END                                                                               \
	"UPDATE sessions SET ended_at = clock_timestamp(), end_reason = 'destroyed'"               \
	" WHERE ended_at IS NULL AND expires_at > now();\n"
#define TELL                                                                                       \
	"SELECT audit_write('platform.restore', NULL, NULL, NULL,"                                 \
	" jsonb_build_object('taken_at', iso(to_timestamp(%lld / 1000000.0)),"                     \
	"  'sessions_kept', %s));\n"

static void put_rows(struct buf *b, const struct backup_parts *parts)
{
	buf_lit(b, TRIGGERS_OFF);
	for (size_t i = 0; i < parts->count; i++)
		if (kind_is(&parts->v[i], "table") && !is_versions(&parts->v[i]))
			buf_printf(b, "TRUNCATE " STR_FMT " CASCADE;\n", STR_ARG(parts->v[i].name));
	buf_lit(b, "CREATE TEMP TABLE restored_sequences (name text, value bigint) ON COMMIT "
		   "DROP;\n");
	for (size_t i = 0; i < parts->count; i++) {
		const struct backup_part *p = &parts->v[i];

		if (kind_is(p, "table") && !is_versions(p))
			buf_printf(b, "COPY " STR_FMT " (" STR_FMT ") FROM STDIN;\n",
				STR_ARG(p->name), STR_ARG(p->columns));
		else if (kind_is(p, "sequences"))
			buf_lit(b, "COPY restored_sequences FROM STDIN;\n");
	}
	buf_lit(b, TRIGGERS_ON);
}

static void put_script(struct buf *b, const struct restore_ask *ask, struct str then,
	struct str since, long long seconds)
{
	buf_lit(b, "BEGIN;\n");
	if (ask->over)
		buf_lit(b,
			"DO $$ BEGIN EXECUTE format('DROP SCHEMA %1$I CASCADE; CREATE SCHEMA %1$I',"
			" current_schema()); END $$;\n");
	buf_str(b, then);
	put_rows(b, ask->parts);
	buf_str(b, since);
	buf_printf(b, COUNTERS_ON EPOCHS_ON, seconds, seconds);
	if (!ask->keep_sessions)
		buf_lit(b, SESSIONS_END);
	buf_printf(b, TELL "COMMIT;\n", (long long)ask->parts->taken_at,
		ask->keep_sessions ? "true" : "false");
}

/* The rows of the n-th COPY, which are those of the n-th part that has one. */
static struct str piece_in(void *arg, int n)
{
	struct tables_restore *f = arg;
	struct str *rest = &f->pieces[n];
	struct str piece = str_make(rest->p, rest->n < PIECE ? rest->n : PIECE);

	*rest = str_from(*rest, piece.n);
	return piece;
}

static void fail_because(struct task *t, struct str why)
{
	task_fail_with(
		t, (struct fault){.err = ERR_CONFLICT,
			   .sentence = arena_printf(task_arena(t),
				   "This backup cannot be restored: " STR_FMT, STR_ARG(why))});
}

static void tables_restored(struct task *t)
{
	if (task_err(t) == OK)
		task_return(t);
	else if (task_err(t) == ERR_UNAVAILABLE)
		task_fail(t, ERR_UNAVAILABLE);
	else
		fail_because(t, pg_script_error(t));
}

void restore_tables(struct task *t, const struct restore_ask *ask, task_fn *next)
{
	struct tables_restore *f = task_call(t, sizeof(*f), next);
	const struct backup_parts *parts = ask->parts;
	struct migrations_had had = parts_versions(task_arena(t), parts);
	int64_t age = (clock_us() - parts->taken_at) / 1000000;
	struct str then, since, why = STR_NULL;
	struct buf b = {0};
	size_t n = 0;

	f->ask = ask;
	f->pieces = arena_array(task_arena(t), struct str, parts->count);
	for (size_t i = 0; i < parts->count; i++) {
		if (!names_plain(&parts->v[i]))
			why = STR("it names a table as none is named");
		if ((kind_is(&parts->v[i], "table") && !is_versions(&parts->v[i])) ||
			kind_is(&parts->v[i], "sequences"))
			f->pieces[n++] = parts->v[i].lines;
	}
	if (why.p || migration_replay(task_arena(t), &had, &then, &since, &why) != OK) {
		fail_because(t, why);
		return;
	}
	put_script(&b, ask, then, since, (age > 0 ? age : 0) + 3600);
	task_catch(t);
	pg_script_copy(t, arena_str(task_arena(t), buf_view(&b)),
		&(struct pg_copy){.in = piece_in, .arg = f}, tables_restored);
	buf_free(&b);
}

/* ---- Redis: what is there goes, then the lines come, many side by side ---- */

struct messages_restore {
	const struct backup_parts *parts;
	void (*progress)(int64_t messages);
	int64_t *messages;
	struct str cursor, lines;
	struct arena lap; /* of the lines under way */
};

/* {"chat":7,"id":…,"fields":[…]} or {"chat":7,"wipe_at":…} to the command that keeps it. */
static bool line_command(
	struct task *t, struct arena *lap, struct str line, struct redis_args *a, bool *message)
{
	const struct json *v = json_parse(lap, line), *fields = json_get(v, "fields");
	long long chat = (long long)json_to_i64(json_get(v, "chat"));

	*message = json_type(fields) == JSON_ARRAY;
	if (!v || chat < 1 || json_len(fields) > REDIS_ARGS - 3)
		return false;
	redis_arg(a, *message ? STR("XADD") : STR("ZADD"));
	if (!*message) {
		redis_key(t, a, "portal:wipes");
		redis_arg(a, json_to_str(json_get(v, "wipe_at")));
		redis_arg(a, arena_printf(lap, "%lld", chat));
		return true;
	}
	redis_key(t, a, "portal:chat:%lld:stream", chat);
	redis_arg(a, json_to_str(json_get(v, "id")));
	for (struct json_iter it = json_each(fields); json_next(&it);)
		redis_arg(a, json_to_str(it.value));
	return true;
}

static void lines_next(struct task *t)
{
	struct messages_restore *f = task_frame(t);

	arena_release(&f->lap);
	arena_init(&f->lap);
	if (f->lines.n == 0) {
		task_return(t);
		return;
	}
	for (int i = 0; i < LINES_AT_ONCE && f->lines.n > 0; i++) {
		struct redis_args a = {0};
		bool message;

		if (!line_command(t, &f->lap, str_cut(&f->lines, '\n'), &a, &message)) {
			fail_because(t, STR("a message is not one"));
			return;
		}
		redis_call(t, OP_WRITE, &a, NULL, NULL, lines_next);
		*f->messages += message;
	}
	if (f->progress)
		f->progress(*f->messages);
}

static enum err cursor_decode(struct task *t, const struct redis_value *v, void *out)
{
	*(struct str *)out = arena_str(task_arena(t), redis_str(v));
	return OK;
}

static void drop_next(struct task *t);

static void dropped(struct task *t)
{
	const struct messages_restore *f = task_frame(t);

	if (str_eq(f->cursor, STR("0")))
		lines_next(t);
	else
		drop_next(t);
}

static void drop_next(struct task *t)
{
	struct messages_restore *f = task_frame(t);
	struct redis_args a = {0};

	redis_arg(&a, f->cursor);
	redis_arg(&a, STR(SCAN_COUNT));
	redis_eval(t, &redis_scripts[SCRIPT_ALL_FORGET], &a, cursor_decode, &f->cursor, dropped);
}

static void lap_free(void *arg)
{
	arena_release(arg);
}

void restore_messages(struct task *t, const struct backup_parts *parts,
	void (*progress)(int64_t messages), int64_t *messages, task_fn *next)
{
	struct messages_restore *f = task_call(t, sizeof(*f), next);

	*f = (struct messages_restore){
		.parts = parts, .progress = progress, .messages = messages, .cursor = STR("0")};
	*messages = 0;
	for (size_t i = 0; i < parts->count; i++)
		if (kind_is(&parts->v[i], "messages"))
			f->lines = parts->v[i].lines;
	arena_init(&f->lap);
	arena_defer(task_arena(t), lap_free, &f->lap);
	drop_next(t);
}
