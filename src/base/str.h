/* Byte slices. A `struct str` owns nothing; it points into an arena, a buffer or a literal.
 * It is not terminated by NUL. An absent string has p == NULL; an empty one p != NULL, n == 0. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

#define STR(lit)   ((struct str){"" lit, sizeof(lit) - 1})
#define STR_NULL   ((struct str){NULL, 0})
#define STR_FMT    "%.*s"
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : ""

static inline struct str str_of(const char *z) /* NULL gives STR_NULL */
{
	return (struct str){z, z ? strlen(z) : 0};
}

static inline struct str str_make(const char *p, size_t n)
{
	return (struct str){p, n};
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_eq_nocase(struct str a, struct str b); /* ASCII case only */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
struct str str_trim(struct str s);            /* spaces and tabs, both ends */
struct str str_from(struct str s, size_t at); /* the rest from `at`; empty past the end */

/* Cuts `*rest` at the first `sep`: returns what stood before it, leaves what follows in *rest.
 * Without `sep` returns all and leaves STR_NULL. */
struct str str_cut(struct str *rest, char sep);
/* Position of the first `c` or -1. */
ptrdiff_t str_find(struct str s, char c);

#define I64_TEXT 20
size_t i64_text(int64_t v, char out[I64_TEXT]); /* decimal, no NUL; returns its length */
/* Decimal, the whole slice, no sign but '-', no spaces. False when it does not fit. */
bool str_to_i64(struct str s, int64_t *out);

bool utf8_valid(struct str s);    /* RFC 3629: no surrogates, no overlong forms, <= U+10FFFF */
size_t utf8_length(struct str s); /* code points; s must be valid */

/* Keyed per process (SipHash, in secret.c), for tables fed by strangers. */
uint64_t str_hash(struct str s);

#endif
