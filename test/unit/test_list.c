/* Intrusive lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/list.h"

struct item {
	int n;
	struct list node;
};

static void keeps_order(void **state)
{
	struct list head;
	struct item items[4];
	int expected = 0;

	(void)state;
	list_init(&head);
	assert_true(list_empty(&head));
	assert_null(list_pop(&head));
	for (int i = 0; i < 4; i++) {
		items[i].n = i;
		list_add_tail(&head, &items[i].node);
	}
	LIST_FOREACH (n, &head)
		assert_int_equal(LIST_ITEM(n, struct item, node)->n, expected++);
	assert_int_equal(expected, 4);
	assert_ptr_equal(list_pop(&head), &items[0].node);
	assert_true(list_empty(&items[0].node)); /* on no list */
}

static void removal_is_idempotent(void **state)
{
	struct list head;
	struct item items[3];

	(void)state;
	list_init(&head);
	for (int i = 0; i < 3; i++)
		list_add_tail(&head, &items[i].node);
	list_remove(&items[1].node);
	list_remove(&items[1].node);
	assert_ptr_equal(head.next, &items[0].node);
	assert_ptr_equal(head.next->next, &items[2].node);
	assert_ptr_equal(head.prev, &items[2].node);
	list_add_tail(&head, &items[1].node);
	assert_ptr_equal(head.prev, &items[1].node);
}

static void removal_while_walking(void **state)
{
	struct list head;
	struct item items[5];
	int seen = 0;

	(void)state;
	list_init(&head);
	for (int i = 0; i < 5; i++)
		list_add_tail(&head, &items[i].node);
	LIST_FOREACH_SAFE (n, &head) {
		list_remove(n);
		seen++;
	}
	assert_int_equal(seen, 5);
	assert_true(list_empty(&head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_order),
		cmocka_unit_test(removal_is_idempotent),
		cmocka_unit_test(removal_while_walking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
