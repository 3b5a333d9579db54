/* The clocks of a loop turn, and RFC 3339 text.
 *
 * Owns: the two readings of this turn and the offset that tests add to them.
 * Dates are worked out by days and eras of 400 years (146097 days), with March as the first month,
 * so that the leap day is a year's last: no tables, no libc, no time zone. */
#include "base/clock.h"

#include <time.h>

#define US_DAY  INT64_C(86400000000)
#define US_MIN  (-INT64_C(62167219200000000)) /* 0000-01-01T00:00:00Z */
#define US_MAX  INT64_C(253402300799999999)   /* 9999-12-31T23:59:59.999999Z */
#define ERA     146097
#define TO_1970 719468 /* days from 0000-03-01 to 1970-01-01 */

static struct {
	int64_t ms, us, ns;
	int64_t offset_ms;
	bool read;
} now;

static int64_t read_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

void clock_refresh(void)
{
	now.ns = read_ns(CLOCK_MONOTONIC);
	now.ms = now.ns / 1000000 + now.offset_ms;
	now.us = read_ns(CLOCK_REALTIME) / 1000 + now.offset_ms * 1000;
	now.read = true;
}

int64_t clock_ms(void)
{
	if (!now.read)
		clock_refresh();
	return now.ms;
}

int64_t clock_us(void)
{
	if (!now.read)
		clock_refresh();
	return now.us;
}

int64_t clock_turn_ns(void)
{
	if (!now.read)
		clock_refresh();
	return now.ns;
}

int64_t clock_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

void clock_advance(int64_t ms)
{
	now.offset_ms += ms;
	clock_refresh();
}

struct date {
	int64_t year;
	unsigned month, day; /* from 1 */
};

/* `days` since 1970-01-01, not before the year 0. */
static struct date date_of(int64_t days)
{
	uint32_t z = (uint32_t)(days + TO_1970 +
				ERA); /* an era more, so that January 0000 is positive */
	uint32_t era = z / ERA, doe = z % ERA;
	uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	uint32_t mp = (5 * doy + 2) / 153; /* months since March */
	uint32_t month = mp < 10 ? mp + 3 : mp - 9;

	return (struct date){
		.year = (int64_t)yoe + ((int64_t)era - 1) * 400 + (month <= 2),
		.month = month,
		.day = doy - (153 * mp + 2) / 5 + 1,
	};
}

static int64_t date_days(struct date d)
{
	int64_t y = d.year + 400 - (d.month <= 2); /* positive, as above */
	int64_t era = y / 400, yoe = y % 400;
	int64_t doy = (153 * ((int64_t)d.month + (d.month > 2 ? -3 : 9)) + 2) / 5 + d.day - 1;

	return (era - 1) * ERA + yoe * 365 + yoe / 4 - yoe / 100 + doy - TO_1970;
}

static char *put_two(char *out, uint32_t v)
{
	*out++ = (char)('0' + v / 10);
	*out++ = (char)('0' + v % 10);
	return out;
}

void time_format(int64_t us, char out[TIME_LEN])
{
	int64_t days;
	uint32_t seconds, fraction;
	struct date d;

	us = us < US_MIN ? US_MIN : us > US_MAX ? US_MAX : us;
	days = us / US_DAY - (us % US_DAY < 0);
	us -= days * US_DAY;
	seconds = (uint32_t)(us / 1000000);
	fraction = (uint32_t)(us % 1000000);
	d = date_of(days);

	out = put_two(out, (uint32_t)d.year / 100);
	out = put_two(out, (uint32_t)d.year % 100);
	*out++ = '-';
	out = put_two(out, d.month);
	*out++ = '-';
	out = put_two(out, d.day);
	*out++ = 'T';
	out = put_two(out, seconds / 3600);
	*out++ = ':';
	out = put_two(out, seconds / 60 % 60);
	*out++ = ':';
	out = put_two(out, seconds % 60);
	*out++ = '.';
	out = put_two(out, fraction / 10000);
	out = put_two(out, fraction / 100 % 100);
	out = put_two(out, fraction % 100);
	*out = 'Z';
}

/* ---- parsing: each step takes its part off the front ---- */

static bool take_digits(struct str *s, size_t width, unsigned *out)
{
	*out = 0;
	if (s->n < width)
		return false;
	for (size_t i = 0; i < width; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		*out = *out * 10 + (unsigned)(s->p[i] - '0');
	}
	*s = str_from(*s, width);
	return true;
}

static bool take_char(struct str *s, char c)
{
	if (s->n == 0 || (s->p[0] != c && s->p[0] != (c | 0x20)))
		return false;
	*s = str_from(*s, 1);
	return true;
}

static unsigned month_days(unsigned year, unsigned month)
{
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	if (month == 2)
		return leap ? 29 : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

static bool take_date(struct str *s, int64_t *days)
{
	unsigned year, month, day;

	if (!take_digits(s, 4, &year) || !take_char(s, '-') || !take_digits(s, 2, &month) ||
		!take_char(s, '-') || !take_digits(s, 2, &day))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > month_days(year, month))
		return false;
	*days = date_days((struct date){year, month, day});
	return true;
}

static bool take_time(struct str *s, int64_t *us)
{
	unsigned hour, minute, second, digit, count = 0;
	int64_t scale = 100000;

	if (!take_digits(s, 2, &hour) || !take_char(s, ':') || !take_digits(s, 2, &minute) ||
		!take_char(s, ':') || !take_digits(s, 2, &second))
		return false;
	if (hour > 23 || minute > 59 || second > 59)
		return false;
	*us = (int64_t)(hour * 3600 + minute * 60 + second) * 1000000;
	if (!take_char(s, '.'))
		return true;
	for (; take_digits(s, 1, &digit); count++, scale /= 10)
		*us += digit * scale;
	return count >= 1 && count <= 9;
}

static bool take_offset(struct str *s, int64_t *us)
{
	unsigned hours, minutes;
	bool west;

	*us = 0;
	if (take_char(s, 'Z'))
		return true;
	west = s->n > 0 && s->p[0] == '-';
	if (!west && !(s->n > 0 && s->p[0] == '+'))
		return false;
	*s = str_from(*s, 1);
	if (!take_digits(s, 2, &hours) || !take_char(s, ':') || !take_digits(s, 2, &minutes) ||
		hours > 23 || minutes > 59)
		return false;
	*us = (int64_t)(hours * 60 + minutes) * (west ? -60000000 : 60000000);
	return true;
}

bool time_parse(struct str s, int64_t *us)
{
	int64_t days, of_day, offset;

	if (!take_date(&s, &days) || !take_char(&s, 'T') || !take_time(&s, &of_day) ||
		!take_offset(&s, &offset) || s.n != 0)
		return false;
	*us = days * US_DAY + of_day - offset;
	return true;
}
