/* The checker of load runs: a clean history holds, and each fault that is planted is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../load/check.h"
#include "base/secret.h"

#define CLIENTS 6
#define ROUNDS  20

/* A clean history: all clients in room 7; message k is client k mod CLIENTS', acknowledged as
 * 1000-k; client 2 is cut in the middle and comes back. */
static void clean(struct buf *b)
{
	unsigned k = 0;

	for (unsigned c = 0; c < CLIENTS; c++)
		buf_printf(b, "10 open %u 1 0\n20 joined %u 7 - 0\n20 got %u 7 999-%u - join\n", c,
			c, c, c);
	for (; k < CLIENTS * ROUNDS; k++) {
		unsigned from = k % CLIENTS, number = k / CLIENTS;
		bool away = k >= 50 && k < 60;

		buf_printf(b, "%u sent %u 7 ab-%u-%u\n", 100 + k, from, from, number);
		if (k == 55)
			buf_printf(b, "155 again %u 7 ab-%u-%u\n", from, from, number);
		if (k == 50)
			buf_printf(b, "150 lost 2\n");
		for (unsigned c = 0; c < CLIENTS; c++)
			if (c != 2 || !away)
				buf_printf(b, "%u got %u 7 1000-%u ab-%u-%u live\n", 100 + k, c, k,
					from, number);
		buf_printf(b, "%u acked %u 7 ab-%u-%u 1000-%u\n", 100 + k, from, from, number, k);
		if (k != 59)
			continue;
		buf_printf(b, "159 open 2 2 1\n159 joined 2 7 1000-49 0\n");
		for (unsigned missed = 50; missed < 60; missed++)
			buf_printf(b, "159 got 2 7 1000-%u ab-%u-%u join\n", missed,
				missed % CLIENTS, missed / CLIENTS);
	}
	for (unsigned c = 0; c < CLIENTS; c++)
		buf_printf(b, "900 end %u 7 1\n", c);
}

/* Where a line begins; it must be there. */
static char *line_at(const struct buf *b, const char *line)
{
	char *p = memmem(b->p, b->n, line, strlen(line));

	assert_non_null(p);
	return p;
}

/* Puts `by`, which may be "", in place of the line that begins so. */
static void replace(struct buf *b, const char *line, const char *by)
{
	struct buf out = {0};
	char *at = line_at(b, line);
	char *end = memchr(at, '\n', (size_t)(b->p + b->n - at));

	buf_put(&out, b->p, (size_t)(at - b->p));
	buf_put(&out, by, strlen(by));
	buf_put(&out, end + 1, (size_t)(b->p + b->n - end - 1));
	buf_free(b);
	*b = out;
}

static void spoilt(struct buf *out, const char *line, const char *by)
{
	clean(out);
	replace(out, line, by);
}

static struct verdict proved(struct buf *history, bool gaps)
{
	struct verdict v;

	history_prove(buf_view(history), gaps, &v);
	buf_free(history);
	return v;
}

/* Faults of this kind and of no other, told with the line. */
static void expect(struct verdict v, enum fault f, uint64_t n, const char *told)
{
	if (v.faults[f] != n || v.violations != n ||
		(told && !memmem(v.offences.p, v.offences.n, told, strlen(told))))
		fail_msg("%llu faults, %llu of kind %s; told:\n" STR_FMT,
			(unsigned long long)v.violations, (unsigned long long)v.faults[f],
			fault_name(f), STR_ARG(buf_view(&v.offences)));
	verdict_free(&v);
}

static void planted(const char *line, const char *by, enum fault f, uint64_t n, const char *told)
{
	struct buf b = {0};

	spoilt(&b, line, by);
	expect(proved(&b, false), f, n, told);
}

static void clean_holds(void **state)
{
	struct buf b = {0};
	struct verdict v;

	(void)state;
	clean(&b);
	v = proved(&b, false);
	assert_int_equal(v.acked, CLIENTS * ROUNDS);
	assert_int_equal(v.deliveries, CLIENTS * CLIENTS * ROUNDS);
	assert_int_equal(v.reconnects, 1);
	assert_int_equal(v.resent, 1);
	expect(v, FAULT_LOST, 0, NULL);
}

static void a_lost_one(void **state)
{
	(void)state;
	planted("130 got 4 7 1000-30 ", "", FAULT_LOST, 1, "acked 0 7 ab-0-5 1000-30");
	planted("159 got 2 7 1000-55 ", "", FAULT_LOST, 1, "1000-55"); /* not caught up with */
	/* Never acknowledged, but everybody else has it. */
	planted("130 acked 0 7 ab-0-5 1000-30", "", FAULT_LOST, 0, NULL);
}

