/* SPDX-License-Identifier: ISC */
/* Both halves of TLS: net/tls_server in a process of its own, as a customer's
 * has it, called by net/tls of the agent, or by whoever is none. */
#include "net/tls_server.h"

#include <openssl/ssl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "base/error.h"
#include "net/identity.h"
#include "net/stream.h"
#include "net/tls.h"

enum { LONG_MS = 120 * 1000, SHORT_MS = 100, PATH_SIZE = 64 };

static const char host[] = "mx.example.net";
static char folder[] = "/tmp/tls_server_test.XXXXXX";

/* What was agreed on, as the called side sees it. */
struct seen {
	bool started;
	struct error err;
	char version[16];
	char pin[TLS_PIN_SIZE];
	bool resumed, bound;
	struct tls_binding binding;
};

struct called {
	int fd; /* of the caller */
	int result; /* of a struct seen */
	pid_t pid;
};

/* The path of a file here, of few at a time. */
static const char *
file(const char *name)
{
	static char paths[4][PATH_SIZE];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, PATH_SIZE, "%s/%s", folder, name);
	return path;
}

static struct tls_server *
new_server(bool asks)
{
	struct error err;
	struct tls_server *server =
	    tls_server_new(file("cert"), file("key"), asks, &err);

	assert_non_null(server);
	return server;
}

/* The customer's process: shakes hands, says "220", hears one octet. */
static _Noreturn void
be_called(struct tls_server *server, int fd, int64_t ms, int result)
{
	struct deadline deadline = deadline_in(ms, 0);
	struct stream *stream = stream_new(fd);
	struct seen seen = {.started = false};
	struct tls_info info;
	struct error err;
	char octet;

	seen.started = tls_server_start(server, stream, &deadline, &seen.err);
	if (seen.started && tls_info(stream, &info)) {
		snprintf(seen.version, sizeof seen.version, "%s", info.version);
		memcpy(seen.pin, info.pin, sizeof seen.pin);
		seen.resumed = info.resumed;
		seen.bound = tls_binding(stream, &seen.binding);
		if (stream_write(stream, "220", 3, &deadline, &err) &&
		    stream_read(stream, &octet, 1, &deadline, &err) < 0)
			seen.err = err;
	}
	stream_finish(stream, &deadline);
	stream_free(stream);
	_exit(write(result, &seen, sizeof seen) != sizeof seen);
}

