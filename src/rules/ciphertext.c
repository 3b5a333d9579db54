/* Looks at a bundle once, from left to right, and keeps nothing: it is on the way of every message.
 *
 * To allow another member: enum member, member_of and scan_value. */
#include "rules/ciphertext.h"

#define EPOCH_MAX INT64_C(9007199254740991)

enum member {
	MEMBER_V = 1,
	MEMBER_EPOCH = 2,
	MEMBER_CT = 4,
	MEMBER_ALL = 7
};

struct scan {
	const char *p, *end;
};

static void scan_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

/* The character, with white space around it. */
static bool scan_char(struct scan *s, char c)
{
	scan_space(s);
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	scan_space(s);
	return true;
}

/* A string without escapes. */
static bool scan_string(struct scan *s, struct str *out)
{
	const char *quote;

	if (s->p == s->end || *s->p != '"')
		return false;
	s->p++;
	quote = memchr(s->p, '"', (size_t)(s->end - s->p));
	if (!quote)
		return false;
	*out = str_make(s->p, (size_t)(quote - s->p));
	s->p = quote + 1;
	return true;
}

/* An integer from 1 on. */
static bool scan_positive(struct scan *s, int64_t *out)
{
	const char *first = s->p;
	int64_t n = 0;

	for (; s->p < s->end && *s->p >= '0' && *s->p <= '9' && n <= EPOCH_MAX; s->p++)
		n = n * 10 + (*s->p - '0');
	*out = n;
	return s->p > first && *first != '0' && n <= EPOCH_MAX;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

bool base64_check(struct str s, size_t *bytes)
{
	static const bool digit[256] = {['A' ... 'Z'] = true,
		['a' ... 'z'] = true,
		['0' ... '9'] = true,
		['+'] = true,
		['/'] = true};
	size_t pad = 0;
	bool ok = true;

	if (s.n == 0 || s.n % 4 != 0)
		return false;
	while (pad < 2 && s.p[s.n - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < s.n - pad; i++)
		ok &= digit[(unsigned char)s.p[i]];
	*bytes = s.n / 4 * 3 - pad;
	/* One digit of padding leaves two bits over, two leave four. */
	return ok && (pad == 0 || (base64_value(s.p[s.n - 1 - pad]) & (pad == 1 ? 3 : 15)) == 0);
}

static unsigned member_of(struct str key)
{
	if (str_eq(key, STR("v")))
		return MEMBER_V;
	if (str_eq(key, STR("epoch")))
		return MEMBER_EPOCH;
	return str_eq(key, STR("ct")) ? MEMBER_CT : 0;
}

static bool scan_value(struct scan *s, unsigned member, int64_t *epoch)
{
	struct str ct;
	int64_t version;
	size_t bytes;

	switch (member) {
	case MEMBER_V:
		return scan_positive(s, &version) && version == 2;
	case MEMBER_EPOCH:
		return scan_positive(s, epoch);
	case MEMBER_CT:
		return scan_string(s, &ct) && base64_check(ct, &bytes) && bytes >= CIPHERTEXT_LEAST;
	default:
		return false;
	}
}

bool ciphertext_check(struct str content, int64_t *epoch)
{
	struct scan s = {content.p, content.p + content.n};
	unsigned seen = 0;

	if (content.n > CIPHERTEXT_MAX || content.n == 0 || !scan_char(&s, '{'))
		return false;
	while (seen != MEMBER_ALL) {
		struct str key;
		unsigned member;

		if ((seen && !scan_char(&s, ',')) || !scan_string(&s, &key) || !scan_char(&s, ':'))
			return false;
		member = member_of(key);
		if ((seen & member) || !scan_value(&s, member, epoch))
			return false;
		seen |= member;
	}
	return scan_char(&s, '}') && s.p == s.end;
}
