/* A command's JSON as text: an array of objects as a table with a heading, an object as names and
 * values, anything else as it is. Colours only on a terminal. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/ctl.h"

#define COLUMNS 24

static const char *bold(void)
{
	return isatty(STDOUT_FILENO) ? "\033[1m" : "";
}

static const char *plain(void)
{
	return isatty(STDOUT_FILENO) ? "\033[0m" : "";
}

/* One value on one line. Times lose their microseconds. */
static struct str cell(struct arena *a, const struct json *v)
{
	struct buf b = {0};
	struct str s;
	int64_t us;

	switch (json_type(v)) {
	case JSON_NULL:
		return STR("-");
	case JSON_BOOL:
		return json_to_bool(v) ? STR("yes") : STR("no");
	case JSON_STRING:
		s = json_to_str(v);
		if (s.n == TIME_LEN && time_parse(s, &us))
			return arena_printf(a, "%.10s %.8s", s.p, s.p + 11);
		return s;
	default:
		json_write(&b, v);
		s = arena_str(a, buf_view(&b));
		buf_free(&b);
		return s;
	}
}

static void put_cell(struct str s, size_t width)
{
	size_t n = utf8_valid(s) ? utf8_length(s) : s.n;

	printf(STR_FMT, STR_ARG(s));
	for (; n < width; n++)
		putchar(' ');
}

static void print_table(struct arena *a, const struct json *rows)
{
	struct str names[COLUMNS];
	size_t width[COLUMNS] = {0}, columns = 0;

	if (json_len(rows) == 0) {
		fprintf(stderr, "nothing\n");
		return;
	}
	for (struct json_iter it = json_each(json_at(rows, 0));
		columns < COLUMNS && json_next(&it);) {
		names[columns] = it.key;
		width[columns++] = it.key.n;
	}
	for (struct json_iter row = json_each(rows); json_next(&row);) {
		size_t c = 0;

		for (struct json_iter it = json_each(row.value); c < columns && json_next(&it);
			c++) {
			struct str s = cell(a, it.value);
			size_t n = utf8_valid(s) ? utf8_length(s) : s.n;

			width[c] = n > width[c] ? n : width[c];
		}
	}
	printf("%s", bold());
	for (size_t c = 0; c < columns; c++)
		put_cell(names[c], c + 1 < columns ? width[c] + 2 : 0);
	printf("%s\n", plain());
	for (struct json_iter row = json_each(rows); json_next(&row);) {
		size_t c = 0;

		for (struct json_iter it = json_each(row.value); c < columns && json_next(&it); c++)
			put_cell(cell(a, it.value), c + 1 < columns ? width[c] + 2 : 0);
		putchar('\n');
	}
}

/* An object in an object is shown as "outer.inner". */
static size_t name_width(const struct json *v)
{
	size_t width = 0;

	for (struct json_iter it = json_each(v); json_next(&it);) {
		size_t inner = json_type(it.value) == JSON_OBJECT ? 1 + name_width(it.value) : 0;

		width = it.key.n + inner > width ? it.key.n + inner : width;
	}
	return width;
}

static void print_object(struct arena *a, const struct json *v, struct str prefix, size_t width)
{
	for (struct json_iter it = json_each(v); json_next(&it);) {
		struct str name =
			arena_printf(a, STR_FMT STR_FMT, STR_ARG(prefix), STR_ARG(it.key));

		if (json_type(it.value) == JSON_OBJECT) {
			print_object(
				a, it.value, arena_printf(a, STR_FMT ".", STR_ARG(name)), width);
			continue;
		}
		if (json_type(it.value) == JSON_ARRAY && json_len(it.value) > 0 &&
			json_type(json_at(it.value, 0)) == JSON_OBJECT) {
			printf("%s" STR_FMT "%s\n", bold(), STR_ARG(name), plain());
			print_table(a, it.value);
			continue;
		}
		printf("%s", bold());
		put_cell(name, width + 2);
		printf("%s" STR_FMT "\n", plain(), STR_ARG(cell(a, it.value)));
	}
}

void ctl_print(struct str text, bool as_json)
{
	struct arena a;
	const struct json *v;

	if (text.n == 0)
		return;
	if (as_json) {
		printf(STR_FMT "\n", STR_ARG(text));
		return;
	}
	arena_init(&a);
	v = json_parse(&a, text);
	ASSERT(v);
	if (json_type(v) == JSON_ARRAY)
		print_table(&a, v);
	else
		print_object(&a, v, STR(""), name_width(v));
	arena_release(&a);
}

bool ctl_printed(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	fprintf(stderr, "portalctl: standard output: %s\n", strerror(errno));
	return false;
}
