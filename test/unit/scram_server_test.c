/* SPDX-License-Identifier: ISC */
#include "protocol/scram_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/secret.h"
#include "protocol/sasl.h"

/* The example of RFC 7677 3. */
#define CLIENT_NONCE "rOprNGfwEbeRWgbNEkqO"
#define SERVER_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define FIRST        "n,,n=user,r=" CLIENT_NONCE
#define CHALLENGE                                                              \
	"r=" CLIENT_NONCE SERVER_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define FINAL                                                                  \
	"c=biws,r=" CLIENT_NONCE SERVER_NONCE                                  \
	",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define SIGNATURE "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static struct scram_keys
keys_of(const char *password)
{
	struct scram_keys keys;
	unsigned char salt[24];
	ssize_t len = base64_decode(salt, "W22ZaJ0SNY7soEsUEjb6gQ==", 24);

	assert_true(scram_keys_make(
	    &keys, password, strlen(password), salt, (size_t)len, 4096));
	return keys;
}

static const struct scram_server_options plain = {.nonce = SERVER_NONCE};

/* What the server says to a first message, and then to a final one. */
static void
exchange_for(const struct scram_server_options *options, const char *password,
    const char *first, const char *final, enum scram_result want_first,
    enum scram_result want_final, const char *signature)
{
	struct scram_server *server = scram_server_new(options);
	struct scram_keys keys = keys_of(password);
	char user[SCRAM_USER_MAX + 1];
	struct buf out;

	buf_init(&out, 4096);
	assert_int_equal(
	    scram_server_first(server, first, strlen(first), user), want_first);
	if (want_first == SCRAM_GOOD) {
		scram_server_challenge(server, &keys, &out);
		buf_reset(&out);
		assert_int_equal(
		    scram_server_final(server, final, strlen(final), &out),
		    want_final);
	}
	if (want_first == SCRAM_GOOD && want_final == SCRAM_GOOD) {
		assert_int_equal(buf_len(&out), strlen(signature));
		assert_memory_equal(
		    buf_data(&out), signature, strlen(signature));
	} else {
		assert_int_equal(buf_len(&out), 0);
	}
	buf_clear(&out);
	scram_server_free(server);
}

static void
exchange(const struct scram_server_options *options, const char *password,
    const char *first, const char *final, enum scram_result want_first,
    enum scram_result want_final)
{
	exchange_for(
	    options, password, first, final, want_first, want_final, SIGNATURE);
}

static void
test_vector(void **state)
{
	struct scram_server *server = scram_server_new(&plain);
	struct scram_keys keys = keys_of("pencil");
	char user[SCRAM_USER_MAX + 1];
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	assert_int_equal(
	    scram_server_first(server, FIRST, strlen(FIRST), user), SCRAM_GOOD);
	assert_string_equal(user, "user");
	scram_server_challenge(server, &keys, &out);
	assert_int_equal(buf_len(&out), strlen(CHALLENGE));
	assert_memory_equal(buf_data(&out), CHALLENGE, strlen(CHALLENGE));
	buf_clear(&out);
	scram_server_free(server);
	exchange(&plain, "pencil", FIRST, FINAL, SCRAM_GOOD, SCRAM_GOOD);
}

