/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/address.h"

struct good {
	const char *in, *mailbox, *domain;
	bool quoted, plain;
};

#define X8   "xxxxxxxx"
#define X64  X8 X8 X8 X8 X8 X8 X8 X8
#define X256 X64 X64 X64 X64
/* with 512 and 7 * 64 and two octets and '@': ADDRESS_MAX */
#define LABEL "12345678901234567890123456789012345.z"

static const struct good goods[] = {
    {"<>", "", "", false, true},
    {"<a@b>", "a@b", "b", false, true},
    {"<A.b@Example.ORG>", "A.b@Example.ORG", "Example.ORG", false, true},
    {"<a@sub-1.example.org>", "a@sub-1.example.org", "sub-1.example.org", false,
	true},
    {"<a@b_c.example>", "a@b_c.example", "b_c.example", false, true},
    {"<@x.example:a@b.example>", "a@b.example", "b.example", false, true},
    {"<@x,@[192.0.2.1]:a@b.example>", "a@b.example", "b.example", false, true},
    {"<postmaster>", "postmaster", "", false, true},
    {"<PostMaster>", "PostMaster", "", false, true},
    {"<\"postmaster\">", "postmaster", "", false, true},
    {"<a@[192.0.2.1]>", "a@[192.0.2.1]", "[192.0.2.1]", false, true},
    {"<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]",
	false, true},
    {"<\"abc\"@x>", "abc@x", "x", false, true},
    {"<\"a\\bc\"@x>", "abc@x", "x", false, true},
    {"<\"a b\"@x>", "\"a b\"@x", "x", true, false},
    {"<\"a\\ b\"@x>", "\"a b\"@x", "x", true, false},
    {"<\"a\\\"b\\\\c\"@x>", "\"a\\\"b\\\\c\"@x", "x", true, false},
    {"<\"\"@x>", "\"\"@x", "x", true, false},
    {"<\"a@b\"@x.example>", "\"a@b\"@x.example", "x.example", true, false},
    {"<\"a>b\"@x>", "\"a>b\"@x", "x", true, false},
    {"<\".a\"@x>", "\".a\"@x", "x", true, false},
    {"<\"a..b\"@x>", "\"a..b\"@x", "x", true, false},
    {"<victim%target@example.org>", "victim%target@example.org", "example.org",
	false, false},
    {"<target!victim@example.org>", "target!victim@example.org", "example.org",
	false, false},
    {"<\"victim%target\"@example.org>", "victim%target@example.org",
	"example.org", false, false},
    {"<-oQ/tmp@x>", "-oQ/tmp@x", "x", false, false},
    {"</bin/sh@x>", "/bin/sh@x", "x", false, false},
    {"<|sh@x>", "|sh@x", "x", false, false},
    {"<a-b/c|d@x>", "a-b/c|d@x", "x", false, true},
    {"<" X64 "@x>", X64 "@x", "x", false, true},
    {"<x" X64 "@x>", "x" X64 "@x", "x", false, true},
    {"<" X256 X256 X64 X64 X64 X64 X64 X64 X64 "xx@" LABEL ">",
	X256 X256 X64 X64 X64 X64 X64 X64 X64 "xx@" LABEL, LABEL, false, true},
    /* what rewriting senders make */
    {"<list-bounces+user.name=customer-domain.example@lists.example.org>",
	"list-bounces+user.name=customer-domain.example@lists.example.org",
	"lists.example.org", false, true},
    {"<SRS1=HHHH=forwarder.example==HHH=TT=orig.example=alice@b.example>",
	"SRS1=HHHH=forwarder.example==HHH=TT=orig.example=alice@b.example",
	"b.example", false, true},
    /* what carriers gave out */
    {"<a..b@c>", "a..b@c", "c", false, true},
    {"<.a@b>", ".a@b", "b", false, true},
    {"<a.@b>", "a.@b", "b", false, true},
    {"<..a.b..@b>", "..a.b..@b", "b", false, true},
    {"<../x@b>", "../x@b", "b", false, false},
    {"<x/../y@b>", "x/../y@b", "b", false, false},
    {"<x/.@b>", "x/.@b", "b", false, false},
    /* no domain, and the domain's other spellings */
    {"<root>", "root", "", false, true},
    {"<\"a b\">", "\"a b\"", "", true, false},
    {"<a@b.example.>", "a@b.example", "b.example", false, true},
    {"<a@b.>", "a@b", "b", false, true},
    {"<@x.,@y.:a@b.>", "a@b", "b", false, true},
    {"<a@-b>", "a@-b", "-b", false, true},
    {"<a@b-.c->", "a@b-.c-", "b-.c-", false, true},
    /* beyond ASCII (RFC 6531) */
    {"<j\xc3\xb6rg@b\xc3\xbc"
     "cher.example>",
	"j\xc3\xb6rg@b\xc3\xbc"
	"cher.example",
	"b\xc3\xbc"
	"cher.example",
	false, true},
    {"<\"j\xc3\xb6rg\"@b>", "j\xc3\xb6rg@b", "b", false, true},
    {"<\"j\xc3\xb6 rg\"@b>", "\"j\xc3\xb6 rg\"@b", "b", true, false},
    {"<\xe7\x94\xa8\xe6\x88\xb7@\xe4\xbe\x8b\xe5\xad\x90.example.>",
	"\xe7\x94\xa8\xe6\x88\xb7@\xe4\xbe\x8b\xe5\xad\x90.example",
	"\xe4\xbe\x8b\xe5\xad\x90.example", false, true},
    {"<\xf0\x9f\x93\xac@b>", "\xf0\x9f\x93\xac@b", "b", false, true},
    {"<\xd9\x86\xd8\xa7\xd9\x85\xe2\x80\x8c\xd9\x87@b>",
	"\xd9\x86\xd8\xa7\xd9\x85\xe2\x80\x8c\xd9\x87@b", "b", false, true},
    {"<@b\xc3\xbc"
     "cher.example:a@b>",
	"a@b", "b", false, true},
    {"<\xc3\xa4%x@b>", "\xc3\xa4%x@b", "b", false, false},
    /* no angle brackets, or blanks within */
    {"a@b", "a@b", "b", false, true},
    {"root", "root", "", false, true},
    {"\"a b\"@c", "\"a b\"@c", "c", true, false},
    {"@x:a@b.example.", "a@b.example", "b.example", false, true},
    {"a%b@c", "a%b@c", "c", false, false},
    {"< a@b >", "a@b", "b", false, true},
    {"< >", "", "", false, true},
};

