/* SPDX-License-Identifier: ISC */
#include "record/lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/stop.h"
#include "config/config.h"
#include "remove_tree.h"
#include "tell/metrics.h"
#include "tell/status_page.h"

static char folder[64], metrics_file[100], status_page[100];

static int
make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/lock_test.XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(metrics_file, sizeof metrics_file, "%s/m.prom", folder);
	snprintf(status_page, sizeof status_page, "%s/page.html", folder);
	return 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	remove_tree(folder);
	return 0;
}

static int
take(const char *name)
{
	struct error err;
	int fd = lock_take(folder, name, "nobody", NULL, &err);

	assert_true(fd >= 0);
	return fd;
}

static void
a_lock_has_one_holder(void **state)
{
	struct error err;
	int fd = take("office");

	(void)state;
	assert_int_equal(lock_account(folder, "office", NULL, &err), -1);
	assert_int_equal(err.class, ERROR_BUSY);
	assert_string_equal(
	    err.text, "another process of odmr-agent is fetching it now");
	close(take("branch"));
	close(fd);
	close(take("office"));
}

/* Whose error it is reads of what is busy, and not of an account. */
static void
a_busy_lock_says_what_its_holder_does(void **state)
{
	const struct config config = {.hostname = "a.example",
	    .state_dir = folder,
	    .metrics_file = metrics_file,
	    .status_page = status_page};
	struct error err;
	int metrics = take("metrics:"), page = take("page:");

	(void)state;
	/* It waits no longer for it. */
	stop_install();
	stop_request();
	assert_false(metrics_write(&config, &err));
	assert_string_equal(err.text,
	    "another process of odmr-agent is writing metrics_file now");
	assert_false(status_page_write(&config, &err));
	assert_string_equal(err.text,
	    "another process of odmr-agent is writing status_page now");
	close(metrics);
	close(page);
	assert_true(metrics_write(&config, &err));
	assert_true(status_page_write(&config, &err));
}

#define EACH(test)                                                             \
	cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(a_lock_has_one_holder),
	    EACH(a_busy_lock_says_what_its_holder_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