static void one_that_nobody_acknowledged(void **state)
{
	struct buf b = {0}, c = {0};

	(void)state;
	/* Nobody has it: all is well. One has it: the others lack it. */
	clean(&b);
	buf_lit(&b, "901 sent 0 7 ab-0-99\n");
	buf_put(&c, b.p, b.n);
	expect(proved(&b, false), FAULT_LOST, 0, NULL);
	buf_lit(&c, "902 got 3 7 2000-0 ab-0-99 live\n");
	expect(proved(&c, false), FAULT_LOST, CLIENTS - 1, "2000-0");
}

static void a_double(void **state)
{
	(void)state;
	planted("130 got 4 7 1000-30 ",
		"130 got 4 7 1000-30 ab-0-5 live\n130 got 4 7 1000-30 ab-0-5 live\n", FAULT_DOUBLE,
		1, "130 got 4 7 1000-30");
	/* On another connection it is one too. */
	planted("159 got 2 7 1000-50 ",
		"159 got 2 7 1000-49 ab-1-8 join\n159 got 2 7 1000-50 ab-2-8 join\n", FAULT_DOUBLE,
		1, "159 got 2 7 1000-49");
}

static void a_swap(void **state)
{
	struct buf b = {0};

	(void)state;
	spoilt(&b, "130 got 4 7 1000-30 ", "");
	replace(&b, "131 got 4 7 1000-31 ",
		"131 got 4 7 1000-31 ab-1-5 live\n131 got 4 7 1000-30 ab-0-5 live\n");
	expect(proved(&b, false), FAULT_DISORDER, 1, "got 4 7 1000-30");
}

/* In the order of the stream, but not in that of the sender. */
static void a_sender_out_of_order(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_lit(&b, "1 joined 0 7 - 0\n1 joined 1 7 - 0\n"
		    "2 sent 0 7 ab-0-0\n3 sent 0 7 ab-0-1\n"
		    "4 got 1 7 5-1 ab-0-1 live\n4 got 0 7 5-1 ab-0-1 live\n"
		    "5 got 1 7 5-2 ab-0-0 live\n5 got 0 7 5-2 ab-0-0 live\n"
		    "6 acked 0 7 ab-0-1 5-1\n6 acked 0 7 ab-0-0 5-2\n"
		    "9 end 0 7 1\n9 end 1 7 1\n");
	expect(proved(&b, false), FAULT_SENDER, 2, "got 1 7 5-2 ab-0-0");
}

static void an_invented_one(void **state)
{
	(void)state;
	planted("130 got 4 7 1000-30 ",
		"130 got 4 7 1000-30 ab-0-5 live\n130 got 4 7 1000-77 ab-9-9 live\n",
		FAULT_INVENTED, 1, "ab-9-9");
	/* Of another room. */
	planted("900 end 0 7 1",
		"899 joined 0 8 - 0\n899 got 0 8 3000-1 ab-1-1 live\n899 end 0 8 1\n900 end 0 7 "
		"1\n",
		FAULT_INVENTED, 1, "899 got 0 8");
	/* Before it was sent. */
	planted("130 sent 0 7 ab-0-5", "130 got 1 7 1000-29 ab-0-5 live\n130 sent 0 7 ab-0-5\n",
		FAULT_INVENTED, 1, NULL);
	planted("130 got 4 7 1000-30 ",
		"130 got 4 7 1000-30 ab-0-5 live\n130 bad 4 7 1000-30 ab-0-5\n", FAULT_CONTENT, 1,
		NULL);
}

static void two_ids_of_one_client_id(void **state)
{
	(void)state;
	planted("130 acked 0 7 ab-0-5 1000-30", "130 acked 0 7 ab-0-5 1000-300\n", FAULT_TWO_IDS, 1,
		"1000-300");
}

static void one_id_of_two(void **state)
{
	struct buf b = {0};
	struct verdict v;

	(void)state;
	buf_lit(&b, "1 joined 0 7 - 0\n2 sent 0 7 ab-0-0\n3 acked 0 7 ab-0-0 5-1\n3 got 0 7 5-1 "
		    "ab-0-0 live\n"
		    "4 joined 1 7 - 0\n4 sent 1 7 ab-1-0\n5 acked 1 7 ab-1-0 5-1\n"
		    "6 refused 0 7 ab-0-0 ERR_MUTED\n9 end 0 7 1\n9 end 1 7 1\n");
	v = proved(&b, false);
	assert_int_equal(v.faults[FAULT_ONE_ID], 1);
	verdict_free(&v);
}

/* Client 2 is told of a gap on its return, and a line is changed. */
static void with_gap(struct buf *b, const char *line, const char *by)
{
	char told[] = "159 joined 2 7 1000-49 0";

	spoilt(b, line, by);
	line_at(b, told)[strlen(told) - 1] = '1';
}

