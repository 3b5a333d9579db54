/* Settings: the table, where values come from, and how they are shown.
 *
 * Owns: `config` and the memory its strings live in, from config_load to config_free.
 * Path: defaults -> the file of PORTAL_CONFIG -> the environment; each value is read by its row's
 * type and bounds; then config_check looks at the settings together.
 * To add a setting: a row in config.def; what is more than type and bounds: config_check.c. */
#include "base/config.h"
#include "base/arena.h"
#include "base/config_check.h"
#include "base/roff.h"

#include <errno.h>
#include <stdio.h>

#define FILE_LIMIT 65536
#define MASK       "********"

enum type {
	TYPE_STR,
	TYPE_INT,
	TYPE_BOOL,
	TYPE_LIST
};

struct row {
	const char *name;
	enum type type;
	size_t offset; /* in struct config */
	const char *def;
	int64_t min, max; /* INT: of the value; STR and LIST: of its length in bytes */
	bool secret;
	const char *help;
};

static const struct row rows[] = {
#define X(field, name, type, def, min, max, secret, help)                                          \
	{name, TYPE_##type, offsetof(struct config, field), def, min, max, secret, help},
#include "base/config.def"
#undef X
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

/* What one source says about a row: KEY, KEY_FILE; NULL when it says nothing. */
struct given {
	struct str value, path;
};

struct config config;
static struct arena memory;

void config_free(void)
{
	arena_release(&memory);
	config = (struct config){0};
}

static void *row_field(const struct row *r)
{
	return (char *)&config + r->offset;
}

/* ---- reading a value ---- */

static struct str_list list_split(struct str s)
{
	struct str_list list = {0};

	list.items = arena_array(&memory, struct str, s.n / 2 + 1);
	while (s.p) {
		struct str item = str_trim(str_cut(&s, ','));

		if (item.n > 0) /* each with a NUL behind it, as all strings here */
			list.items[list.count++] = arena_str(&memory, item);
	}
	return list;
}

static enum err set_bool(const struct row *r, struct str v, struct buf *why)
{
	bool yes = str_eq(v, STR("true"));

	if (!yes && !str_eq(v, STR("false")))
		return CONFIG_REFUSE(why, "%s must be true or false, not \"%.64s\"", r->name, v.p);
	*(bool *)row_field(r) = yes;
	return OK;
}

static enum err set_int(const struct row *r, struct str v, struct buf *why)
{
	int64_t i;

	if (!str_to_i64(v, &i) || i < r->min || i > r->max)
		return CONFIG_REFUSE(why,
			"%s must be a number between %lld and %lld, not \"%.64s\"", r->name,
			(long long)r->min, (long long)r->max, v.p);
	*(int64_t *)row_field(r) = i;
	return OK;
}

static enum err set_text(const struct row *r, struct str v, struct buf *why)
{
	if (v.n < (size_t)r->min)
		return CONFIG_REFUSE(why, "%s must not be empty", r->name);
	if (v.n > (size_t)r->max)
		return CONFIG_REFUSE(
			why, "%s must be at most %lld bytes long", r->name, (long long)r->max);
	if (r->type == TYPE_STR)
		*(struct str *)row_field(r) = v;
	else
		*(struct str_list *)row_field(r) = list_split(v);
	return OK;
}

static enum err row_set(const struct row *r, struct str v, struct buf *why)
{
	if (str_find(v, 0) >= 0)
		return CONFIG_REFUSE(why, "%s must not contain a NUL byte", r->name);
	v = arena_str(&memory, v);
	switch (r->type) {
	case TYPE_BOOL:
		return set_bool(r, v, why);
	case TYPE_INT:
		return set_int(r, v, why);
	default:
		return set_text(r, v, why);
	}
}

/* ---- the sources ---- */

/* All of a file; `key` named it. */
static enum err file_read(const char *key, const char *path, struct str *out, struct buf *why)
{
	char *text = arena_alloc(&memory, FILE_LIMIT + 1);
	FILE *f = fopen(path, "re");
	size_t n;
	bool broken;

	if (!f)
		return CONFIG_REFUSE(
			why, "%s names %s, which cannot be opened: %s", key, path, strerror(errno));
	n = fread(text, 1, FILE_LIMIT + 1, f);
	broken = ferror(f);
	fclose(f);
	if (broken || n > FILE_LIMIT)
		return CONFIG_REFUSE(why, "%s names %s, which %s", key, path,
			broken ? "cannot be read" : "is longer than 64 KiB");
	*out = str_make(text, n);
	return OK;
}

/* The source's entry that `key` (KEY, or KEY_FILE of a secret) fills, or NULL. */
static struct str *given_find(struct given *all, struct str key)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		struct str name = str_of(rows[i].name);

		if (str_eq(key, name))
			return &all[i].value;
		if (rows[i].secret && str_starts(key, name) &&
			str_eq(str_from(key, name.n), STR("_FILE")))
			return &all[i].path;
	}
	return NULL;
}

static enum err given_by_file(const char *path, struct given *all, struct buf *why)
{
	struct str rest;
	enum err e = file_read("PORTAL_CONFIG", path, &rest, why);

