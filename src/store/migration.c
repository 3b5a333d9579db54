/* Migrations (migration.h). The table schema_migrations holds a row per applied file with the hash
 * of its text; the row is written first in the file's transaction, so of two runs at once one waits
 * and then fails on the key, which reads as "already applied".
 *
 * To add a migration: schema/NNNN_name.sql. Applied files are never edited. */
#include "store/migration.h"

#include "base/secret.h"
#include "gen/schema.h"
#include "io/pg.h"

#define VERSIONS_TABLE                                                                             \
	"CREATE TABLE IF NOT EXISTS schema_migrations (name text PRIMARY KEY, hash text NOT NULL," \
	" applied_at timestamptz NOT NULL DEFAULT now())"

PG_STMT(migration_rows, OP_READ, "SELECT name, hash FROM schema_migrations ORDER BY name");
PG_STMT(migration_table, OP_READ, "SELECT to_regclass('schema_migrations') IS NOT NULL");

static enum err versions_decode(struct task *t, const struct pg_rows *r, void *out)
{
	struct migrations_had *v = out;

	v->count = (size_t)pg_count(r);
	v->names = arena_array(task_arena(t), struct str, v->count);
	v->hashes = arena_array(task_arena(t), struct str, v->count);
	for (int i = 0; i < pg_count(r); i++) {
		v->names[i] = pg_text_copy(t, r, i, 0);
		v->hashes[i] = pg_text_copy(t, r, i, 1);
	}
	return OK;
}

static void file_hash(const struct schema_file *file, char hex[2 * HASH_LEN])
{
	uint8_t hash[HASH_LEN];

	secret_hash(str_make(file->text, file->length), hash);
	hex_encode(hash, HASH_LEN, hex);
}

/* The position of `file` in v, or -1. */
static int version_of(const struct migrations_had *v, const struct schema_file *file)
{
	for (size_t i = 0; i < v->count; i++)
		if (str_eq(v->names[i], str_of(file->name)))
			return (int)i;
	return -1;
}

static struct migration_state compare(const struct migrations_had *v)
{
	struct migration_state s = {0};

	for (size_t i = 0; i < schema_migration_count; i++)
		s.applied += version_of(v, &schema_migrations[i]) >= 0;
	s.unknown = (int64_t)v->count - s.applied;
	return s;
}

/* A file's text behind its row, which is written first. */
static struct str file_script(struct arena *a, const struct schema_file *file)
{
	char hash[2 * HASH_LEN];

	file_hash(file, hash);
	return arena_printf(a,
		"INSERT INTO schema_migrations (name, hash) VALUES ('%s', '%.*s');\n%s", file->name,
		2 * HASH_LEN, hash, file->text);
}

static bool file_unchanged(const struct schema_file *file, struct str hash)
{
	char now[2 * HASH_LEN];

	file_hash(file, now);
	return str_eq(hash, str_make(now, sizeof(now)));
}

enum err migration_replay(struct arena *a, const struct migrations_had *had, struct str *then,
	struct str *since, struct str *why)
{
	size_t found = 0;

	*then = STR(VERSIONS_TABLE ";\n");
	*since = STR("");
	for (size_t i = 0; i < schema_migration_count; i++) {
		const struct schema_file *file = &schema_migrations[i];
		int at = version_of(had, file);
		struct str *part = at >= 0 ? then : since;

		if (at >= 0 && !file_unchanged(file, had->hashes[at])) {
			*why = arena_printf(
				a, "%s is not the file that this program has", file->name);
			return ERR_CONFLICT;
		}
		found += at >= 0;
		*part = arena_printf(
			a, STR_FMT STR_FMT "\n", STR_ARG(*part), STR_ARG(file_script(a, file)));
	}
	if (found == had->count)
		return OK;
	*why = STR("it is of a newer version; use that version's portalctl");
	return ERR_CONFLICT;
}

/* migration_look -> table_made -> look_read */
struct look {
	struct migration_state *out;
	struct migrations_had found;
};

static void look_read(struct task *t)
{
	struct look *f = task_frame(t);

	*f->out = compare(&f->found);
	task_return(t);
}

static void table_made(struct task *t)
{
	struct look *f = task_frame(t);
	struct pg_args none = {0};

	pg_query(t, &migration_rows, &none, versions_decode, &f->found, look_read);
}

void migration_look(struct task *t, struct migration_state *out, task_fn *next)
{
	struct look *f = task_call(t, sizeof(*f), next);

	f->out = out;
	pg_script(t, STR(VERSIONS_TABLE), table_made);
}

/* migration_apply -> apply_read -> applied */
struct apply {
	const char **name;
	const struct schema_file *file;
	struct migrations_had found;
};

static void applied(struct task *t)
{
	struct apply *f = task_frame(t);

	if (task_err(t) == ERR_UNAVAILABLE) {
		task_fail(t, ERR_UNAVAILABLE);
	} else if (task_err(t) != OK) {
		task_fail_with(t, (struct fault){.err = ERR_CONFLICT,
					  .sentence = arena_printf(task_arena(t),
						  "%s does not apply: " STR_FMT, f->file->name,
						  STR_ARG(pg_script_error(t)))});
	} else {
		*f->name = f->file->name;
		task_return(t);
	}
}

static void apply_file(struct task *t, const struct schema_file *file)
{
	struct apply *f = task_frame(t);

	f->file = file;
	task_catch(t);
	pg_script(t, file_script(task_arena(t), file), applied);
}

static void apply_read(struct task *t)
{
	struct apply *f = task_frame(t);

	for (size_t i = 0; i < schema_migration_count; i++) {
		const struct schema_file *file = &schema_migrations[i];
		int at = version_of(&f->found, file);

		if (at < 0) {
			apply_file(t, file);
			return;
		}
		if (!file_unchanged(file, f->found.hashes[at])) {
			task_fail_with(t,
				(struct fault){.err = ERR_CONFLICT,
					.sentence = arena_printf(task_arena(t),
						"%s was changed after it was applied: this binary "
						"and this database do not belong together",
						file->name)});
			return;
		}
	}
	*f->name = NULL;
	task_return(t);
}

void migration_apply(struct task *t, const char **name, task_fn *next)
{
	struct apply *f = task_call(t, sizeof(*f), next);
	struct pg_args none = {0};

	f->name = name;
	pg_query(t, &migration_rows, &none, versions_decode, &f->found, apply_read);
}

/* migration_current -> current_table -> current_read */
struct current {
	bool *out, table;
	struct migrations_had found;
};

static enum err bool_decode(struct task *t, const struct pg_rows *r, void *out)
{
	(void)t;
	*(bool *)out = pg_bool(r, 0, 0);
	return OK;
}

static void current_read(struct task *t)
{
	struct current *f = task_frame(t);
	struct migration_state s = compare(&f->found);

	*f->out = s.applied == (int64_t)schema_migration_count && s.unknown == 0;
	task_return(t);
}

static void current_table(struct task *t)
{
	struct current *f = task_frame(t);
	struct pg_args none = {0};

	*f->out = false;
	if (f->table)
		pg_query(t, &migration_rows, &none, versions_decode, &f->found, current_read);
	else
		task_return(t);
}

void migration_current(struct task *t, bool *current, task_fn *next)
{
	struct current *f = task_call(t, sizeof(*f), next);
	struct pg_args none = {0};

	f->out = current;
	pg_query(t, &migration_table, &none, bool_decode, &f->table, current_table);
}
