/* SPDX-License-Identifier: ISC */
/* What Postfix' configuration must have, against a postconf that answers from
 * files, and notes what it is told to set. */
#include "provider/wanted.h"

#include <dirent.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "provider/provider_config.h"

enum { PATH_SIZE = 128, TEXT_SIZE = 4096 };

/* postconf -c FOLDER FLAG WORD: what file FLAG.WORD has, / as _. */
static const char postconf[] =
    "#!/bin/sh\n"
    "case $3 in\n"
    "-e | -Me | -Pe) printf '%s|%s\\n' \"$3\" \"$4\" >>\"$2/set\" ;;\n"
    "*) file=$2/$3.$(printf %s \"$4\" | tr / _)\n"
    "   [ ! -e \"$file\" ] || cat \"$file\" ;;\n"
    "esac\n";

static char folder[] = "/tmp/wanted_test.XXXXXX";
static struct provider_config config = {
    .postfix_programs = folder, .postfix_config = folder};

static void
write_in_folder(const char *name, const char *text)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* A parameter of main.cf, as it is written and what it comes to. */
static void
set_parameter(const char *name, const char *written, const char *means)
{
	char file[PATH_SIZE], text[TEXT_SIZE];

	snprintf(file, sizeof file, "-h.%s", name);
	snprintf(text, sizeof text, "%s\n", written);
	write_in_folder(file, text);
	snprintf(file, sizeof file, "-hx.%s", name);
	snprintf(text, sizeof text, "%s\n", means);
	write_in_folder(file, text);
}

static struct wanted_list
find_all(void)
{
	struct wanted_list list = {.count = 0};
	struct error err = {.text = ""};

	if (!wanted_find(&config, &list, &err))
		fail_msg("%s", err.text);
	return list;
}

static struct wanted *
find_in(const struct wanted_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].name, name) == 0)
			return &list->items[i];
	fail_msg("%s is not wanted", name);
	return NULL;
}

#define TABLE "texthash:/tmp/wanted_test.XXXXXX/odmr_domains"

/* TABLE with the name of the folder. */
static const char *
named(const char *text)
{
	static char out[4][TEXT_SIZE];
	static unsigned next;
	char *to = out[next++ % 4];
	const char *at;
	size_t len = 0;

	while ((at = strstr(text, "/tmp/wanted_test.XXXXXX")) != NULL) {
		len += (size_t)snprintf(to + len, TEXT_SIZE - len, "%.*s%s",
		    (int)(at - text), text, folder);
		text = at + strlen(folder);
	}
	snprintf(to + len, TEXT_SIZE - len, "%s", text);
	return to;
}

