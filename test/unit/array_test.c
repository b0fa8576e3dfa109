/* SPDX-License-Identifier: ISC */
/* Arrays that grow in number, by count alone or by index. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/array.h"

enum { MANY = 1000 };

/* Under AddressSanitizer one octet too few would show. */
static void
test_items_stay_while_it_grows_and_shrinks(void **state)
{
	static const size_t kept[] = {MANY, 0, 7, 8, 9, 63, 64, 65, 1};
	size_t *items = NULL, count = 0;

	(void)state;
	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
		while (count < MANY) {
			items = array_more(items, count, sizeof *items);
			items[count] = count;
			count++;
		}
		for (size_t k = 0; k < count; k++)
			assert_int_equal(items[k], k);
		count = kept[i];
	}
	free(items);
}

static void
test_a_new_item_is_all_zero(void **state)
{
	struct array array = {.each = sizeof(uint64_t)};

	(void)state;
	for (uint64_t i = 0; i < MANY; i++) {
		uint64_t *item = array_add(&array);
		assert_int_equal(*item, 0);
		*item = i;
	}
	assert_int_equal(array.count, MANY);
	for (uint64_t i = 0; i < MANY; i++)
		assert_int_equal(((const uint64_t *)array.items)[i], i);
	free(array.items);
}

static void
test_room_by_index_is_enough(void **state)
{
	uint64_t *items = NULL;
	size_t room = 0;

	(void)state;
	for (size_t i = 0; i < MANY; i += 37) {
		items = array_room(items, &room, i + 1, sizeof *items);
		assert_true(room > i);
		items[i] = i;
	}
	free(items);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_items_stay_while_it_grows_and_shrinks),
	    cmocka_unit_test(test_a_new_item_is_all_zero),
	    cmocka_unit_test(test_room_by_index_is_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