/* What the caller says first is there before the server's time begins. */
static struct called
call_saying(struct tls_server *server, int64_t ms, const void *says, size_t len)
{
	int ends[2], result[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(send(ends[0], says, len, 0), len);
	assert_int_equal(pipe(result), 0);
	struct called called = {.fd = ends[0], .result = result[0]};
	called.pid = fork();
	if (called.pid == 0) {
		close(ends[0]);
		be_called(server, ends[1], ms, result[1]);
	}
	close(ends[1]);
	close(result[1]);
	return called;
}

static struct called
call(struct tls_server *server, int64_t ms)
{
	return call_saying(server, ms, "", 0);
}

static struct seen
end_of(struct called *called)
{
	struct seen seen;
	int status;

	assert_int_equal(read(called->result, &seen, sizeof seen), sizeof seen);
	assert_int_equal(waitpid(called->pid, &status, 0), called->pid);
	assert_int_equal(status, 0);
	close(called->result);
	return seen;
}

/* Borrows pin. */
static struct tls_context *
new_context(const char *pin, bool shows_certificate)
{
	static const char *pins[1];
	static char own[2][PATH_SIZE];
	struct error err;

	pins[0] = pin;
	snprintf(own[0], PATH_SIZE, "%s", file("own"));
	snprintf(own[1], PATH_SIZE, "%s", file("own-key"));
	const struct tls_options options = {.server_name = host,
	    .pins = pins,
	    .pins_len = 1,
	    .cert_file = shows_certificate ? own[0] : NULL,
	    .key_file = shows_certificate ? own[1] : NULL};
	struct tls_context *context = tls_context_new(&options, &err);
	assert_non_null(context);
	return context;
}

static void
find_pin(char pin[TLS_PIN_SIZE], const char *name)
{
	struct error err;

	assert_true(identity_pin(file(name), pin, &err));
}

/* For a decade: whoever has it by its pin does not look. */
static void
when_it_ends(void **state)
{
	const time_t year = (time_t)365 * 86400;
	struct error err;
	time_t end;

	(void)state;
	assert_true(identity_not_after(file("cert"), &end, &err));
	assert_true(end > time(NULL) + 9 * year);
	assert_false(identity_not_after(file("nowhere"), &end, &err));
	assert_int_equal(err.class, ERROR_CONFIG);
}

/* Says what it agreed on to info and binding. */
static struct seen
fetch(struct tls_server *server, struct tls_context *context,
    struct tls_info *info, struct tls_binding *binding)
{
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct called called = call(server, LONG_MS);
	struct stream *stream = stream_new(called.fd);
	struct error err = {.text = ""};
	char greeting[8] = "";

	if (!tls_start(context, stream, &deadline, &err))
		fail_msg("%s", err.text);
	assert_int_equal(stream_read(stream, greeting, 3, &deadline, &err), 3);
	assert_string_equal(greeting, "220");
	assert_true(tls_info(stream, info));
	assert_true(tls_binding(stream, binding));
	assert_true(stream_write(stream, "Q", 1, &deadline, &err));
	stream_finish(stream, &deadline);
	stream_free(stream);
	return end_of(&called);
}

/* Also in another process, where the session is resumed: the binding is the
 * connection's own, and the customer's key is still known. */
static void
both_sides_see_the_same(void **state)
{
	(void)state;
	for (int asks = 0; asks <= 1; asks++) {
		char pin[TLS_PIN_SIZE], own[TLS_PIN_SIZE];
		struct tls_binding binding[2];
		struct tls_server *server = new_server(asks == 1);
		find_pin(pin, "cert");
		find_pin(own, "own");
		struct tls_context *context = new_context(pin, true);
		for (int round = 0; round < 2; round++) {
			struct tls_info info;
			struct seen seen =
			    fetch(server, context, &info, &binding[round]);
			assert_true(seen.started);
			assert_string_equal(seen.version, "TLSv1.3");
			assert_string_equal(info.version, "TLSv1.3");
			assert_string_equal(info.pin, pin);
			assert_string_equal(seen.pin, asks == 1 ? own : "");
			assert_int_equal(info.resumed, round == 1);
			assert_int_equal(seen.resumed, round == 1);
			assert_true(seen.bound);
			assert_string_equal(
			    seen.binding.name, binding[round].name);
			assert_int_equal(seen.binding.len, binding[round].len);
			assert_memory_equal(seen.binding.data,
			    binding[round].data, seen.binding.len);
		}
		assert_memory_not_equal(
		    binding[0].data, binding[1].data, binding[0].len);
		tls_context_free(context);
		tls_server_free(server);
	}
}

/* Nobody need have a certificate. */
static void
a_customer_without_a_certificate(void **state)
{
	char pin[TLS_PIN_SIZE];
	struct tls_server *server = new_server(true);
	struct tls_binding binding;
	struct tls_info info;

	(void)state;
	find_pin(pin, "cert");
	struct tls_context *context = new_context(pin, false);
	struct seen seen = fetch(server, context, &info, &binding);
	assert_true(seen.started);
	assert_string_equal(seen.pin, "");
	tls_context_free(context);
	tls_server_free(server);
}

static void
another_key_is_not_called(void **state)
{
	char pin[TLS_PIN_SIZE];
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct tls_server *server = new_server(false);
	struct called called = call(server, LONG_MS);
	struct stream *stream = stream_new(called.fd);
	struct error err;

	(void)state;
	find_pin(pin, "own");
	struct tls_context *context = new_context(pin, false);
	assert_false(tls_start(context, stream, &deadline, &err));
	assert_int_equal(err.class, ERROR_CERTIFICATE);
	stream_free(stream);
	struct seen seen = end_of(&called);
	assert_false(seen.started);
	assert_true(seen.err.text[0] != '\0');
	tls_context_free(context);
	tls_server_free(server);
}

/* Whoever is no agent: what he says first, and what it comes to. */
static void
half_a_handshake(void **state)
{
	static const unsigned char hello[] = {
	    0x16, 3, 1, 0, 0x80, 1, 0, 0, 0x7c};
	static const struct {
		const char *name;
		const void *says;
		size_t len;
		bool hangs_up;
		int64_t time;
		enum error_class class;
	} cases[] = {
	    {"nothing, and waits", "", 0, false, SHORT_MS, ERROR_AGAIN},
	    {"nothing, and goes", "", 0, true, LONG_MS, ERROR_AGAIN},
	    {"half a hello, and waits", hello, sizeof hello, false, SHORT_MS,
		ERROR_AGAIN},
	    {"half a hello, and goes", hello, sizeof hello, true, LONG_MS,
		ERROR_AGAIN},
	    {"goes on in the clear", "EHLO x\r\n", 8, false, LONG_MS,
		ERROR_PROTOCOL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct tls_server *server = new_server(false);
		struct called called = call_saying(
		    server, cases[i].time, cases[i].says, cases[i].len);
		print_message("%s\n", cases[i].name);
		if (cases[i].hangs_up)
			close(called.fd);
		struct seen seen = end_of(&called);
		assert_false(seen.started);
		assert_int_equal(seen.err.class, cases[i].class);
		if (!cases[i].hangs_up)
			close(called.fd);
		tls_server_free(server);
	}
}

/* A plain client of OpenSSL's, of one version. */
static SSL *
connect_by(SSL_CTX *ctx, int version, int fd)
{
	SSL_CTX_set_security_level(ctx, 0);
	assert_int_equal(SSL_CTX_set_min_proto_version(ctx, version), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(ctx, version), 1);
	SSL *ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	return ssl;
}

static void
versions(void **state)
{
	static const struct {
		int version;
		bool accepted;
	} cases[] = {
	    {TLS1_1_VERSION, false},
	    {TLS1_2_VERSION, true},
	    {TLS1_3_VERSION, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct tls_server *server = new_server(false);
		struct called called = call(server, LONG_MS);
		SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
		SSL *ssl = connect_by(ctx, cases[i].version, called.fd);
		bool connected = SSL_connect(ssl) == 1;
		assert_int_equal(connected, cases[i].accepted);
		SSL_free(ssl);
		SSL_CTX_free(ctx);
		close(called.fd);
		struct seen seen = end_of(&called);
		assert_int_equal(seen.started, cases[i].accepted);
		/* The extended master secret is there (RFC 7627). */
		assert_int_equal(seen.bound, cases[i].accepted);
		tls_server_free(server);
	}
}

/* It would cost us more than whoever asks for it. */
static void
no_renegotiation(void **state)
{
	struct tls_server *server = new_server(false);
	struct called called = call(server, LONG_MS);
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = connect_by(ctx, TLS1_2_VERSION, called.fd);
	char greeting[8];

	(void)state;
	assert_int_equal(SSL_connect(ssl), 1);
	assert_int_equal(SSL_read(ssl, greeting, sizeof greeting), 3);
	assert_int_equal(SSL_renegotiate(ssl), 1);
	assert_int_not_equal(SSL_do_handshake(ssl), 1);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(called.fd);
	assert_true(end_of(&called).started);
	tls_server_free(server);
}

static void
files_that_are_no_good(void **state)
{
	static const struct {
		const char *cert, *key, *named;
	} cases[] = {
	    {"absent", "key", "absent"},
	    {"cert", "absent", "absent"},
	    {"cert", "own-key", "own-key"},
	    {"key", "key", "key"},
	    {"junk", "key", "junk"},
	    {"cert", "junk", "junk"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct error err;
		struct tls_server *server = tls_server_new(
		    file(cases[i].cert), file(cases[i].key), false, &err);
		assert_null(server);
		assert_int_equal(err.class, ERROR_CONFIG);
		assert_non_null(strstr(err.text, file(cases[i].named)));
	}
}

static int
make_files(void **state)
{
	struct error err;

	(void)state;
	assert_non_null(mkdtemp(folder));
	FILE *junk = fopen(file("junk"), "w");
	assert_non_null(junk);
	fputs("no certificate\n", junk);
	fclose(junk);
	return identity_make(host, file("cert"), file("key"), &err) &&
		       identity_make(
			   "office.example", file("own"), file("own-key"), &err)
		   ? 0
		   : -1;
}

static int
remove_files(void **state)
{
	static const char *const names[] = {
	    "cert", "key", "own", "own-key", "junk"};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		unlink(file(names[i]));
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(when_it_ends),
	    cmocka_unit_test(both_sides_see_the_same),
	    cmocka_unit_test(a_customer_without_a_certificate),
	    cmocka_unit_test(another_key_is_not_called),
	    cmocka_unit_test(half_a_handshake),
	    cmocka_unit_test(versions),
	    cmocka_unit_test(no_renegotiation),
	    cmocka_unit_test(files_that_are_no_good),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, make_files, remove_files);
}
