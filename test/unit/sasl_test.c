/* SPDX-License-Identifier: ISC */
#include "protocol/sasl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/secret.h"
#include "protocol/md5.h"

enum { STEPS_MAX = 5 };

/* A challenge and what it brings: a response, or an error. */
struct step {
	const char *challenge; /* NULL: none yet, or the end */
	const char *response; /* NULL: an error */
};

struct exchange {
	const char *name;
	const char *mechanism;
	const char *user, *secret;
	const char *nonce;
	const char *binding; /* the type; its data is "BINDING" */
	bool plus_listed;
	struct step steps[STEPS_MAX];
	bool finishes; /* 235 may come then */
	enum error_class error; /* of the step, or of the finish */
};

#define NONCE_1          "fyko+d2lbbFgONRv9qkxdawL"
#define FIRST_1          "n,,n=user,r=" NONCE_1
#define SERVER_NONCE_1   NONCE_1 "3rfcNHYJY1ZVvWVs7j"
#define CHALLENGE_1      "r=" SERVER_NONCE_1 ",s=QSXCR+Q6sek8bf92,i=4096"
#define FINAL_1          "c=biws,r=" SERVER_NONCE_1 ",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
#define VERIFIER_1       "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="
#define NONCE_256        "rOprNGfwEbeRWgbNEkqO"
#define SERVER_NONCE_256 NONCE_256 "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define CHALLENGE_256    "r=" SERVER_NONCE_256 ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define SCRAM_1          "SCRAM-SHA-1", "user", "pencil", NONCE_1, NULL, false