static void
test_paths_that_are_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof goods / sizeof *goods; i++) {
		const struct good *good = &goods[i];
		struct path path;
		size_t used = 0, len = strlen(good->in);
		char *exact = malloc(len); /* no NUL: ASan sees an over-read */

		memcpy(exact, good->in, len);
		enum path_result result = path_parse(&path, exact, len, &used);
		free(exact);
		if (result != PATH_OK)
			fail_msg("%s: %d", good->in, result);
		assert_int_equal(used, len);
		assert_string_equal(path.mailbox, good->mailbox);
		assert_string_equal(path_domain(&path), good->domain);
		assert_int_equal(path.quoted, good->quoted);
		assert_int_equal(path_is_plain(&path), good->plain);
	}
}

static void
test_what_stands_behind_a_path_is_left(void **state)
{
	struct path path;
	size_t used = 0;

	(void)state;
	assert_int_equal(path_parse(&path, "<a@b> SIZE=1", 12, &used), PATH_OK);
	assert_int_equal(used, 5);
	assert_int_equal(path_parse(&path, "a@b SIZE=1", 10, &used), PATH_OK);
	assert_int_equal(used, 3);
	assert_int_equal(path_parse(&path, "a@b>", 4, &used), PATH_OK);
	assert_int_equal(used, 3);
}