static void
parameters(void **state)
{
	static const struct {
		const char *name, *written, *means;
		bool there;
		const char *line; /* of main.cf */
	} cases[] = {
	    /* The customers' table goes first, and everything else stays. */
	    {"relay_domains", "", "", false, "relay_domains = " TABLE},
	    {"relay_domains", "${{$x} < {3}?{a}:{}}", "", false,
		"relay_domains = " TABLE},
	    {"relay_domains", "$mydomain, b.example", "a.example, b.example",
		false, "relay_domains = " TABLE ", $mydomain, b.example"},
	    {"relay_domains", "b.example " TABLE, "b.example " TABLE, true,
		"relay_domains = b.example " TABLE},
	    {"relay_domains", TABLE ".old", TABLE ".old", false,
		"relay_domains = " TABLE ", " TABLE ".old"},
	    {"transport_maps", "", "", false, "transport_maps = " TABLE},
	    {"transport_maps", TABLE ",hash:/x", TABLE ",hash:/x", true,
		"transport_maps = " TABLE ",hash:/x"},
	    /* What refers to relay_domains will have the table. */
	    {"fast_flush_domains", "$relay_domains", "", true,
		"fast_flush_domains = $relay_domains"},
	    {"fast_flush_domains", "$relay_domains", TABLE, true,
		"fast_flush_domains = $relay_domains"},
	    {"fast_flush_domains", "", "", false,
		"fast_flush_domains = " TABLE},
	    {"fast_flush_domains", "b.example", "b.example", false,
		"fast_flush_domains = " TABLE ", b.example"},
	    {"odmr_destination_concurrency_limit", "1", "1", true,
		"odmr_destination_concurrency_limit = 1"},
	    {"odmr_destination_concurrency_limit",
		"$default_destination_concurrency_limit", "20", false,
		"odmr_destination_concurrency_limit = 1"},
	    {"odmr_destination_concurrency_limit", "$one", "1", true,
		"odmr_destination_concurrency_limit = 1"},
	    {"odmr_destination_concurrency_limit", "10", "10", false,
		"odmr_destination_concurrency_limit = 1"},
	    {"odmr_destination_recipient_limit",
		"$default_destination_recipient_limit", "50", true, NULL},
	    {"odmr_destination_recipient_limit", "1", "1", false,
		"odmr_destination_recipient_limit = 50"},
	    {"odmr_destination_recipient_limit", "200", "200", true,
		"odmr_destination_recipient_limit = 200"},
	    {"odmr_destination_rate_delay", "$default_destination_rate_delay",
		"0s", true, NULL},
	    {"odmr_destination_rate_delay", "$default_destination_rate_delay",
		"1s", false, "odmr_destination_rate_delay = 0s"},
	    {"qmgr_message_active_limit", "20000", "20000", false,
		"qmgr_message_active_limit = 100000"},
	    {"qmgr_message_active_limit", "99999", "99999", false, NULL},
	    {"qmgr_message_active_limit", "200000", "200000", true,
		"qmgr_message_active_limit = 200000"},
	    {"maximal_queue_lifetime", "5d", "5d", false,
		"maximal_queue_lifetime = 30d"},
	    {"maximal_queue_lifetime", "30d", "30d", true, NULL},
	    {"maximal_queue_lifetime", "30", "30", true, NULL},
	    {"maximal_queue_lifetime", "29", "29", false, NULL},
	    {"maximal_queue_lifetime", "5w", "5w", true,
		"maximal_queue_lifetime = 5w"},
	    {"maximal_queue_lifetime", "30dd", "30dd", false, NULL},
	    {"maximal_queue_lifetime", "4w", "4w", false, NULL},
	    {"maximal_queue_lifetime", "720h", "720h", true, NULL},
	    {"maximal_queue_lifetime", "719h", "719h", false, NULL},
	    {"maximal_queue_lifetime", "43200m", "43200m", true, NULL},
	    {"maximal_queue_lifetime", "2592000s", "2592000s", true, NULL},
	    {"maximal_queue_lifetime", "2591999s", "2591999s", false, NULL},
	    {"maximal_queue_lifetime", "0", "0", false, NULL},
	    {"maximal_queue_lifetime", "for ever", "for ever", false, NULL},
	    {"bounce_queue_lifetime", "$maximal_queue_lifetime", "60d", true,
		"bounce_queue_lifetime = $maximal_queue_lifetime"},
	    {"bounce_queue_lifetime", "$maximal_queue_lifetime", "5d", false,
		"bounce_queue_lifetime = 30d"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		print_message("%s = %s\n", cases[i].name, cases[i].written);
		set_parameter(cases[i].name, named(cases[i].written),
		    named(cases[i].means));
		struct wanted_list list = find_all();
		struct wanted *wanted = find_in(&list, cases[i].name);
		char *line = wanted_line(wanted);
		assert_int_equal(wanted->there, cases[i].there);
		assert_string_equal(wanted_file(wanted), "main.cf");
		if (cases[i].line != NULL)
			assert_string_equal(line, named(cases[i].line));
		free(line);
		wanted_clear(&list);
	}
}

static void
the_service_and_its_options(void **state)
{
	static const char tls[] = "odmr/unix/smtp_tls_security_level";
	static const struct {
		const char *said; /* by postconf -P */
		bool there;
		const char *now;
	} cases[] = {
	    {"", false, ""},
	    {"odmr/unix/smtp_tls_security_level = none\n", true, "none"},
	    {"odmr/unix/smtp_tls_security_level = \n", false, ""},
	    {"odmr/unix/smtp_tls_security_level = may\n", false, "may"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		write_in_folder(
		    "-P.odmr_unix_smtp_tls_security_level", cases[i].said);
		struct wanted_list list = find_all();
		struct wanted *wanted = find_in(&list, tls);
		char *line = wanted_line(wanted);
		assert_int_equal(wanted->there, cases[i].there);
		assert_string_equal(wanted->now, cases[i].now);
		assert_string_equal(wanted_file(wanted), "master.cf");
		assert_string_equal(line, "  -o smtp_tls_security_level=none");
		free(line);
		assert_false(find_in(&list, "odmr/unix")->there);
		wanted_clear(&list);
	}
	write_in_folder("-M.odmr_unix", "odmr  unix - - n - - smtp\n");
	struct wanted_list list = find_all();
	assert_true(find_in(&list, "odmr/unix")->there);
	wanted_clear(&list);
}

/* Any time that is long enough serves, and is kept. */
static void
an_option_that_is_a_time(void **state)
{
	static const char option[] = "odmr/unix/smtp_helo_timeout";
	static const struct {
		const char *now;
		bool there;
		const char *line;
	} cases[] = {
	    {"90m", true, "  -o smtp_helo_timeout=90m"},
	    {"5400s", true, "  -o smtp_helo_timeout=5400s"},
	    {"5400", true, "  -o smtp_helo_timeout=5400"}, /* seconds */
	    {"2h", true, "  -o smtp_helo_timeout=2h"},
	    {"1d", true, "  -o smtp_helo_timeout=1d"},
	    {"5399s", false, "  -o smtp_helo_timeout=90m"},
	    {"1h", false, "  -o smtp_helo_timeout=90m"},
	    {"90", false, "  -o smtp_helo_timeout=90m"},
	    {"", false, "  -o smtp_helo_timeout=90m"},
	};
	char said[TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		print_message("%s\n", cases[i].now);
		snprintf(said, sizeof said, "%s = %s\n", option, cases[i].now);
		write_in_folder("-P.odmr_unix_smtp_helo_timeout", said);
		struct wanted_list list = find_all();
		struct wanted *wanted = find_in(&list, option);
		char *line = wanted_line(wanted);
		assert_int_equal(wanted->there, cases[i].there);
		assert_string_equal(line, cases[i].line);
		free(line);
		wanted_clear(&list);
	}
}

/* As in main.cf, what it comes to counts; it stays as it is written. */
static void
an_option_by_a_name_of_main_cf(void **state)
{
	static const struct {
		const char *option, *written, *means, *line;
		bool there;
	} cases[] = {
	    {"smtp_tls_security_level", "$inner_tls", "none",
		"  -o smtp_tls_security_level=none", true},
	    {"smtp_tls_security_level", "$inner_tls", "may",
		"  -o smtp_tls_security_level=none", false},
	    {"smtp_bind_address", "$nothing", "",
		"  -o smtp_bind_address=", true},
	    {"smtp_helo_timeout", "${patience}", "2h",
		"  -o smtp_helo_timeout=${patience}", true},
	    {"smtp_helo_timeout", "${patience}", "30s",
		"  -o smtp_helo_timeout=90m", false},
	};
	char name[PATH_SIZE], file[PATH_SIZE], said[TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		snprintf(name, sizeof name, "odmr/unix/%s", cases[i].option);
		for (int expanded = 0; expanded < 2; expanded++) {
			snprintf(file, sizeof file, "-P%s.odmr_unix_%s",
			    expanded ? "x" : "", cases[i].option);
			snprintf(said, sizeof said, "%s = %s\n", name,
			    expanded ? cases[i].means : cases[i].written);
			write_in_folder(file, said);
		}
		struct wanted_list list = find_all();
		struct wanted *wanted = find_in(&list, name);
		char *line = wanted_line(wanted);
		print_message("%s: %s\n", name, cases[i].means);
		assert_int_equal(wanted->there, cases[i].there);
		assert_string_equal(wanted->now, cases[i].written);
		assert_string_equal(line, cases[i].line);
		free(line);
		wanted_clear(&list);
	}
}

/* As postconf is asked to set it: one word each, whatever is in it. */
static void
what_is_set(void **state)
{
	static const char *const names[] = {"relay_domains",
	    "maximal_queue_lifetime", "odmr/unix",
	    "odmr/unix/smtp_tls_security_level"};
	char path[PATH_SIZE], text[TEXT_SIZE] = "";
	struct error err;

	(void)state;
	set_parameter("relay_domains", "$mydomain, b.example", "b.example");
	struct wanted_list list = find_all();
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		assert_true(
		    wanted_apply(&config, find_in(&list, names[i]), &err));
	wanted_clear(&list);
	snprintf(path, sizeof path, "%s/set", folder);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof text - 1, file) > 0);
	fclose(file);
	assert_string_equal(
	    text, named("-e|relay_domains = " TABLE ", $mydomain, b.example\n"
			"-e|maximal_queue_lifetime = 30d\n"
			"-Me|odmr/unix=odmr unix - - n - - smtp\n"
			"-Pe|odmr/unix/smtp_tls_security_level=none\n"));
}