static const struct exchange exchanges[] = {
    {"RFC 2195", "CRAM-MD5", "tim", "tanstaaftanstaaf", "", NULL, false,
	{{"<1896.697170952@postoffice.reston.mci.net>",
	    "tim b913a602c7eda7a495b4e6e7334d3890"}},
	true, ERROR_NONE},
    {"the challenge of RFC 2645, its line end included", "CRAM-MD5",
	"foobar.net", "tanstaaftanstaaf", "", NULL, false,
	{{"1896.697170952@ISP.COM\n",
	    "foobar.net 681a99e32ba2057399888ea577d45cc0"}},
	true, ERROR_NONE},
    {"a key of more than a block", "CRAM-MD5", "u",
	"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", "",
	NULL, false, {{"<a@b>", "u 792789c78338444ebdaf8550632e2406"}}, true,
	ERROR_NONE},
    {"CRAM-MD5 asks again", "CRAM-MD5", "tim", "tanstaaftanstaaf", "", NULL,
	false,
	{{"<1896.697170952@postoffice.reston.mci.net>",
	     "tim b913a602c7eda7a495b4e6e7334d3890"},
	    {"more", NULL}},
	false, ERROR_PROTOCOL},
    {"CRAM-MD5 accepted unasked", "CRAM-MD5", "tim", "x", "", NULL, false,
	{{NULL, NULL}}, false, ERROR_PROTOCOL},
    {"LOGIN, whatever the prompts", "LOGIN", "tim", "p\xc3\xa4ss", "", NULL,
	false, {{"User Name", "tim"}, {"", "p\xc3\xa4ss"}}, true, ERROR_NONE},
    {"LOGIN accepted before the password", "LOGIN", "tim", "x", "", NULL, false,
	{{"Username:", "tim"}}, false, ERROR_PROTOCOL},
    {"LOGIN asks a third time", "LOGIN", "tim", "x", "", NULL, false,
	{{"Username:", "tim"}, {"Password:", "x"}, {"Again:", NULL}}, false,
	ERROR_PROTOCOL},
    {"EXTERNAL without user", "EXTERNAL", NULL, "", "", NULL, false, {{"", ""}},
	true, ERROR_NONE},
    {"EXTERNAL with user", "EXTERNAL", "tim", "", "", NULL, false,
	{{"", "tim"}}, true, ERROR_NONE},
    {"OAUTHBEARER", "OAUTHBEARER", "a=b,c@example.com", "vF9dft4qmT", "", NULL,
	false,
	{{"", "n,a=a=3Db=2Cc@example.com,\001host=odmr.example.net"
	      "\001port=366\001auth=Bearer vF9dft4qmT\001\001"}},
	true, ERROR_NONE},
    {"OAUTHBEARER fails", "OAUTHBEARER", "u", "t", "", NULL, false,
	{{"", "n,a=u,\001host=odmr.example.net"
	      "\001port=366\001auth=Bearer t\001\001"},
	    {"{\"status\":\"invalid_token\"}", "\001"}},
	false, ERROR_PROTOCOL},
    {"OAUTHBEARER never ends", "OAUTHBEARER", "u", "t", "", NULL, false,
	{{"", "n,a=u,\001host=odmr.example.net"
	      "\001port=366\001auth=Bearer t\001\001"},
	    {"{}", "\001"}, {"{}", NULL}},
	false, ERROR_PROTOCOL},
    {"XOAUTH2 fails", "XOAUTH2", "u", "t", "", NULL, false,
	{{"", "user=u\001auth=Bearer t\001\001"}, {"{\"status\":\"400\"}", ""}},
	false, ERROR_PROTOCOL},

    {"RFC 5802 5", SCRAM_1,
	{{"", FIRST_1}, {CHALLENGE_1, FINAL_1}, {VERIFIER_1, ""}}, true,
	ERROR_NONE},
    {"RFC 7677 3", "SCRAM-SHA-256", "user", "pencil", NONCE_256, NULL, false,
	{{"", "n,,n=user,r=" NONCE_256},
	    {CHALLENGE_256, "c=biws,r=" SERVER_NONCE_256
			    ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="},
	    {"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", ""}},
	true, ERROR_NONE},
    {"a name with , and =", "SCRAM-SHA-1", "a,b=c", "pencil", NONCE_1, NULL,
	false, {{"", "n,,n=a=2Cb=3Dc,r=" NONCE_1}}, false, ERROR_AUTH},
    {"could bind, and no -PLUS is listed", "SCRAM-SHA-1", "user", "pencil",
	NONCE_1, "tls-exporter", false, {{"", "y,,n=user,r=" NONCE_1}}, false,
	ERROR_AUTH},
    {"could bind, but was told not to", "SCRAM-SHA-1", "user", "pencil",
	NONCE_1, "tls-exporter", true, {{"", "n,,n=user,r=" NONCE_1}}, false,
	ERROR_AUTH},
    /* Computed with Python's hashlib. */
    {"bound", "SCRAM-SHA-256-PLUS", "user", "pencil", NONCE_256, "tls-exporter",
	true,
	{{"", "p=tls-exporter,,n=user,r=" NONCE_256},
	    {CHALLENGE_256,
		"c=cD10bHMtZXhwb3J0ZXIsLEJJTkRJTkc=,r=" SERVER_NONCE_256
		",p=uZODJFBu0onHT2sea1BfuHj3W6vFohYF3929txMizCs="},
	    {"v=PU9pTnV3GUDiUS1ZLbrBrSKY3bSy5lIBV8iqZYhCc0U=", ""}},
	true, ERROR_NONE},
    {"extensions behind", SCRAM_1,
	{{"", FIRST_1},
	    {CHALLENGE_1 ",x=y",
		"c=biws,r=" SERVER_NONCE_1 ",p=gFDIAMYbdy33TxcEYV+GYzRIMJg="},
	    {"v=+tHPy0i/fRHtpLZl7U1zzrgHPXQ=,x=y", ""}},
	true, ERROR_NONE},
    {"no verifier before the 235", SCRAM_1,
	{{"", FIRST_1}, {CHALLENGE_1, FINAL_1}}, false, ERROR_AUTH},
    {"235 at once", SCRAM_1, {{"", FIRST_1}}, false, ERROR_AUTH},
    {"wrong verifier", SCRAM_1,
	{{"", FIRST_1}, {CHALLENGE_1, FINAL_1},
	    {"v=smF9pqV8S7suAoZWja4dJRkFsKQ=", NULL}},
	false, ERROR_AUTH},
    {"half a verifier", SCRAM_1,
	{{"", FIRST_1}, {CHALLENGE_1, FINAL_1}, {"v=rmF9", NULL}}, false,
	ERROR_AUTH},
    {"more than a verifier", SCRAM_1,
	{{"", FIRST_1}, {CHALLENGE_1, FINAL_1}, {VERIFIER_1 "x", NULL}}, false,
	ERROR_AUTH},
    {"empty verifier", SCRAM_1,
	{{"", FIRST_1}, {CHALLENGE_1, FINAL_1}, {"", NULL}}, false, ERROR_AUTH},
    {"e= at the end", SCRAM_1,
	{{"", FIRST_1}, {CHALLENGE_1, FINAL_1}, {"e=invalid-proof", NULL}},
	false, ERROR_AUTH},
    {"e= at once", SCRAM_1, {{"", FIRST_1}, {"e=unknown-user", NULL}}, false,
	ERROR_AUTH},
    {"another challenge behind", SCRAM_1,
	{{"", FIRST_1}, {CHALLENGE_1, FINAL_1}, {VERIFIER_1, ""},
	    {VERIFIER_1, NULL}},
	false, ERROR_PROTOCOL},
    {"another nonce", SCRAM_1,
	{{"", FIRST_1}, {"r=xxx,s=QSXCR+Q6sek8bf92,i=4096", NULL}}, false,
	ERROR_PROTOCOL},
    {"our nonce and nothing more", SCRAM_1,
	{{"", FIRST_1}, {"r=" NONCE_1 ",s=QSXCR+Q6sek8bf92,i=4096", NULL}},
	false, ERROR_PROTOCOL},
    {"iteration 1", SCRAM_1,
	{{"", FIRST_1}, {"r=" SERVER_NONCE_1 ",s=QSXCR+Q6sek8bf92,i=1", NULL}},
	false, ERROR_PROTOCOL},
    {"iteration 4095", SCRAM_1,
	{{"", FIRST_1},
	    {"r=" SERVER_NONCE_1 ",s=QSXCR+Q6sek8bf92,i=4095", NULL}},
	false, ERROR_PROTOCOL},
    {"iteration 10^9", SCRAM_1,
	{{"", FIRST_1},
	    {"r=" SERVER_NONCE_1 ",s=QSXCR+Q6sek8bf92,i=1000000000", NULL}},
	false, ERROR_PROTOCOL},
    {"iteration beyond 64 bits", SCRAM_1,
	{{"", FIRST_1},
	    {"r=" SERVER_NONCE_1 ",s=QSXCR+Q6sek8bf92,i=18446744073709555712",
		NULL}},
	false, ERROR_PROTOCOL},
    {"iteration -1", SCRAM_1,
	{{"", FIRST_1}, {"r=" SERVER_NONCE_1 ",s=QSXCR+Q6sek8bf92,i=-1", NULL}},
	false, ERROR_PROTOCOL},
    {"no iteration", SCRAM_1,
	{{"", FIRST_1}, {"r=" SERVER_NONCE_1 ",s=QSXCR+Q6sek8bf92,i=", NULL}},
	false, ERROR_PROTOCOL},
    {"no salt", SCRAM_1,
	{{"", FIRST_1}, {"r=" SERVER_NONCE_1 ",s=,i=4096", NULL}}, false,
	ERROR_PROTOCOL},
    {"salt that is not base64", SCRAM_1,
	{{"", FIRST_1}, {"r=" SERVER_NONCE_1 ",s=!!!!,i=4096", NULL}}, false,
	ERROR_PROTOCOL},
    {"mandatory extension", SCRAM_1,
	{{"", FIRST_1}, {"m=x," CHALLENGE_1, NULL}}, false, ERROR_PROTOCOL},
    {"fields out of order", SCRAM_1,
	{{"", FIRST_1},
	    {"s=QSXCR+Q6sek8bf92,r=" SERVER_NONCE_1 ",i=4096", NULL}},
	false, ERROR_PROTOCOL},
    {"an empty challenge", SCRAM_1, {{"", FIRST_1}, {"", NULL}}, false,
	ERROR_PROTOCOL},
};

static void
fill_credentials(struct sasl_credentials *credentials,
    const struct exchange *exchange, const struct secret *secret)
{
	*credentials = (struct sasl_credentials){
	    .user = exchange->user,
	    .password = secret,
	    .token = secret,
	    .certificate = true,
	    .tls = true,
	    .host = "odmr.example.net",
	    .port = 366,
	    .binding = exchange->binding,
	    .binding_data = "BINDING",
	    .binding_len = 7,
	    .plus_listed = exchange->plus_listed,
	    .nonce = exchange->nonce,
	};
}

static void
run_exchange(const struct exchange *exchange)
{
	const struct sasl_mechanism *mechanism =
	    sasl_mechanism_find(exchange->mechanism);
	struct secret secret = {.text = NULL};
	struct sasl_credentials credentials;
	struct error err = {.class = ERROR_NONE};
	struct buf out;
	bool failed = false;

	secret_set(&secret, exchange->secret, strlen(exchange->secret));
	fill_credentials(&credentials, exchange, &secret);
	buf_init(&out, 4096);
	assert_true(sasl_mechanism_usable(mechanism, &credentials, true));
	struct sasl *sasl = sasl_new(mechanism, &credentials);
	for (const struct step *step = exchange->steps;
	     step->challenge != NULL && !failed; step++) {
		buf_reset(&out);
		failed = !sasl_step(
		    sasl, step->challenge, strlen(step->challenge), &out, &err);
		assert_int_equal(failed, step->response == NULL);
		if (failed)
			break;
		assert_int_equal(buf_len(&out), strlen(step->response));
		assert_memory_equal(
		    buf_data(&out), step->response, buf_len(&out));
	}
	if (!failed)
		assert_int_equal(sasl_finish(sasl, &err), exchange->finishes);
	assert_int_equal(err.class, exchange->error);
	sasl_free(sasl);
	buf_clear(&out);
	secret_clear(&secret);
}

static void
test_exchanges(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof exchanges / sizeof *exchanges; i++) {
		print_message("%s\n", exchanges[i].name);
		run_exchange(&exchanges[i]);
	}
}