static const struct {
	const char *in;
	enum path_result result;
} bads[] = {
    {"", PATH_SYNTAX},
    {"<", PATH_SYNTAX},
    {"<a@b", PATH_SYNTAX},
    {"<@b>", PATH_SYNTAX},
    {"<a@>", PATH_SYNTAX},
    {"<a@.b>", PATH_SYNTAX},
    {"<a@.>", PATH_SYNTAX},
    {"<a@b..>", PATH_SYNTAX},
    {"<.@b>", PATH_SYNTAX},
    {"<..@b>", PATH_SYNTAX},
    {"<..>", PATH_SYNTAX},
    {"<\ta@b>", PATH_SYNTAX},
    {" a@b", PATH_SYNTAX},
    {"<a@b..c>", PATH_SYNTAX},
    {"<a@b@c>", PATH_SYNTAX},
    {"<a b@c>", PATH_SYNTAX},
    {"<a@b c>", PATH_SYNTAX},
    {"<a@[]>", PATH_SYNTAX},
    {"<a@[1>", PATH_SYNTAX},
    {"<a@[a]b>", PATH_SYNTAX},
    {"<\"a@b>", PATH_SYNTAX},
    {"<\"a\"b@c>", PATH_SYNTAX},
    {"<\"a\\", PATH_SYNTAX},
    {"<\"a\tb\"@c>", PATH_SYNTAX},
    {"<@x,a@b>", PATH_SYNTAX},
    {"<@x:@y:a@b>", PATH_SYNTAX},
    {"<@x>", PATH_SYNTAX},
    {"<a(comment)@b>", PATH_SYNTAX},
    /* UTF-8 that is none: cut, too long, a surrogate, beyond Unicode */
    {"<\xc3@b>", PATH_NON_ASCII},
    {"<a@b\xc3>", PATH_NON_ASCII},
    {"<a\xa4@b>", PATH_NON_ASCII},
    {"<a@\xe4.example>", PATH_NON_ASCII},
    {"<\xc0\xaf@b>", PATH_NON_ASCII},
    {"<\xed\xa0\x80@b>", PATH_NON_ASCII},
    {"<\xf4\x90\x80\x80@b>", PATH_NON_ASCII},
    {"<\"\xc3\"@b>", PATH_NON_ASCII},
    /* controls, direction, what nobody sees */
    {"<a\xc2\x85@b>", PATH_NON_ASCII},
    {"<a\xc2\xa0z@b>", PATH_NON_ASCII},
    {"<\xe2\x80\xaegro.elpmaxe@b>", PATH_NON_ASCII},
    {"<a\xe2\x81\xa6@b>", PATH_NON_ASCII},
    {"<a\xe2\x80\x8b@b>", PATH_NON_ASCII},
    {"<a\xef\xbb\xbf@b>", PATH_NON_ASCII},
    {"<a\xf3\xa0\x81\x81@b>", PATH_NON_ASCII},
    /* look-alikes of separators */
    {"<a\xef\xbc\xa0"
     "b.example@c>",
	PATH_NON_ASCII},
    {"<a\xef\xb9\xab"
     "b@c>",
	PATH_NON_ASCII},
    {"<a@b\xe3\x80\x82"
     "c>",
	PATH_NON_ASCII},
    {"<a@b\xef\xbc\x8e"
     "c>",
	PATH_NON_ASCII},
    {"<a@b\xef\xbd\xa1"
     "c>",
	PATH_NON_ASCII},
    {"<a@b\xe2\x80\xa4"
     "c>",
	PATH_NON_ASCII},
    {"<\"a\xef\xbc\x8f"
     "b\"@c>",
	PATH_NON_ASCII},
    {"<a\xe2\x88\x95"
     "b@c>",
	PATH_NON_ASCII},
    {"<a\xe2\x81\x84"
     "b@c>",
	PATH_NON_ASCII},
    {"<a\xef\xbc\xbc"
     "b@c>",
	PATH_NON_ASCII},
    {"<a@[\xc3\xa4]>", PATH_NON_ASCII},
    {"<a@" X256 ">", PATH_TOO_LONG},
    {"<" X256 X256 X64 X64 X64 X64 X64 X64 X64 "xxx@" LABEL ">", PATH_TOO_LONG},
    {"<" X256 X256 X256 X256 "@b>", PATH_TOO_LONG},
};

static void
test_paths_that_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
		struct path path;
		size_t used = 0;

		enum path_result result =
		    path_parse(&path, bads[i].in, strlen(bads[i].in), &used);
		if (result != bads[i].result)
			fail_msg("%s: %d", bads[i].in, result);
	}
}

static void
test_nul_inside_a_path_is_refused(void **state)
{
	struct path path;
	size_t used = 0;

	(void)state;
	assert_int_equal(path_parse(&path, "<a\0b@c>", 7, &used), PATH_SYNTAX);
	assert_int_equal(path_parse(&path, "<a@b\0c>", 7, &used), PATH_SYNTAX);
	assert_int_equal(
	    path_parse(&path, "<\"a\0\"@c>", 8, &used), PATH_SYNTAX);
}

static void
test_domains_for_atrn(void **state)
{
	static const struct {
		const char *text;
		bool is;
	} cases[] = {
	    {"example.org", true},
	    {"a.b", true},
	    {"xn--bcher-kva.example", true},
	    {"1-2.3", true},
	    {"localhost", false},
	    {"", false},
	    {".", false},
	    {"example.org.", false},
	    {".example.org", false},
	    {"a..b", false},
	    {"-a.b", false},
	    {"a-.b", false},
	    {"a.b-", false},
	    {"a_b.c", false},
	    {"a.b,c.d", false},
	    {"[192.0.2.1]", false},
	    {X64 ".org", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(address_is_domain(cases[i].text), cases[i].is);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_paths_that_are_taken),
	    cmocka_unit_test(test_what_stands_behind_a_path_is_left),
	    cmocka_unit_test(test_paths_that_are_refused),
	    cmocka_unit_test(test_nul_inside_a_path_is_refused),
	    cmocka_unit_test(test_domains_for_atrn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