static void
a_postconf_that_is_not_there(void **state)
{
	struct provider_config away = config;
	struct wanted_list list;
	struct error err;

	(void)state;
	away.postfix_programs = "/nowhere";
	assert_false(wanted_find(&away, &list, &err));
	assert_int_equal(err.class, ERROR_LOCAL);
	assert_non_null(strstr(err.text, "/nowhere/postconf"));
	wanted_clear(&list);
}

static int
make_postconf(void **state)
{
	char path[PATH_SIZE];

	(void)state;
	assert_non_null(mkdtemp(folder));
	write_in_folder("postconf", postconf);
	snprintf(path, sizeof path, "%s/postconf", folder);
	return chmod(path, 0700);
}

static int
remove_postconf(void **state)
{
	char path[PATH_SIZE + NAME_MAX];
	struct dirent *entry;
	DIR *dir = opendir(folder);

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		(void)unlink(path);
	}
	closedir(dir);
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parameters),
	    cmocka_unit_test(the_service_and_its_options),
	    cmocka_unit_test(an_option_that_is_a_time),
	    cmocka_unit_test(an_option_by_a_name_of_main_cf),
	    cmocka_unit_test(what_is_set),
	    cmocka_unit_test(a_postconf_that_is_not_there),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, make_postconf, remove_postconf);
}