static void gaps_excuse_what_they_cover(void **state)
{
	const char *first = "159 got 2 7 1000-50 ", *later = "170 got 2 7 1000-70 ";
	struct buf b = {0};

	(void)state;
	with_gap(&b, "150 lost 2", "");
	expect(proved(&b, false), FAULT_GAP, 1, "159 joined 2 7 1000-49 1");
	with_gap(&b, first, "");
	expect(proved(&b, true), FAULT_LOST, 0, NULL);
	spoilt(&b, first, ""); /* no gap was told */
	expect(proved(&b, true), FAULT_LOST, 1, "1000-50");
	with_gap(&b, later, ""); /* behind the gap */
	expect(proved(&b, true), FAULT_LOST, 1, "1000-70");
}

/* Seen, lost with the store before its acknowledgement, and sent again under the same client_id. */
static void a_second_id_behind_a_gap(void **state)
{
	static const char text[] =
		"1 joined 0 7 - 0\n1 joined 1 7 - 0\n2 sent 0 7 ab-0-0\n3 got 1 7 5-1 ab-0-0 live\n"
		"4 joined 0 7 - 1\n4 joined 1 7 5-1 1\n5 again 0 7 ab-0-0\n6 got 1 7 6-1 ab-0-0 "
		"live\n"
		"6 got 0 7 6-1 ab-0-0 live\n6 acked 0 7 ab-0-0 6-1\n9 end 0 7 1\n9 end 1 7 1\n";
	struct buf b = {0};
	char *at;

	(void)state;
	buf_put(&b, text, sizeof(text) - 1);
	expect(proved(&b, true), FAULT_TWO_IDS, 0, NULL);
	buf_put(&b, text, sizeof(text) - 1);
	at = line_at(&b, "4 joined 1 7 5-1 1");
	at[17] = '0'; /* only the other was told */
	expect(proved(&b, true), FAULT_DOUBLE, 1, "6 got 1 7 6-1");
}

static void who_is_not_there_at_the_end(void **state)
{
	(void)state;
	planted("900 end 3 7 1", "900 end 3 7 0\n", FAULT_ABSENT, 1, NULL);
	planted("900 end 3 7 1", "", FAULT_HISTORY, 1, NULL);
}

static void a_history_that_is_none(void **state)
{
	static const char *const lines[] = {"", "1 joined 0 7\n", "x sent 0 7 ab-0-0\n",
		"1 what 0\n", "1 sent 0 7 ab-1-0\n", "1 acked 0 7 ab-0-0 5-1\n",
		"1 got 0 7 5 - live\n", "1 sent 0 7"};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct buf b = {0};
		struct verdict v;

		buf_put(&b, lines[i], strlen(lines[i]));
		v = proved(&b, false);
		assert_true(v.faults[FAULT_HISTORY] > 0);
		verdict_free(&v);
	}
}

/* Whatever line of a client's arrivals is missing, or comes twice, it is found. */
static void any_arrival(void **state)
{
	struct buf b = {0}, out = {0};
	size_t lines = 0;

	(void)state;
	clean(&b);
	for (size_t at = 0; at < b.n;) {
		const char *end = memchr(b.p + at, '\n', b.n - at);
		size_t n = (size_t)(end + 1 - (b.p + at));
		struct str line = str_make(b.p + at, n);

		if (memmem(line.p, line.n, " got ", 5) && memmem(line.p, line.n, " ab-", 4)) {
			lines++;
			buf_put(&out, b.p, at);
			buf_put(&out, b.p + at + n, b.n - at - n);
			expect(proved(&out, false), FAULT_LOST, 1, NULL);
			buf_put(&out, b.p, at + n);
			buf_put(&out, b.p + at, b.n - at);
			expect(proved(&out, false), FAULT_DOUBLE, 1, NULL);
		}
		at += n;
	}
	assert_int_equal(lines, CLIENTS * CLIENTS * ROUNDS);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clean_holds),
		cmocka_unit_test(a_lost_one),
		cmocka_unit_test(one_that_nobody_acknowledged),
		cmocka_unit_test(a_double),
		cmocka_unit_test(a_swap),
		cmocka_unit_test(a_sender_out_of_order),
		cmocka_unit_test(an_invented_one),
		cmocka_unit_test(two_ids_of_one_client_id),
		cmocka_unit_test(one_id_of_two),
		cmocka_unit_test(gaps_excuse_what_they_cover),
		cmocka_unit_test(a_second_id_behind_a_gap),
		cmocka_unit_test(who_is_not_there_at_the_end),
		cmocka_unit_test(a_history_that_is_none),
		cmocka_unit_test(any_arrival),
	};

	if (secret_setup(STR("")) != OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
