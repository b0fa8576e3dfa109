/* SPDX-License-Identifier: ISC */
/*
 * The responses of a login: SCRAM-SHA-256's messages to its machine, and what
 * PLAIN, LOGIN and EXTERNAL are sent. Nobody knows the password: whatever it
 * is, nobody is let in.
 */
#include "fuzz.h"

#include "base/error.h"
#include "protocol/scram_server.h"
#include "provider/provider_config.h"
#include "provider/verify.h"

static const char *const mechanisms[] = {
    "PLAIN", "LOGIN", "EXTERNAL", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"};

/* Responses are cut at line ends. */
static size_t
next_response(const char **rest, const char *end)
{
	const char *lf = memchr(*rest, '\n', (size_t)(end - *rest));

	return (size_t)((lf != NULL ? lf : end) - *rest);
}

static void
run_verify(unsigned choice, const char *text, const char *end)
{
	static const struct tls_binding binding = {
	    .name = "tls-exporter", .len = 32};
	/* There is no such file: who comes so far is told to come later. */
	const struct provider_config config = {.users_file = "/nowhere/users"};
	const struct verify_options options = {
	    .config = &config, .binding = &binding, .pin = ""};
	struct verify *verify = verify_new(&options);
	enum provider_login login = PROVIDER_LOGIN_LATER;
	struct error err;
	struct buf out;

	buf_init(&out, PROVIDER_RESPONSE_MAX);
	enum verify_result result = verify_begin(verify,
	    mechanisms[choice % (sizeof mechanisms / sizeof mechanisms[0])],
	    NULL, 0, &out, &login, &err);
	while (result == VERIFY_CHALLENGE && text < end) {
		size_t len = next_response(&text, end);
		/* Not an octet more: the sanitizer sees a read behind it. */
		char *copy = malloc(len + 1);
		assert(copy != NULL);
		memcpy(copy, text, len);
		copy[len] = '\0';
		result = verify_respond(verify, copy, len, &out, &login, &err);
		free(copy);
		text += len + (text + len < end);
	}
	if (result == VERIFY_DONE)
		assert(login != PROVIDER_LOGIN_GOOD);
	else
		verify_cancel(verify);
	assert(strlen(verify_user(verify)) < VERIFY_USER_SIZE);
	buf_clear(&out);
	verify_free(verify);
}

static void
run_scram(unsigned choice, const char *text, const char *end)
{
	static const unsigned char channel[32] = {1};
	const struct scram_server_options options = {
	    .plus = (choice & 1) != 0,
	    .plus_offered = (choice & 2) != 0,
	    .binding = (choice & 4) != 0 ? "tls-exporter" : NULL,
	    .binding_data = channel,
	    .binding_len = sizeof channel,
	    .nonce = "0123456789abcdefghijklmn",
	};
	struct scram_keys keys = {.salt_len = 16, .iterations = 4096};
	struct scram_server *server = scram_server_new(&options);
	size_t len = next_response(&text, end);
	char user[SCRAM_USER_MAX + 1];
	struct buf out;

	memset(keys.stored, 0x5a, sizeof keys.stored);
	buf_init(&out, 8192);
	if (scram_server_first(server, text, len, user) == SCRAM_GOOD) {
		assert(user[0] != '\0' && strlen(user) <= SCRAM_USER_MAX);
		scram_server_challenge(server, &keys, &out);
		text += len + (text + len < end);
		assert(scram_server_final(server, text, (size_t)(end - text),
			   &out) != SCRAM_GOOD);
	}
	buf_clear(&out);
	scram_server_free(server);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + FUZZ_HEAD;

	if (size < FUZZ_HEAD)
		return 0;
	run_verify(data[0], text, (const char *)data + size);
	run_scram(data[1], text, (const char *)data + size);
	return 0;
}
