/* SPDX-License-Identifier: ISC */
/* Every mistake is named, with its place. */
#include "provider/provider_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/provider_config_test.XXXXXX";
static char path[64], file[64];

#define PIN "\"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\""

/* Top of a configuration that is good; %s stands for a file that is there. */
#define TOP                                                                    \
	"hostname: mx.example.net\n"                                           \
	"tls_cert_file: %1$s\n"                                                \
	"tls_key_file: %1$s\n"
#define USERS    "users_file: %1$s\n"
#define ACCOUNTS "accounts:\n    office:\n        domains: example.org\n"
#define GOOD     TOP USERS ACCOUNTS

static struct provider_config *
load(const char *text)
{
	FILE *to = fopen(path, "w");

	assert_non_null(to);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	fprintf(to, text, file);
#pragma GCC diagnostic pop
	fclose(to);
	return provider_config_load(path);
}

static void
mistakes(void **state)
{
	static const struct {
		const char *text;
		unsigned line; /* 0: of the whole */
		const char *words;
	} cases[] = {
	    {TOP ACCOUNTS, 0, "users_file"},
	    {TOP USERS "dovecot_auth: %1$s\n" ACCOUNTS, 0, "dovecot_auth"},
	    {USERS ACCOUNTS, 0, "hostname"},
	    {TOP USERS, 0, "accounts"},
	    {GOOD "colour: red\n", 8, "colour"},
	    {GOOD "hold: 10m\n", 8, "hold"},
	    {GOOD "settle: 0s\n", 8, "settle"},
	    {GOOD "max_connections: 0\n", 8, "max_connections"},
	    {GOOD "inner_port: 65536\n", 8, "inner_port"},
	    {GOOD "listen: mx.example.net:366\n", 8, "an address with a port"},
	    {GOOD "listen: \"0.0.0.0:x\"\n", 8, "listen"},
	    {GOOD "log: loud\n", 8, "log"},
	    {GOOD "hostname: mx.example.net\n", 8, "hostname"},
	    {GOOD "    shop:\n        domains: example.org\n", 8,
		"example.org is a domain of account office too"},
	    {GOOD "    shop:\n        domains: EXAMPLE.org\n", 8,
		"example.org is a domain of account office too"},
	    {GOOD "    shop:\n        domains: example.com\n"
		  "        user: office\n",
		8, "the user office is that of account office"},
	    {GOOD "    shop:\n        user: x\n", 8, "domains"},
	    {GOOD "    shop:\n        domains: example.com\n"
		  "        user: \"a:b\"\n",
		8, "a user has no \":\""},
	    {GOOD "        tls_pins: " PIN "\n"
		  "    shop:\n        domains: example.com\n"
		  "        tls_pins: " PIN "\n",
		9, "its certificate"},
	    {GOOD "        tls_pins: nonsense\n", 8, "tls_pins"},
	    {GOOD "        domains: [\n", 9, ""},
	    {"", 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct provider_config *config = load(cases[i].text);
		bool named = false;
		for (size_t k = 0; k < config->messages_count; k++)
			named =
			    named ||
			    (strstr(config->messages[k].text, cases[i].words) !=
				    NULL &&
				(cases[i].line == 0 ||
				    config->messages[k].line == cases[i].line));
		if (config->faults == 0 || !named) {
			provider_config_report(config, false);
			fail_msg("%zu: %s", i, cases[i].words);
		}
		provider_config_free(config);
	}
}

static void
what_is_not_written(void **state)
{
	struct provider_config *config = load(GOOD);

	(void)state;
	provider_config_report(config, false);
	assert_int_equal(config->faults, 0);
	assert_int_equal(config->listen_count, 2);
	assert_int_equal(config->listen[0].port, 366);
	assert_int_equal(config->hold, 9 * 60 * 1000);
	assert_string_equal(config->accounts[0].user, "office");
	const struct provider_account *office =
	    provider_config_user(config, "office");
	assert_ptr_equal(office, &config->accounts[0]);
	assert_ptr_equal(provider_config_inner(config, office->inner), office);
	assert_null(provider_config_user(config, "Office"));
	assert_null(provider_config_pin(config, ""));
	provider_config_free(config);
}

static void
too_many_addresses(void **state)
{
	char text[4096] = GOOD "listen:\n";

	(void)state;
	for (int i = 0; i <= PROVIDER_LISTEN_MAX; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text),
		    "    - \"127.0.0.1:%d\"\n", 1000 + i);
	struct provider_config *config = load(text);
	assert_int_equal(config->faults, 1);
	assert_non_null(strstr(config->messages[0].text, "more than 64"));
	provider_config_free(config);
}

static int
make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/yaml", folder);
	snprintf(file, sizeof file, "%s/file", folder);
	return fclose(fopen(file, "w"));
}

static int
remove_folder(void **state)
{
	(void)state;
	unlink(path);
	unlink(file);
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mistakes),
	    cmocka_unit_test(what_is_not_written),
	    cmocka_unit_test(too_many_addresses),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