	for (int line = 1; e == OK && rest.p; line++) {
		struct str text = str_cut(&rest, '\n'), key, *place;

		if (str_ends(text, STR("\r")))
			text.n--;
		text = str_trim(text);
		if (text.n == 0 || text.p[0] == '#')
			continue;
		key = str_trim(str_cut(&text, '='));
		place = given_find(all, key);
		if (!text.p)
			e = CONFIG_REFUSE(why, "Line %d of %s must read KEY=value", line, path);
		else if (!place)
			e = CONFIG_REFUSE(why,
				"Line %d of %s: %.*s is not a setting; portald --print-config "
				"lists "
				"them",
				line, path, (int)(key.n < 64 ? key.n : 64), key.p);
		else if (place->p)
			e = CONFIG_REFUSE(why, "Line %d of %s sets " STR_FMT " a second time", line,
				path, STR_ARG(key));
		else
			*place = str_trim(text);
	}
	return e;
}

static struct given given_by_env(const char *(*get)(const char *name), const struct row *r)
{
	struct given g = {.value = str_of(get(r->name))};

	if (r->secret)
		g.path = str_of(get(arena_printf(&memory, "%s_FILE", r->name).p));
	return g;
}

static enum err row_take(const struct row *r, struct given g, struct buf *why)
{
	const char *key, *path;
	enum err e;

	if (g.value.p && g.path.p)
		return CONFIG_REFUSE(why, "Set %s or %s_FILE, not both of them", r->name, r->name);
	if (g.path.p) {
		key = arena_printf(&memory, "%s_FILE", r->name).p;
		path = arena_str(&memory, g.path).p;
		e = file_read(key, path, &g.value, why);
		if (e)
			return e;
		if (str_ends(g.value, STR("\n")))
			g.value.n--;
		if (str_ends(g.value, STR("\r")))
			g.value.n--;
	}
	return g.value.p ? row_set(r, g.value, why) : OK;
}

enum err config_load(const char *(*get)(const char *name), struct buf *why)
{
	struct given file[ROW_COUNT] = {0};
	const char *path = get("PORTAL_CONFIG");
	enum err e = OK;

	config_free();
	for (size_t i = 0; e == OK && i < ROW_COUNT; i++)
		e = row_set(&rows[i], str_of(rows[i].def), why);
	ASSERT(e == OK);
	if (path && *path)
		e = given_by_file(path, file, why);
	for (size_t i = 0; e == OK && i < ROW_COUNT; i++) {
		struct given env = given_by_env(get, &rows[i]);

		e = row_take(&rows[i], env.value.p || env.path.p ? env : file[i], why);
	}
	return e ? e : config_check(&config, &memory, why);
}

/* ---- showing ---- */

static void put_value(struct buf *out, const struct row *r)
{
	const struct str_list *list = row_field(r);
	const struct str *s = row_field(r);

	switch (r->type) {
	case TYPE_INT:
		buf_i64(out, *(int64_t *)row_field(r));
		break;
	case TYPE_BOOL:
		buf_str(out, *(bool *)row_field(r) ? STR("true") : STR("false"));
		break;
	case TYPE_STR:
		buf_str(out, r->secret && s->n > 0 ? STR(MASK) : *s);
		break;
	case TYPE_LIST:
		for (size_t i = 0; i < list->count && !r->secret; i++)
			buf_printf(out, "%s%s", i > 0 ? "," : "", list->items[i].p);
		if (r->secret && list->count > 0)
			buf_lit(out, MASK);
		break;
	}
}

void config_print(struct buf *out)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct row *r = &rows[i];

		buf_printf(out, "%s# %s (default %s)\n%s=", i > 0 ? "\n" : "", r->help,
			*r->def ? r->def : "empty", r->name);
		put_value(out, r);
		buf_char(out, '\n');
	}
}

void config_print_markdown(struct buf *out)
{
	buf_lit(out, "| Setting | Default | Bounds | Meaning |\n|---|---|---|---|\n");
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct row *r = &rows[i];

		buf_printf(out, "| `%s`%s | ", r->name, r->secret ? " (secret)" : "");
		if (*r->def)
			buf_printf(out, "`%s`", r->def);
		buf_lit(out, " | ");
		if (r->type == TYPE_INT)
			buf_printf(out, "%lld to %lld", (long long)r->min, (long long)r->max);
		buf_printf(out, " | %s |\n", r->help);
	}
}

void config_print_man(struct buf *out)
{
	struct buf text = {0};

	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct row *r = &rows[i];

		text.n = 0;
		buf_printf(&text, "%s", r->help);
		if (*r->def)
			buf_printf(&text, " Default: %s.", r->def);
		if (r->type == TYPE_INT)
			buf_printf(
				&text, " From %lld to %lld.", (long long)r->min, (long long)r->max);
		if (r->secret)
			buf_printf(&text, " May come from the file that %s_FILE names.", r->name);
		roff_item(out, str_of(r->name));
		roff_line(out, buf_view(&text));
	}
	buf_free(&text);
}
