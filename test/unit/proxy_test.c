/* SPDX-License-Identifier: ISC */
#include "net/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
a_url_is_taken_apart(void **state)
{
	static const struct {
		const char *in, *url, *user, *password;
	} rows[] = {
	    {"socks5h://p.example:1080", "socks5h://p.example:1080", NULL,
		NULL},
	    {"socks5://u:p@192.0.2.1", "socks5://192.0.2.1", "u", "p"},
	    {"HTTP://p.example:3128/", "HTTP://p.example:3128", NULL, NULL},
	    {"http://u@p.example", "http://p.example", "u", NULL},
	    {"http://u:@p.example", "http://p.example", "u", ""},
	    {"http://:p@p.example", "http://p.example", "", "p"},
	    {"http://u:a:b@[::1]:1", "http://[::1]:1", "u", "a:b"},
	    {"http://a%40b:%2f%25%3a@p", "http://p", "a@b", "/%:"},
	    {"http://u:\xc3\xa4@p", "http://p", "u", "\xc3\xa4"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct proxy proxy;
		print_message("%s\n", rows[i].in);
		assert_int_equal(proxy_parse(&proxy, rows[i].in), PROXY_OK);
		assert_string_equal(proxy.url, rows[i].url);
		assert_string_equal(
		    proxy.address, strstr(rows[i].url, "://") + 3);
		assert_int_equal(proxy.user.text != NULL, rows[i].user != NULL);
		if (rows[i].user != NULL)
			assert_string_equal(proxy.user.text, rows[i].user);
		assert_int_equal(
		    proxy.password.text != NULL, rows[i].password != NULL);
		if (rows[i].password != NULL)
			assert_string_equal(
			    proxy.password.text, rows[i].password);
		proxy_clear(&proxy);
	}
}

static void
what_is_no_proxy_is_refused(void **state)
{
	static const struct {
		const char *in;
		enum proxy_result result;
	} rows[] = {
	    {"", PROXY_BAD},
	    {"http://", PROXY_BAD},
	    {"http:///", PROXY_BAD},
	    {"http://u:p@", PROXY_BAD},
	    {"http://u:p@/", PROXY_BAD},
	    {"https://p.example", PROXY_BAD},
	    {"socks4://p.example", PROXY_BAD},
	    {"p.example:3128", PROXY_BAD},
	    {"http://p.example/path", PROXY_BAD},
	    {"http://p.example//", PROXY_BAD},
	    {"http://p.example?x", PROXY_BAD},
	    {"http://p.example#x", PROXY_BAD},
	    {"http://u:p@ss@p.example", PROXY_NOT_ENCODED},
	    {"http://u:p/ss@p.example", PROXY_NOT_ENCODED},
	    {"http://u:p?ss@p.example", PROXY_NOT_ENCODED},
	    {"http://u:p#ss@p.example", PROXY_NOT_ENCODED},
	    {"http://u:p\\ss@p.example", PROXY_NOT_ENCODED},
	    {"http://u:p ss@p.example", PROXY_NOT_ENCODED},
	    {"http://u:50%@p.example", PROXY_NOT_ENCODED},
	    {"http://u:5%0@p.example", PROXY_NOT_ENCODED},
	    {"http://u:a%00b@p.example", PROXY_NOT_ENCODED},
	    {"http://u@d:p@p.example", PROXY_NOT_ENCODED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct proxy proxy;
		print_message("%s\n", rows[i].in);
		assert_int_equal(
		    proxy_parse(&proxy, rows[i].in), rows[i].result);
		assert_null(proxy.url);
		assert_null(proxy.user.text);
		assert_null(proxy.password.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_url_is_taken_apart),
	    cmocka_unit_test(what_is_no_proxy_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
