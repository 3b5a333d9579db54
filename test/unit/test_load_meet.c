/* The checker on those who search and meet: a clean history holds, and each fault that is planted
 * is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../load/check.h"
#include "base/secret.h"

/* Seconds, and the line. 1 and 2 meet twice: 2 leaves the first chat, 1 is away from the second for
 * longer than the grace. Nobody may meet 3. */
static const char *const clean[] = {"0 grace 60", "0 open 1 1 0", "0 open 2 1 0", "0 open 3 1 0",
	"1 search 1 0,1", "1 search 3 2", "10 met 1 7 0,1", "10 met 2 7 1", "10 joined 1 7 - 0",
	"10 joined 2 7 - 0", "11 keyed 1 7", "11 keyed 2 7", "12 sent 1 7 ab-1-0",
	"12 got 1 7 100-0 ab-1-0 live", "12 got 2 7 100-0 ab-1-0 live", "12 acked 1 7 ab-1-0 100-0",
	"13 sent 2 7 ab-2-0", "13 acked 2 7 ab-2-0 101-0", "13 got 1 7 101-0 ab-2-0 live",
	"13 got 2 7 101-0 ab-2-0 live", "14 sent 2 7 ab-2-1", "14 acked 2 7 ab-2-1 102-0",
	"15 left 2 7", "15 ended 2 7 left", "16 ended 1 7 left", "20 met 1 8 any", "20 met 2 8 0",
	"20 joined 1 8 - 0", "20 joined 2 8 - 0", "21 keyed 1 8", "21 keyed 2 8", "22 lost 1",
	"22 sent 2 8 ab-2-2", "22 got 2 8 103-0 ab-2-2 live", "22 acked 2 8 ab-2-2 103-0",
	"90 ended 2 8 grace", "95 open 1 2 0", "95 ended 1 8 gone", "100 idle 3", NULL};

struct swap { /* a line, and those that stand in its place, or "" */
	const char *line, *by;
};

static void line_put(struct buf *b, struct str line)
{
	struct str rest = line, seconds = str_cut(&rest, ' ');

	buf_printf(b, STR_FMT "000000 " STR_FMT "\n", STR_ARG(seconds), STR_ARG(rest));
}

static struct verdict proved(const struct swap *swaps, size_t n)
{
	struct buf b = {0};
	struct verdict v;
	size_t swapped = 0;

	for (const char *const *line = clean; *line; line++) {
		struct str lines = str_of(*line);

		for (size_t i = 0; i < n; i++)
			if (strcmp(*line, swaps[i].line) == 0) {
				lines = str_of(swaps[i].by);
				swapped++;
			}
		while (lines.n > 0)
			line_put(&b, str_cut(&lines, '\n'));
	}
	assert_int_equal(swapped, n);
	history_prove(buf_view(&b), false, &v);
	buf_free(&b);
	return v;
}

/* Faults of this kind and of no other. */
static void expect(const struct swap *swaps, size_t n, enum fault f, uint64_t faults)
{
	struct verdict v = proved(swaps, n);

	if (v.faults[f] != faults || v.violations != faults)
		fail_msg("%llu faults, %llu of kind %s; told:\n" STR_FMT,
			(unsigned long long)v.violations, (unsigned long long)v.faults[f],
			fault_name(f), STR_ARG(buf_view(&v.offences)));
	verdict_free(&v);
}

#define EXPECT(f, faults, ...)                                                                     \
	expect((const struct swap[]){__VA_ARGS__},                                                 \
		sizeof((const struct swap[]){__VA_ARGS__}) / sizeof(struct swap), f, faults)

static void clean_holds(void **state)
{
	struct verdict v = proved(NULL, 0);

	(void)state;
	assert_int_equal(v.violations, 0);
	assert_int_equal(v.chats, 2);
	assert_int_equal(v.left, 1);
	verdict_free(&v);
}

static void two_who_wait(void **state)
{
	(void)state;
	EXPECT(FAULT_WAITS, 1, {"0 open 3 1 0", "0 open 3 1 0\n0 open 4 1 0\n0 search 4 2,3"});
	EXPECT(FAULT_WAITS, 1, {"100 idle 3", "0 open 4 1 0\n1 search 4 any\n100 open 5 1 0"});
	/* One was away in between, or both not long enough there. */
	EXPECT(FAULT_WAITS, 0, {"1 search 3 2", "0 open 4 1 0\n0 search 4 2\n1 search 3 2"},
		{"22 lost 1", "50 lost 3\n51 open 3 2 0\n22 lost 1"});
	EXPECT(FAULT_WAITS, 0, {"100 idle 3", "50 open 4 1 0\n50 search 4 2\n100 idle 3"});
}

