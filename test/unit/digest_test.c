/* SPDX-License-Identifier: ISC */
#include "base/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "record/lock.h"

/* FIPS 180-4, the examples of NIST. */
static void
known_digests(void **state)
{
	unsigned char digest[DIGEST_SIZE];
	char hex[2 * DIGEST_SIZE + 1];

	(void)state;
	digest_octets(digest, "abc", 3);
	assert_string_equal(digest_hex(hex, digest, sizeof digest),
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_octets(digest, "", 0);
	assert_string_equal(digest_hex(hex, digest, sizeof digest),
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_string_equal(digest_hex(hex, digest, 0), "");
}

/* Another version of the agent on the same machine must see the same lock. */
static void
locks_keep_their_names(void **state)
{
	struct config_account account = {
	    .provider = {.host = "mail.example.net", .port = 366},
	    .user = "office"};
	char name[LOCK_NAME_MAX], other[LOCK_NAME_MAX];

	(void)state;
	lock_provider_name(name, &account);
	assert_int_equal(strlen(name), strlen(".provider-") + 32);
	account.user = "works";
	lock_provider_name(other, &account);
	assert_string_not_equal(name, other);
	assert_string_equal(name, ".provider-b7ef5d4cad0e2ce1e6cce04c92bba5d4");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(known_digests),
	    cmocka_unit_test(locks_keep_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