static void
test_plain(void **state)
{
	struct secret secret = {.text = NULL};
	struct sasl_credentials credentials = {
	    .user = "tim", .password = &secret, .tls = true};
	struct error err;
	struct buf out;
	char text[BASE64_SIZE(64)];

	(void)state;
	buf_init(&out, 64);
	secret_set(&secret, "tanstaaftanstaaf", 16);
	struct sasl *sasl =
	    sasl_new(sasl_mechanism_find("PLAIN"), &credentials);
	assert_true(sasl_client_first(sasl));
	assert_true(sasl_step(sasl, "", 0, &out, &err));
	base64_encode(text, buf_data(&out), buf_len(&out));
	assert_string_equal(text, "AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
	assert_true(sasl_finish(sasl, &err));
	sasl_free(sasl);
	buf_clear(&out);
	secret_clear(&secret);
}

/* A challenge with a NUL is as opaque as any to CRAM-MD5, and no SCRAM. */
static void
test_nul_in_challenge(void **state)
{
	static const char *const names[] = {"CRAM-MD5", "SCRAM-SHA-1"};
	struct secret secret = {.text = NULL};
	struct sasl_credentials credentials = {
	    .user = "u", .password = &secret, .nonce = NONCE_1};
	struct error err;
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	secret_set(&secret, "x", 1);
	for (size_t i = 0; i < 2; i++) {
		struct sasl *sasl =
		    sasl_new(sasl_mechanism_find(names[i]), &credentials);

		if (sasl_client_first(sasl))
			assert_true(sasl_step(sasl, "", 0, &out, &err));
		assert_int_equal(sasl_step(sasl, CHALLENGE_1 "\0x",
				     sizeof CHALLENGE_1 + 1, &out, &err),
		    i == 0);
		sasl_free(sasl);
	}
	buf_clear(&out);
	secret_clear(&secret);
}

/* Challenges as long as a line of AUTH may be. */
static void
test_long_challenge(void **state)
{
	enum { LONG = 9000 };
	struct secret secret = {.text = NULL};
	struct sasl_credentials credentials = {
	    .user = "user", .password = &secret, .nonce = NONCE_1};
	struct error err = {.class = ERROR_NONE};
	char *challenge = xmalloc(LONG);
	struct buf out;

	(void)state;
	buf_init(&out, 12288);
	secret_set(&secret, "pencil", 6);
	memset(challenge, 'x', LONG);
	memcpy(challenge, "r=" NONCE_1, sizeof NONCE_1 + 1);
	memcpy(challenge + LONG - 16, ",s=QQ==,i=4096,,", 16);
	struct sasl *sasl =
	    sasl_new(sasl_mechanism_find("SCRAM-SHA-1"), &credentials);
	assert_true(sasl_step(sasl, "", 0, &out, &err));
	buf_reset(&out);
	assert_true(sasl_step(sasl, challenge, LONG, &out, &err));
	assert_in_range(buf_len(&out), LONG, LONG + 64);
	/* No room for an answer that repeats such a nonce. */
	sasl_free(sasl);
	sasl = sasl_new(sasl_mechanism_find("SCRAM-SHA-1"), &credentials);
	buf_clear(&out);
	buf_init(&out, LONG);
	assert_true(sasl_step(sasl, "", 0, &out, &err));
	assert_false(sasl_step(sasl, challenge, LONG, &out, &err));
	sasl_free(sasl);
	buf_clear(&out);
	free(challenge);
	secret_clear(&secret);
}

static void
test_server_error(void **state)
{
	struct secret secret = {.text = NULL};
	struct sasl_credentials credentials = {
	    .user = "u", .token = &secret, .tls = true, .host = "h"};
	struct error err;
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	secret_set(&secret, "t", 1);
	struct sasl *sasl =
	    sasl_new(sasl_mechanism_find("xoauth2"), &credentials);
	assert_string_equal(sasl_server_error(sasl), "");
	assert_true(sasl_step(sasl, "", 0, &out, &err));
	assert_true(sasl_step(sasl, "{\"status\":\"401\"}", 16, &out, &err));
	assert_string_equal(sasl_server_error(sasl), "{\"status\":\"401\"}");
	sasl_free(sasl);
	buf_clear(&out);
	secret_clear(&secret);
}

struct usable_case {
	const char *mechanism;
	const char *user, *password, *token;
	bool tls, certificate, binding, named;
	bool usable;
};

static const struct usable_case usable_cases[] = {
    {"PLAIN", "u", "p", NULL, true, false, false, false, true},
    {"PLAIN", "u", "p", NULL, false, false, false, true, false},
    {"PLAIN", "u", "\xc3\xa4", NULL, true, false, false, false, true},
    {"PLAIN", "u", NULL, "t", true, false, false, false, false},
    {"PLAIN", NULL, "p", NULL, true, false, false, false, false},
    {"PLAIN", "u", "", NULL, true, false, false, false, false},
    {"LOGIN", "u", "p", NULL, false, false, false, true, false},
    {"CRAM-MD5", "u", "p", NULL, false, false, false, false, true},
    {"SCRAM-SHA-1", "u", "p", NULL, false, false, false, false, true},
    {"SCRAM-SHA-1", "u", "p\xc3\xa4", NULL, true, false, false, true, false},
    {"SCRAM-SHA-1", "\xc3\xa4", "p", NULL, true, false, false, true, false},
    {"SCRAM-SHA-1", "u", "p\t", NULL, true, false, false, true, false},
    {"SCRAM-SHA-256-PLUS", "u", "p", NULL, true, false, true, false, true},
    {"SCRAM-SHA-256-PLUS", "u", "p", NULL, true, false, false, true, false},
    {"OAUTHBEARER", "u", NULL, "t", true, false, false, false, true},
    {"OAUTHBEARER", "u", NULL, "t", false, false, false, true, false},
    {"OAUTHBEARER", "u", NULL, "t\001", true, false, false, true, false},
    {"OAUTHBEARER", "u", "p", NULL, true, false, false, true, false},
    {"XOAUTH2", "u", NULL, "t", false, false, false, true, false},
    {"EXTERNAL", NULL, NULL, NULL, true, true, false, true, true},
    {"EXTERNAL", NULL, NULL, NULL, true, true, false, false, false},
    {"EXTERNAL", NULL, NULL, NULL, true, false, false, true, false},
    {"EXTERNAL", NULL, NULL, NULL, false, false, false, true, true},
};

static void
test_usable(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof usable_cases / sizeof *usable_cases;
	     i++) {
		const struct usable_case *c = &usable_cases[i];
		struct secret password = {.text = NULL}, token = password;
		struct sasl_credentials credentials = {
		    .user = c->user,
		    .password = c->password == NULL ? NULL : &password,
		    .token = &token,
		    .tls = c->tls,
		    .certificate = c->certificate,
		    .binding = c->binding ? "tls-exporter" : NULL,
		};

		if (c->password != NULL)
			secret_set(&password, c->password, strlen(c->password));
		if (c->token != NULL)
			secret_set(&token, c->token, strlen(c->token));
		print_message("%zu %s\n", i, c->mechanism);
		assert_int_equal(
		    sasl_mechanism_usable(sasl_mechanism_find(c->mechanism),
			&credentials, c->named),
		    c->usable);
		secret_clear(&password);
		secret_clear(&token);
	}
}