static void who_may_not_meet(void **state)
{
	(void)state;
	EXPECT(FAULT_PAIR, 1, {"10 met 2 7 1", "10 met 2 7 2"});
	EXPECT(FAULT_PAIR, 1, {"20 met 2 8 0", "20 met 2 8 0\n21 met 3 8 any"},
		{"100 idle 3", "100 ended 3 8 grace"});
	EXPECT(FAULT_PAIR, 1, {"16 ended 1 7 left", ""}, {"100 idle 3", "100 ended 1 7 left"});
	EXPECT(FAULT_PAIR, 1, {"11 keyed 1 7", "11 keyed 1 7\n11 search 1 any\n11 idle 1"});
}

static void no_key(void **state)
{
	const struct swap ends[] = {{"11 keyed 1 7", ""}, {"15 ended 2 7 left", ""},
		{"16 ended 1 7 left", "80 ended 1 7 left\n80 ended 2 7 left"}};

	(void)state;
	expect(ends, 3, FAULT_KEYLESS, 1);
	expect(ends, 1, FAULT_KEYLESS, 0);
}

static void an_end_without_a_reason(void **state)
{
	(void)state;
	EXPECT(FAULT_ENDED, 2, {"15 left 2 7", ""}, {"14 acked 2 7 ab-2-1 102-0", ""});
	EXPECT(FAULT_ENDED, 1, {"22 lost 1", "60 lost 1"}, {"95 open 1 2 0", ""},
		{"95 ended 1 8 gone", "120 ended 1 8 gone"});
}

/* 3 lost its socket as it was found, and never heard of it. */
static void who_never_knew(void **state)
{
	(void)state;
	EXPECT(FAULT_ENDED, 0, {"100 idle 3", "101 lost 3\n102 met 1 9 2\n170 ended 1 9 grace"});
	EXPECT(FAULT_ENDED, 0,
		{"100 idle 3", "101 lost 3\n102 met 1 9 2\n170 open 3 2 0\n171 ended 1 9 grace"});
	EXPECT(FAULT_ENDED, 1,
		{"100 idle 3", "101 lost 3\n102 met 1 9 2\n130 open 3 2 0\n"
			       "170 ended 1 9 grace"});
}

static void what_was_not_heard(void **state)
{
	(void)state;
	EXPECT(FAULT_LOST, 1, {"13 got 1 7 101-0 ab-2-0 live", ""});
	EXPECT(FAULT_LOST, 1, {"12 got 2 7 100-0 ab-1-0 live", ""});
	/* The echo of one's own. */
	EXPECT(FAULT_LOST, 0, {"12 got 1 7 100-0 ab-1-0 live", ""});
	/* A chat that the grace ended: 1 has the second, and not the first. */
	EXPECT(FAULT_LOST, 1,
		{"22 lost 1", "22 sent 2 8 ab-2-2\n22 acked 2 8 ab-2-2 103-0\n"
			      "22 got 2 8 103-0 ab-2-2 live\n22 sent 2 8 ab-2-3\n"
			      "22 got 1 8 104-0 ab-2-3 live\n22 got 2 8 104-0 ab-2-3 live\n"
			      "22 lost 1"},
		{"22 sent 2 8 ab-2-2", ""}, {"22 got 2 8 103-0 ab-2-2 live", ""},
		{"22 acked 2 8 ab-2-2 103-0", ""});
	/* One that goes on when the run is over. */
	EXPECT(FAULT_LOST, 1, {"95 ended 1 8 gone", "95 joined 1 8 - 0\n95 end 1 8 1"},
		{"90 ended 2 8 grace", "90 end 2 8 1"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clean_holds),
		cmocka_unit_test(two_who_wait),
		cmocka_unit_test(who_may_not_meet),
		cmocka_unit_test(no_key),
		cmocka_unit_test(an_end_without_a_reason),
		cmocka_unit_test(who_never_knew),
		cmocka_unit_test(what_was_not_heard),
	};

	if (secret_setup(STR("")) != OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
