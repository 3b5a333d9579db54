/* Redis' arguments and replies: building argument lists, encoding them as RESP, reading replies.
 *
 * Arguments that are formatted live in the task's arena; all are copied when the command is
 * encoded. A redis_value is hiredis' redisReply under another name; it lives while the decoder
 * runs.
 *
 * To add another kind of argument or another accessor: here and in redis.h. */
#include "io/redis_private.h"

#include <stdarg.h>
#include <hiredis/hiredis.h>

void redis_arg(struct redis_args *a, struct str s)
{
	ASSERT(a->n < REDIS_ARGS);
	a->v[a->n++] = s;
}

/* A conversion of a key's format; returns its length. By hand: a request has some keys, and printf
 * takes a quarter of a microsecond for each. */
static size_t key_part(struct buf *b, const char *fmt, va_list *ap)
{
	if (strncmp(fmt, "%lld", 4) == 0) {
		buf_i64(b, va_arg(*ap, long long));
		return 4;
	}
	if (strncmp(fmt, "%.*s", 4) == 0) {
		int n = va_arg(*ap, int);

		buf_put(b, va_arg(*ap, const char *), (size_t)n);
		return 4;
	}
	if (strncmp(fmt, "%s", 2) != 0)
		PANIC("a key with %s", fmt);
	buf_str(b, str_of(va_arg(*ap, const char *)));
	return 2;
}

void redis_key(struct task *t, struct redis_args *a, const char *fmt, ...)
{
	static struct buf text;
	va_list ap;

	text.n = 0;
	va_start(ap, fmt);
	while (*fmt) {
		size_t plain = strcspn(fmt, "%");

		buf_put(&text, fmt, plain);
		fmt += plain;
		if (*fmt)
			fmt += key_part(&text, fmt, &ap);
	}
	va_end(ap);
	redis_arg(a, arena_str(task_arena(t), buf_view(&text)));
	a->keys++;
}

void redis_arg_i64(struct task *t, struct redis_args *a, int64_t v)
{
	redis_arg(a, arena_i64(task_arena(t), v));
}

void redis_put_head(struct buf *b, int n)
{
	buf_char(b, '*');
	buf_i64(b, n);
	buf_lit(b, "\r\n");
}

void redis_put(struct buf *b, struct str s)
{
	buf_char(b, '$');
	buf_i64(b, (int64_t)s.n);
	buf_lit(b, "\r\n");
	buf_str(b, s);
	buf_lit(b, "\r\n");
}

void redis_put_command(struct buf *b, int n, const struct str *parts)
{
	redis_put_head(b, n);
	for (int i = 0; i < n; i++)
		redis_put(b, parts[i]);
}

void redis_put_args(struct buf *b, const struct redis_args *a)
{
	for (int i = 0; i < a->n; i++)
		redis_put(b, a->v[i]);
}

static const redisReply *reply_of(const struct redis_value *v)
{
	return (const redisReply *)(const void *)v;
}

bool redis_is_nil(const struct redis_value *v)
{
	return !v || reply_of(v)->type == REDIS_REPLY_NIL;
}

struct str redis_str(const struct redis_value *v)
{
	const redisReply *r = reply_of(v);

	if (!r || (r->type != REDIS_REPLY_STRING && r->type != REDIS_REPLY_STATUS))
		return STR_NULL;
	return str_make(r->str, r->len);
}

int64_t redis_i64(const struct redis_value *v)
{
	int64_t n;

	if (v && reply_of(v)->type == REDIS_REPLY_INTEGER)
		return reply_of(v)->integer;
	return str_to_i64(redis_str(v), &n) ? n : 0;
}

size_t redis_len(const struct redis_value *v)
{
	return v && reply_of(v)->type == REDIS_REPLY_ARRAY ? reply_of(v)->elements : 0;
}

const struct redis_value *redis_at(const struct redis_value *v, size_t i)
{
	return i < redis_len(v) ? (const struct redis_value *)(const void *)reply_of(v)->element[i]
				: NULL;
}
