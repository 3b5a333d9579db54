/* Byte slices and UTF-8.
 *
 * Owns: nothing, and allocates nothing; every slice points into its caller's memory.
 * str_hash stands in secret.c, which has the keyed hash. */
#include "base/str.h"

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool str_eq_nocase(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

bool str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq(str_make(s.p, prefix.n), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n && str_eq(str_from(s, s.n - suffix.n), suffix);
}

struct str str_trim(struct str s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = str_from(s, 1);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

struct str str_from(struct str s, size_t at)
{
	if (at > s.n)
		at = s.n;
	return str_make(s.p ? s.p + at : NULL, s.n - at);
}

struct str str_cut(struct str *rest, char sep)
{
	struct str all = *rest;
	ptrdiff_t at = str_find(all, sep);

	if (at < 0) {
		*rest = STR_NULL;
		return all;
	}
	*rest = str_from(all, (size_t)at + 1);
	return str_make(all.p, (size_t)at);
}

ptrdiff_t str_find(struct str s, char c)
{
	const char *hit = s.n > 0 ? memchr(s.p, c, s.n) : NULL;

	return hit ? hit - s.p : -1;
}

bool str_to_i64(struct str s, int64_t *out)
{
	bool minus = s.n > 0 && s.p[0] == '-';
	int64_t v = 0;

	if (s.n == (minus ? 1 : 0))
		return false;
	for (size_t i = minus; i < s.n; i++) {
		int digit = s.p[i] - '0';

		if (digit < 0 || digit > 9)
			return false;
		/* Counted downwards: INT64_MIN has no positive twin. */
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, digit, &v))
			return false;
	}
	if (!minus && v == INT64_MIN)
		return false;
	*out = minus ? v : -v;
	return true;
}

size_t i64_text(int64_t v, char out[I64_TEXT])
{
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	size_t n = (v < 0) + 1;

	for (uint64_t power = 10; u >= power; power *= 10)
		n++;
	for (size_t at = n; at > (v < 0); u /= 10)
		out[--at] = (char)('0' + u % 10);
	if (v < 0)
		out[0] = '-';
	return n;
}

/* How many bytes of plain ASCII come first, in steps of eight. */
static size_t ascii_run(const char *p, size_t n)
{
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		uint64_t word;

		memcpy(&word, p + i, 8);
		if (word & 0x8080808080808080u)
			break;
	}
	return i;
}

static bool is_tail(uint8_t b)
{
	return (b & 0xC0) == 0x80;
}

/* Length of the sequence at u[0], which has `left` bytes; 0 when it is none (RFC 3629, section 4).
 */
static size_t utf8_sequence(const uint8_t *u, size_t left)
{
	if (u[0] < 0x80)
		return 1;
	if (u[0] >= 0xC2 && u[0] <= 0xDF)
		return left >= 2 && is_tail(u[1]) ? 2 : 0;
	if (u[0] >= 0xE0 && u[0] <= 0xEF) {
		if (left < 3 || !is_tail(u[1]) || !is_tail(u[2]))
			return 0;
		if ((u[0] == 0xE0 && u[1] < 0xA0) || (u[0] == 0xED && u[1] > 0x9F))
			return 0; /* overlong; surrogate */
		return 3;
	}
	if (u[0] >= 0xF0 && u[0] <= 0xF4) {
		if (left < 4 || !is_tail(u[1]) || !is_tail(u[2]) || !is_tail(u[3]))
			return 0;
		if ((u[0] == 0xF0 && u[1] < 0x90) || (u[0] == 0xF4 && u[1] > 0x8F))
			return 0; /* overlong; past U+10FFFF */
		return 4;
	}
	return 0;
}

bool utf8_valid(struct str s)
{
	size_t i = ascii_run(s.p, s.n);

	while (i < s.n) {
		size_t step = utf8_sequence((const uint8_t *)s.p + i, s.n - i);

		if (step == 0)
			return false;
		i += step;
	}
	return true;
}

size_t utf8_length(struct str s)
{
	size_t count = 0;

	for (size_t i = 0; i < s.n; i++)
		count += !is_tail((uint8_t)s.p[i]);
	return count;
}