static void
test_wrong(void **state)
{
	static const struct {
		const char *first, *final;
		enum scram_result want_first, want_final;
	} rows[] = {
	    {"", "", SCRAM_MALFORMED, SCRAM_GOOD},
	    {"n,,", "", SCRAM_MALFORMED, SCRAM_GOOD},
	    {"n,,n=user", "", SCRAM_MALFORMED, SCRAM_GOOD},
	    {"n,,n=,r=a", "", SCRAM_MALFORMED, SCRAM_GOOD},
	    {"n,,n=user,r=", "", SCRAM_MALFORMED, SCRAM_GOOD},
	    {"n,,n=a=b,r=a", "", SCRAM_MALFORMED, SCRAM_GOOD},
	    {"n,,m=x,n=user,r=a", "", SCRAM_MALFORMED, SCRAM_GOOD},
	    {"x,,n=user,r=a", "", SCRAM_MALFORMED, SCRAM_GOOD},
	    /* Acting for somebody else. */
	    {"n,a=other,n=user,r=a", "", SCRAM_MALFORMED, SCRAM_GOOD},
	    {"n,a=use,n=user,r=a", "", SCRAM_MALFORMED, SCRAM_GOOD},
	    {"n,a=,n=user,r=a", "", SCRAM_MALFORMED, SCRAM_GOOD},
	    {"n,user,n=user,r=a", "", SCRAM_MALFORMED, SCRAM_GOOD},
	    /* What was said of it is part of what is proven. */
	    {"n,a=user,n=user,r=" CLIENT_NONCE, FINAL, SCRAM_GOOD,
		SCRAM_BINDING},
	    /* Binding without -PLUS. */
	    {"p=tls-exporter,,n=user,r=a", "", SCRAM_BINDING, SCRAM_GOOD},
	    {FIRST, "", SCRAM_GOOD, SCRAM_MALFORMED},
	    {FIRST, "c=biws,r=" CLIENT_NONCE ",p=AAAA", SCRAM_GOOD,
		SCRAM_MALFORMED},
	    {FIRST, "c=biws,r=" CLIENT_NONCE SERVER_NONCE, SCRAM_GOOD,
		SCRAM_MALFORMED},
	    {FIRST, "c=eSws,r=" CLIENT_NONCE SERVER_NONCE ",p=AAAA", SCRAM_GOOD,
		SCRAM_BINDING},
	    {FIRST, "c=biws,r=" CLIENT_NONCE SERVER_NONCE ",p=AAAA", SCRAM_GOOD,
		SCRAM_WRONG},
	    {FIRST, "c=biws,r=" CLIENT_NONCE SERVER_NONCE ",p=!", SCRAM_GOOD,
		SCRAM_WRONG},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		exchange(&plain, "pencil", rows[i].first, rows[i].final,
		    rows[i].want_first, rows[i].want_final);
	exchange(&plain, "pencils", FIRST, FINAL, SCRAM_GOOD, SCRAM_WRONG);
}

/* Some clients always say whom they act for. */
static void
test_acting_for_himself(void **state)
{
	static const char final[] =
	    "c=bixhPXVzZXIs,r=" CLIENT_NONCE SERVER_NONCE
	    ",p=t03aUuq4eobF+sIe9aMDq7lKPDwSPmgQxsHhaE9hQnc=";
	static const char signature[] =
	    "v=s/GjApLe1lkg2qcPV+thFIArK07tHFCZvdc4Y+q94sg=";

	(void)state;
	exchange_for(&plain, "pencil", "n,a=user,n=user,r=" CLIENT_NONCE, final,
	    SCRAM_GOOD, SCRAM_GOOD, signature);
}

/* With -PLUS on the list, 'y' means that somebody took it out. */
static void
test_stripped_list(void **state)
{
	struct scram_server_options options = {
	    .nonce = SERVER_NONCE, .plus_offered = true};

	(void)state;
	exchange(
	    &options, "pencil", "y,,n=user,r=a", "", SCRAM_BINDING, SCRAM_GOOD);
	exchange(&options, "pencil", FIRST, FINAL, SCRAM_GOOD, SCRAM_GOOD);
	options.plus = true;
	exchange(&options, "pencil", FIRST, FINAL, SCRAM_BINDING, SCRAM_GOOD);
}

/* The agent's own half on the other side. */
static void
meet(const char *mechanism, const char *their_binding, const char *ours,
    unsigned char octet, bool good)
{
	char word[] = "sec,ret=";
	struct secret password = {.text = word, .len = strlen(word)};
	struct sasl_credentials credentials = {.user = "a=b,c",
	    .password = &password,
	    .tls = true,
	    .binding = their_binding,
	    .binding_data = {1, 2, 3},
	    .binding_len = 3,
	    .plus_listed = true,
	    .nonce = "abcdefghijklmnopqrstuvwx"};
	unsigned char data[] = {1, 2, octet};
	struct scram_server_options options = {
	    .plus = strstr(mechanism, "-PLUS") != NULL,
	    .plus_offered = true,
	    .binding = ours,
	    .binding_data = data,
	    .binding_len = sizeof data,
	    .nonce = SERVER_NONCE};
	struct sasl *client =
	    sasl_new(sasl_mechanism_find(mechanism), &credentials);
	struct scram_server *server = scram_server_new(&options);
	struct scram_keys keys = keys_of(word);
	char user[SCRAM_USER_MAX + 1];
	struct buf said, heard;
	struct error err;

	buf_init(&said, 4096);
	buf_init(&heard, 4096);
	assert_true(sasl_step(client, NULL, 0, &said, &err));
	enum scram_result result =
	    scram_server_first(server, buf_data(&said), buf_len(&said), user);
	if (result == SCRAM_GOOD) {
		assert_string_equal(user, "a=b,c");
		scram_server_challenge(server, &keys, &heard);
		buf_reset(&said);
		assert_true(sasl_step(
		    client, buf_data(&heard), buf_len(&heard), &said, &err));
		buf_reset(&heard);
		result = scram_server_final(
		    server, buf_data(&said), buf_len(&said), &heard);
	}
	assert_int_equal(result, good ? SCRAM_GOOD : SCRAM_BINDING);
	if (good) {
		buf_reset(&said);
		assert_true(sasl_step(
		    client, buf_data(&heard), buf_len(&heard), &said, &err));
		assert_true(sasl_finish(client, &err));
	}
	buf_clear(&said);
	buf_clear(&heard);
	sasl_free(client);
	scram_server_free(server);
}

static void
test_meets_the_client(void **state)
{
	(void)state;
	meet("SCRAM-SHA-256-PLUS", "tls-exporter", "tls-exporter", 3, true);
	/* Another connection. */
	meet("SCRAM-SHA-256-PLUS", "tls-exporter", "tls-exporter", 4, false);
	meet("SCRAM-SHA-256-PLUS", "tls-unique", "tls-exporter", 3, false);
	meet("SCRAM-SHA-256-PLUS", "tls-exporter", NULL, 3, false);
	meet("SCRAM-SHA-256", NULL, "tls-exporter", 3, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vector),
	    cmocka_unit_test(test_wrong),
	    cmocka_unit_test(test_acting_for_himself),
	    cmocka_unit_test(test_stripped_list),
	    cmocka_unit_test(test_meets_the_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
