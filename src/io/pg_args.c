/* PostgreSQL's parameters, as text but for bytes: building them, and their array literals.
 *
 * A struct pg_args points at the caller's strings and into the task's arena; pg_query copies.
 * To add a type: a function here and in pg.h that appends one entry. */
#include "io/pg_private.h"

#include "base/clock.h"
#include "base/secret.h"

static void arg_add(struct pg_args *a, const char *p, size_t n, bool binary)
{
	ASSERT(a->n < PG_ARGS && n <= INT32_MAX);
	a->v[a->n].p = p;
	a->v[a->n].n = (int)n;
	a->v[a->n].binary = binary;
	a->n++;
}

void pg_arg_str(struct task *t, struct pg_args *a, struct str s)
{
	(void)t;
	arg_add(a, s.p, s.n, false);
}

void pg_arg_i64(struct task *t, struct pg_args *a, int64_t v)
{
	pg_arg_str(t, a, arena_i64(task_arena(t), v));
}

void pg_arg_bool(struct pg_args *a, bool v)
{
	arg_add(a, v ? "t" : "f", 1, false);
}

void pg_arg_null(struct pg_args *a)
{
	arg_add(a, NULL, 0, false);
}

void pg_arg_bytes(struct pg_args *a, const void *p, size_t n)
{
	arg_add(a, p, n, true);
}

void pg_arg_time(struct task *t, struct pg_args *a, int64_t us)
{
	char *text;

	if (us == 0) {
		pg_arg_null(a);
		return;
	}
	text = arena_alloc(task_arena(t), TIME_LEN);
	time_format(us, text);
	arg_add(a, text, TIME_LEN, false);
}

/* "b\"c", NULL, or bytes as "\\x00ff". */
void pg_array_put(struct buf *b, const char *p, size_t n, bool binary)
{
	if (!p) {
		buf_lit(b, "NULL");
		return;
	}
	buf_char(b, '"');
	if (binary) {
		buf_lit(b, "\\\\x");
		hex_encode((const uint8_t *)p, n, buf_reserve(b, 2 * n));
		b->n += 2 * n;
	}
	for (size_t i = 0; i < n && !binary; i++) {
		if (p[i] == '"' || p[i] == '\\')
			buf_char(b, '\\');
		buf_char(b, p[i]);
	}
	buf_char(b, '"');
}

/* `b`: elements, a comma behind each. */
static void array_arg(struct task *t, struct pg_args *a, struct buf *b, size_t n)
{
	if (n > 0)
		b->n--;
	buf_char(b, '}');
	pg_arg_str(t, a, arena_str(task_arena(t), buf_view(b)));
	buf_free(b);
}

void pg_arg_strs(struct task *t, struct pg_args *a, const struct str *p, size_t n)
{
	struct buf b = {0};

	if (!p) {
		pg_arg_null(a);
		return;
	}
	buf_char(&b, '{');
	for (size_t i = 0; i < n; i++) {
		pg_array_put(&b, p[i].p, p[i].n, false);
		buf_char(&b, ',');
	}
	array_arg(t, a, &b, n);
}

void pg_arg_i64s(struct task *t, struct pg_args *a, const int64_t *p, size_t n)
{
	struct buf b = {0};

	if (!p) {
		pg_arg_null(a);
		return;
	}
	buf_char(&b, '{');
	for (size_t i = 0; i < n; i++) {
		buf_i64(&b, p[i]);
		buf_char(&b, ',');
	}
	array_arg(t, a, &b, n);
}
