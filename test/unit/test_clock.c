/* Clocks and RFC 3339, with the C library's calendar as the judge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

#include "base/clock.h"

#define SECOND INT64_C(1000000)
#define FIRST  (INT64_C(-62167219200) * SECOND)     /* 0000-01-01T00:00:00Z */
#define LAST   (INT64_C(253402300800) * SECOND - 1) /* the end of 9999 */

static void check(int64_t us)
{
	char mine[TIME_LEN + 1] = {0}, theirs[64];
	int64_t micro = ((us % SECOND) + SECOND) % SECOND, back = 0;
	time_t t = (us - micro) / SECOND;
	struct tm tm;

	gmtime_r(&t, &tm);
	snprintf(theirs, sizeof(theirs), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900,
		tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)micro);
	time_format(us, mine);
	assert_string_equal(mine, theirs);
	assert_true(time_parse(str_make(mine, TIME_LEN), &back));
	assert_int_equal(back, us);
}

static void round_trips(void **state)
{
	(void)state;
	check(0);
	check(-1);
	check(1);
	check(INT64_C(1774973003763528));
	check(FIRST);
	check(LAST);
	for (int64_t day = -719528; day <= 2932896; day += 1) /* every day of the 10,000 years */
		if (day % 7 == 0 || (day > -200 * 366 && day < 200 * 366))
			check(day * 86400 * SECOND + (day % 86399 + 86399) % 86399 * SECOND +
				999999);
}

static void clamps(void **state)
{
	char text[TIME_LEN + 1] = {0};

	(void)state;
	time_format(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999999Z");
	time_format(INT64_MIN, text);
	assert_string_equal(text, "0000-01-01T00:00:00.000000Z");
}

static int64_t parsed(const char *text)
{
	int64_t us = -77;

	if (!time_parse(str_of(text), &us))
		fail_msg("not parsed: %s", text);
	return us;
}

static void parses(void **state)
{
	const int64_t base = INT64_C(1774972996) * SECOND; /* 2026-03-31T16:03:16Z */

	(void)state;
	assert_int_equal(parsed("2026-03-31T16:03:16Z"), base);
	assert_int_equal(parsed("2026-03-31t16:03:16z"), base);
	assert_int_equal(parsed("2026-03-31T16:03:16.7Z"), base + 700000);
	assert_int_equal(parsed("2026-03-31T16:03:16.763528Z"), base + 763528);
	assert_int_equal(parsed("2026-03-31T16:03:16.763528999Z"), base + 763528);
	assert_int_equal(parsed("2026-03-31T18:03:16+02:00"), base);
	assert_int_equal(parsed("2026-03-31T10:33:16-05:30"), base);
	assert_int_equal(parsed("2026-03-31T16:03:16-00:00"), base);
	assert_int_equal(parsed("2026-04-01T00:03:16+08:00"), base); /* another day there */
	assert_int_equal(parsed("2000-02-29T00:00:00Z"), INT64_C(951782400) * SECOND);
	assert_int_equal(parsed("2024-02-29T00:00:00Z"), INT64_C(1709164800) * SECOND);
}

static void refuses(void **state)
{
	static const char *const bad[] = {"", "2026", "2026-03-31", "2026-03-31T16:03:16",
		"2026-03-31 16:03:16Z", "2026-03-31T16:03Z", "2026-3-31T16:03:16Z",
		"2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-00T00:00:00Z",
		"2026-01-32T00:00:00Z", "2026-04-31T00:00:00Z", "2026-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.Z",
		"2026-01-01T00:00:00.1234567890Z", "2026-01-01T00:00:00,5Z",
		"2026-01-01T00:00:00+0200", "2026-01-01T00:00:00+24:00",
		"2026-01-01T00:00:00+01:60", "2026-01-01T00:00:00+01", "2026-01-01T00:00:00ZZ",
		"2026-01-01T00:00:00Z ", " 2026-01-01T00:00:00Z", "+026-01-01T00:00:00Z",
		"02026-01-01T00:00:00Z"};
	int64_t us;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (time_parse(str_of(bad[i]), &us))
			fail_msg("parsed: %s", bad[i]);
	assert_false(time_parse(STR_NULL, &us));
}

static void readings_stand_still_in_a_turn(void **state)
{
	int64_t ms = clock_ms(), us = clock_us(), start = clock_ns();

	(void)state;
	while (clock_ns() - start < 3000000)
		;
	assert_int_equal(clock_ms(), ms);
	assert_int_equal(clock_us(), us);
	clock_refresh();
	assert_true(clock_ms() >= ms + 2);
	assert_true(clock_us() > us);
	assert_true(clock_us() / SECOND - time(NULL) <= 1 && time(NULL) - clock_us() / SECOND <= 1);
}

static void advances(void **state)
{
	int64_t ms = clock_ms(), us = clock_us();

	(void)state;
	clock_advance(3600000);
	assert_true(clock_ms() >= ms + 3600000 && clock_ms() < ms + 3660000);
	assert_true(clock_us() >= us + 3600 * SECOND && clock_us() < us + 3660 * SECOND);
	clock_refresh();
	assert_true(clock_ms() >= ms + 3600000); /* the offset stays */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips),
		cmocka_unit_test(clamps),
		cmocka_unit_test(parses),
		cmocka_unit_test(refuses),
		cmocka_unit_test(readings_stand_still_in_a_turn),
		cmocka_unit_test(advances),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
