/* SPDX-License-Identifier: ISC */
/* Accounts of a fetch: of each login one at a time, in the order of the fetch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "command/fetch_row.h"
#include "config/config.h"

enum { MAX = 16 };

struct login {
	const char *host;
	uint16_t port;
	const char *user;
};

/* By letters. Another one is another host, port or user; no user is one, too. */
static const struct login logins[] = {
    {"one.example", 366, "office"},
    {"two.example", 366, "office"},
    {"one.example", 367, "office"},
    {"one.example", 366, "branch"},
    {"one.example", 366, NULL},
};

struct stage {
	struct config_account accounts[MAX];
	struct fetch_job jobs[MAX], *row;
};

/* Each letter of order is an account with that login. */
static void
set_up(struct stage *stage, const char *order)
{
	*stage = (struct stage){.row = NULL};
	for (size_t i = 0; order[i] != '\0'; i++) {
		const struct login *login = &logins[order[i] - 'a'];
		struct config_account *account = &stage->accounts[i];
		account->provider.host = login->host;
		account->provider.port = login->port;
		account->user = login->user;
		stage->jobs[i].account = account;
	}
	stage->row = fetch_row_make(stage->jobs, strlen(order));
}

static void
assert_row(const struct stage *stage, const char *expected)
{
	char found[3 * MAX + 1] = "", *end = found;

	for (const struct fetch_job *job = stage->row; job != NULL;
	     job = job->next)
		end += snprintf(end, 4, "%td ", job - stage->jobs);
	assert_string_equal(found, expected);
}

static void
test_row_has_the_first_of_each_login(void **state)
{
	static const struct {
		const char *order, *row;
	} cases[] = {
	    {"", ""},
	    {"a", "0 "},
	    {"aaaa", "0 "},
	    {"abcde", "0 1 2 3 4 "},
	    {"edcba", "0 1 2 3 4 "},
	    {"ccabbaed", "0 2 3 6 7 "},
	};
	struct stage stage;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		set_up(&stage, cases[i].order);
		assert_row(&stage, cases[i].row);
	}
}

/* All are started, in order, each when the one of its login before has ended. */
static void
test_next_of_a_login_comes_in_its_order(void **state)
{
	struct stage stage;

	(void)state;
	set_up(&stage, "abacaba");
	assert_row(&stage, "0 1 3 ");
	struct fetch_job *job = stage.row;
	stage.row = job->next;
	fetch_row_enter(&stage.row, job->behind);
	assert_row(&stage, "1 2 3 ");
	job = stage.row;
	stage.row = job->next;
	fetch_row_enter(&stage.row, job->behind);
	assert_row(&stage, "2 3 5 ");
	/* From a place in it on: 3 is passed over, 5 ends. */
	struct fetch_job **place = &stage.row->next->next;
	job = *place;
	*place = job->next;
	fetch_row_enter(place, job->behind);
	assert_row(&stage, "2 3 ");
	assert_null(job->behind);
	assert_ptr_equal(stage.jobs[2].behind, &stage.jobs[4]);
	assert_ptr_equal(stage.jobs[4].behind, &stage.jobs[6]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_row_has_the_first_of_each_login),
	    cmocka_unit_test(test_next_of_a_login_comes_in_its_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