static void
test_rank(void **state)
{
	static const char *const falling[] = {"SCRAM-SHA-256-PLUS",
	    "scram-sha-1-plus", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5",
	    "PLAIN", "LOGIN", "DIGEST-MD5"};

	(void)state;
	for (size_t i = 1; i < sizeof falling / sizeof *falling; i++)
		assert_true(sasl_rank(falling[i - 1]) < sasl_rank(falling[i]));
	assert_null(sasl_mechanism_find("DIGEST-MD5"));
	assert_null(sasl_mechanism_find(""));
	for (size_t i = 0; sasl_mechanism_at(i) != NULL; i++)
		assert_int_equal(
		    sasl_rank(sasl_mechanism_name(sasl_mechanism_at(i))),
		    i + 1);
}

struct md5_case {
	const char *key, *text, *hex;
};

/* RFC 2202 2, and what Python's hmac gives at each border of a block. */
static const struct md5_case md5_cases[] = {
    {"Jefe", "what do ya want for nothing?",
	"750c783e6ab0b503eaa86e310a5db738"},
    {"", "", "74e6f7298a9c2d168935f58c001bad88"},
    {"key", "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcde",
	"4990d6a1dcffdafdbc56c1e273fd348f"},
    {"key", "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdef",
	"18fe144ae89d59a4581a6560a4dac907"},
    {"key",
	"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij"
	"abc",
	"8a663d53de7cc82b6e749ba9b15e8c81"},
    {"key",
	"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij"
	"abcd",
	"7977c053b86e6fb927d3c0e8dafd29e5"},
    {"key",
	"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij"
	"abcde",
	"16cc31147ebf868dbaeedd4a1a5fb870"},
    {"key",
	"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij"
	"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghi",
	"0f9641b60cb2de3e02b68c00f1fcca25"},
    {"key",
	"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij"
	"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij",
	"4733767b558f6bb47a68f5fd9372945e"},
    {"key",
	"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij"
	"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij"
	"abcdefgh",
	"03ae0b7b93e14c79cee164a9372c4d36"},
};

static void
test_md5(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof md5_cases / sizeof *md5_cases; i++) {
		const struct md5_case *c = &md5_cases[i];
		unsigned char digest[MD5_SIZE];
		char hex[2 * MD5_SIZE + 1];

		md5_hmac(
		    digest, c->key, strlen(c->key), c->text, strlen(c->text));
		for (size_t k = 0; k < MD5_SIZE; k++)
			snprintf(hex + 2 * k, 3, "%02x", digest[k]);
		assert_string_equal(hex, c->hex);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_exchanges),
	    cmocka_unit_test(test_plain),
	    cmocka_unit_test(test_nul_in_challenge),
	    cmocka_unit_test(test_long_challenge),
	    cmocka_unit_test(test_server_error),
	    cmocka_unit_test(test_usable),
	    cmocka_unit_test(test_rank),
	    cmocka_unit_test(test_md5),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
