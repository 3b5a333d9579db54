/* Searching and being paired, rule by rule (contract 5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "match_rig.h"

static void a_shared_tag_pairs(void **state)
{
	int64_t a = seeker(), b = seeker(), c = seeker(), chat;

	(void)state;
	matcher_new();
	assert_int_equal(enqueue(a, "art music").state, MATCH_SEARCHING);
	assert_int_equal(enqueue(c, "chess").state, MATCH_SEARCHING);
	assert_int_equal(enqueue(b, "art games music").state, MATCH_MATCHED);
	chat = chat_of(a, b);
	assert_true(searching(c));
	leave(a);
	assert_true(idle(a) && idle(b));
	assert_true(chat > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shared_tag_pairs),
	};

	return cmocka_run_group_tests(tests, match_begin, match_finish);
}
