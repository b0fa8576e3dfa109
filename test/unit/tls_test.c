/* SPDX-License-Identifier: ISC */
#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/stop.h"
#include "net/certificate.h"
#include "net/stream.h"

enum {
	LONG_MS = 120000, /* more than any of this takes */
	SHORT_MS = 50, /* for waits that are meant to end */
	DAY = 24 * 3600,
	MUCH = 1 << 20, /* more than socket buffers hold */
	/* What a peer's process ends with. */
	PEER_FINE = 0,
	PEER_FAILED = 1,
	PEER_SAW_US = 2, /* it was shown our certificate */
};

static const char host[] = "odmr.example.net";

/* A key and its certificate. */
struct identity {
	EVP_PKEY *key;
	X509 *cert;
};

static struct {
	struct identity ca, other_ca, middle, good, client;
	char folder[64], middle_file[96], ca_file[96], cert_file[96],
	    key_file[96];
	char locked_file[96], junk_file[96];
	time_t begun;
} made;

static void
add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(extension);
	assert_int_equal(X509_add_ext(cert, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

/* names as OpenSSL's subjectAltName takes them; NULL: only the subject. */
static struct identity
make_identity(const struct identity *issuer, const char *subject,
    const char *names, long from, long to)
{
	static long serial = 1;
	struct identity made_now = {
	    .key = EVP_EC_gen("P-256"), .cert = X509_new()};
	X509 *cert = made_now.cert;
	X509_NAME *name = X509_get_subject_name(cert);

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(cert), from);
	X509_gmtime_adj(X509_getm_notAfter(cert), to);
	X509_set_pubkey(cert, made_now.key);
	if (subject != NULL)
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
		    (const unsigned char *)subject, -1, -1, 0);
	X509_set_issuer_name(
	    cert, issuer != NULL ? X509_get_subject_name(issuer->cert) : name);
	add_extension(cert, NID_basic_constraints,
	    names == NULL ? "critical,CA:TRUE" : "CA:FALSE");
	if (names != NULL)
		add_extension(cert, NID_subject_alt_name, names);
	assert_true(X509_sign(cert, issuer != NULL ? issuer->key : made_now.key,
			EVP_sha256()) > 0);
	return made_now;
}

static void
free_identity(struct identity *identity)
{
	EVP_PKEY_free(identity->key);
	X509_free(identity->cert);
}

static FILE *
create(char path[96], const char *name)
{
	snprintf(path, 96, "%s/%s", made.folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	return file;
}

static int
make_all(void **state)
{
	FILE *file;

	(void)state;
	signal(SIGPIPE, SIG_IGN); /* as the program does */
	snprintf(made.folder, sizeof made.folder, "/tmp/odmr-tls-test-XXXXXX");
	assert_non_null(mkdtemp(made.folder));
	made.begun = time(NULL);
	made.ca = make_identity(NULL, "Test CA", NULL, -DAY, DAY);
	made.other_ca = make_identity(NULL, "Other CA", NULL, -DAY, DAY);
	made.good = make_identity(&made.ca,
	    "Prov\xc3\xad"
	    "der, Inc.",
	    "DNS:odmr.example.net,DNS:alt.example.net", -DAY, DAY);
	made.client =
	    make_identity(&made.ca, "customer", "DNS:c.example.org", -DAY, DAY);
	made.middle =
	    make_identity(&made.other_ca, "Middle CA", NULL, -DAY, DAY);
	file = create(made.middle_file, "middle");
	PEM_write_X509(file, made.middle.cert);
	fclose(file);
	file = create(made.ca_file, "ca");
	PEM_write_X509(file, made.ca.cert);
	fclose(file);
	file = create(made.cert_file, "cert");
	PEM_write_X509(file, made.client.cert);
	fclose(file);
	file = create(made.key_file, "key");
	PEM_write_PrivateKey(file, made.client.key, NULL, NULL, 0, NULL, NULL);
	fclose(file);
	file = create(made.locked_file, "locked");
	PEM_write_PKCS8PrivateKey(
	    file, made.client.key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL);
	fclose(file);
	file = create(made.junk_file, "junk");
	fputs("no certificate\n", file);
	fclose(file);
	return 0;
}

static int
free_all(void **state)
{
	(void)state;
	free_identity(&made.ca);
	free_identity(&made.other_ca);
	free_identity(&made.middle);
	free_identity(&made.good);
	free_identity(&made.client);
	unlink(made.middle_file);
	unlink(made.ca_file);
	unlink(made.cert_file);
	unlink(made.key_file);
	unlink(made.locked_file);
	unlink(made.junk_file);
	return rmdir(made.folder);
}

/* The other end: a server in a process of its own. */
struct peer {
	SSL_CTX *ctx;
	pid_t pid;
	struct stream *stream; /* our end */
};

/* What a peer does when the handshake is over. */
typedef void serve_function(SSL *ssl, int fd);

static SSL_CTX *
server_ctx(const struct identity *identity, int version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	assert_non_null(ctx);
	SSL_CTX_use_certificate(ctx, identity->cert);
	SSL_CTX_use_PrivateKey(ctx, identity->key);
	SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(ctx, version);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"test", 4);
	return ctx;
}

static _Noreturn void
run_peer(SSL_CTX *ctx, int fd, serve_function *serve)
{
	SSL *ssl = SSL_new(ctx);

	alarm(2 * LONG_MS / 1000); /* it never outlives its test for long */
	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) != 1)
		_exit(PEER_FAILED);
	if (serve != NULL)
		serve(ssl, fd);
	_exit(SSL_get0_peer_certificate(ssl) != NULL ? PEER_SAW_US : PEER_FINE);
}

/* Borrows ctx. */
static struct peer
start_peer(SSL_CTX *ctx, serve_function *serve)
{
	struct peer peer = {.ctx = ctx};
	int fds[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	peer.pid = fork();
	if (peer.pid == 0) {
		close(fds[0]);
		run_peer(ctx, fds[1], serve);
	}
	close(fds[1]);
	peer.stream = stream_new(fds[0]);
	return peer;
}

/* What its process ended with. */
static int
end_peer(struct peer *peer)
{
	int status = -1;

	stream_free(peer->stream);
	waitpid(peer->pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static struct tls_context *
trusting_context(void)
{
	const struct tls_options options = {
	    .server_name = host, .ca_file = made.ca_file};
	struct error err;
	struct tls_context *context = tls_context_new(&options, &err);

	assert_non_null(context);
	return context;
}

static void
must_start(struct tls_context *context, struct stream *stream)
{
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct error err = {.text = ""};

	if (!tls_start(context, stream, &deadline, &err))
		fail_msg("%s", err.text);
}

/* Reads up to the end; the octets, or -1 and err. */
static ssize_t
read_all(struct stream *stream, char *in, size_t size, struct error *err)
{
	struct deadline deadline = deadline_in(LONG_MS, 0);
	size_t used = 0;
	ssize_t n;

	while ((n = stream_read(
		    stream, in + used, size - used, &deadline, err)) > 0)
		used += (size_t)n;
	return n < 0 ? n : (ssize_t)used;
}

/* Who is believed */

enum trust {
	BY_CA,
	BY_PIN,
	BY_OTHER_PIN,
};

static void
verification(void **state)
{
	static const char other_pin[] =
	    "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	static const struct {
		const char *name;
		const struct identity *issuer; /* NULL: itself */
		const char *subject, *names;
		long from, to;
		const char *server_name;
		enum trust trust;
		const char *why; /* NULL: accepted */
	} cases[] = {
	    {"good", &made.ca, "x", "DNS:odmr.example.net", -DAY, DAY, host,
		BY_CA, NULL},
	    {"second name", &made.ca, "x", "DNS:a.b,DNS:ODMR.example.net", -DAY,
		DAY, host, BY_CA, NULL},
	    {"wildcard", &made.ca, "x", "DNS:*.example.net", -DAY, DAY, host,
		BY_CA, NULL},
	    {"partial wildcard", &made.ca, "x", "DNS:od*.example.net", -DAY,
		DAY, host, BY_CA, "it is for od*.example.net (if"},
	    {"wildcard of a parent", &made.ca, "x", "DNS:*.net", -DAY, DAY,
		host, BY_CA, "it is for *.net"},
	    {"other name", &made.ca, "x", "DNS:a.example,DNS:b.example", -DAY,
		DAY, host, BY_CA, "it is for a.example, b.example (if"},
	    {"name only in the subject", &made.ca, host, "email:a@b", -DAY, DAY,
		host, BY_CA,
		"(if the provider confirms this key, set tls_pins: sha256//"},
	    {"address", &made.ca, "x", "IP:192.0.2.1", -DAY, DAY, "192.0.2.1",
		BY_CA, NULL},
	    {"IPv6 address", &made.ca, "x", "IP:2001:db8::1", -DAY, DAY,
		"2001:db8::1", BY_CA, NULL},
	    {"address as a name", &made.ca, "x", "DNS:192.0.2.1", -DAY, DAY,
		"192.0.2.1", BY_CA, "it is for 192.0.2.1"},
	    {"other address", &made.ca, "x", "IP:192.0.2.1,IP:2001:db8::1",
		-DAY, DAY, "192.0.2.2", BY_CA,
		"it is for 192.0.2.1, 2001:db8::1 (if"},
	    {"expired", &made.ca, "x", "DNS:odmr.example.net", -2 * DAY, -DAY,
		host, BY_CA, "is not accepted: it expired at 2"},
	    {"from the future", &made.ca, "x", "DNS:odmr.example.net", DAY,
		2 * DAY, host, BY_CA, "it is not valid before 2"},
	    {"unknown authority", &made.other_ca, "x", "DNS:odmr.example.net",
		-DAY, DAY, host, BY_CA, "confirms this key, set tls_pins: sha"},
	    {"self-signed", NULL, "x", "DNS:odmr.example.net", -DAY, DAY, host,
		BY_CA, "self-signed certificate (tls_ca_file names"},
	    {"self-signed, pinned", NULL, "x", "DNS:odmr.example.net", -DAY,
		DAY, host, BY_PIN, NULL},
	    {"pinned, of another name", NULL, "x", "DNS:x.example", -DAY, DAY,
		host, BY_PIN, NULL},
	    {"pinned, expired", NULL, "x", "DNS:x.example", -2 * DAY, -DAY,
		host, BY_PIN, NULL},
	    {"good, but not the pin", &made.ca, "x", "DNS:odmr.example.net",
		-DAY, DAY, host, BY_OTHER_PIN, "which is not in tls_pins"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct identity identity =
		    make_identity(cases[i].issuer, cases[i].subject,
			cases[i].names, cases[i].from, cases[i].to);
		char pin[TLS_PIN_SIZE];
		const char *pins[] = {other_pin, pin};
		struct tls_options options = {
		    .server_name = cases[i].server_name,
		    .ca_file = made.ca_file,
		    .pins = pins,
		    .pins_len = cases[i].trust == BY_CA    ? 0
				: cases[i].trust == BY_PIN ? 2
							   : 1,
		    .cert_file = made.cert_file,
		    .key_file = made.key_file};
		struct deadline deadline = deadline_in(LONG_MS, 0);
		struct error err = {.text = ""};

		assert_true(certificate_pin(identity.cert, pin));
		assert_true(tls_pin_is_valid(pin));
		struct tls_context *context = tls_context_new(&options, &err);
		assert_non_null(context);
		SSL_CTX *ctx = server_ctx(&identity, TLS1_3_VERSION);
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
		X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), made.ca.cert);
		struct peer peer = start_peer(ctx, NULL);
		bool started = tls_start(context, peer.stream, &deadline, &err);
		int saw = end_peer(&peer);
		print_message("%s: %s\n", cases[i].name, err.text);
		assert_int_equal(started, cases[i].why == NULL);
		if (!started) {
			assert_int_equal(err.class, ERROR_CERTIFICATE);
			assert_non_null(strstr(err.text, cases[i].why));
			assert_non_null(strstr(err.text, cases[i].server_name));
		}
		/* A false provider never sees who we are. */
		assert_int_equal(saw, started ? PEER_SAW_US : PEER_FAILED);
		tls_context_free(context);
		SSL_CTX_free(ctx);
		free_identity(&identity);
	}
}

/* What stands in tls_ca_file is trusted, also where no root stands there. */
static void
intermediate_authority_alone(void **state)
{
	static const struct {
		const struct identity *issuer;
		const char *names;
		const char *why; /* NULL: accepted */
	} cases[] = {
	    {&made.middle, "DNS:odmr.example.net", NULL},
	    {&made.middle, "DNS:x.example", "it is for x.example"},
	    {&made.ca, "DNS:odmr.example.net", "is not accepted"},
	    {&made.other_ca, "DNS:odmr.example.net", "is not accepted"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct tls_options options = {
		    .server_name = host, .ca_file = made.middle_file};
		struct identity identity = make_identity(
		    cases[i].issuer, "x", cases[i].names, -DAY, DAY);
		struct deadline deadline = deadline_in(LONG_MS, 0);
		struct error err = {.text = ""};
		struct tls_context *context = tls_context_new(&options, &err);

		assert_non_null(context);
		SSL_CTX *ctx = server_ctx(&identity, TLS1_3_VERSION);
		struct peer peer = start_peer(ctx, NULL);
		bool started = tls_start(context, peer.stream, &deadline, &err);
		end_peer(&peer);
		if (started != (cases[i].why == NULL))
			fail_msg("%zu: %s", i, err.text);
		if (!started)
			assert_non_null(strstr(err.text, cases[i].why));
		tls_context_free(context);
		SSL_CTX_free(ctx);
		free_identity(&identity);
	}
}

/* Whom the server lets in */

struct refusal {
	const char *name;
	int version;
	bool certificate; /* we have one */
	bool trusted; /* the server trusts who made it */
	bool writes; /* we write first, when the server is gone already */
	const char *why, *alert; /* NULL: we are let in */
};

/* What we hear of it, in the handshake or behind it. */
static bool
is_let_in(const struct refusal *refusal, SSL_CTX *ctx, struct error *err)
{
	const struct tls_options options = {
	    .server_name = host,
	    .ca_file = made.ca_file,
	    .cert_file = refusal->certificate ? made.cert_file : NULL,
	    .key_file = refusal->certificate ? made.key_file : NULL,
	};
	struct tls_context *context = tls_context_new(&options, err);
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct peer peer = start_peer(ctx, NULL);
	bool writes = refusal->writes;
	char in[16];
	siginfo_t ended;

	assert_non_null(context);
	bool good = tls_start(context, peer.stream, &deadline, err);
	if (good && writes) {
		waitid(P_PID, (id_t)peer.pid, &ended, WEXITED | WNOWAIT);
		good = stream_write(peer.stream, "EHLO", 4, &deadline, err);
	} else if (good) {
		good = stream_read(
			   peer.stream, in, sizeof in, &deadline, err) >= 0 ||
		       err->class == ERROR_AGAIN;
	}
	end_peer(&peer);
	tls_context_free(context);
	return good;
}

static void
client_certificate_is_refused(void **state)
{
	static const char none[] = "tls_cert_file is not set";
	static const char ours[] = "refused our client certificate";
	static const struct refusal refusals[] = {
	    {"none, TLS 1.3", TLS1_3_VERSION, false, true, false, none,
		"certificate required"},
	    {"none, TLS 1.2", TLS1_2_VERSION, false, true, false, none,
		"handshake failure"},
	    {"none, TLS 1.3, and we write", TLS1_3_VERSION, false, true, true,
		none, "certificate required"},
	    {"unknown, TLS 1.3", TLS1_3_VERSION, true, false, false, ours,
		"unknown ca"},
	    {"unknown, TLS 1.2", TLS1_2_VERSION, true, false, false, ours,
		"unknown ca"},
	    {"unknown, TLS 1.3, and we write", TLS1_3_VERSION, true, false,
		true, ours, "unknown ca"},
	    {"good, TLS 1.3", TLS1_3_VERSION, true, true, false, NULL, NULL},
	    {"good, TLS 1.2", TLS1_2_VERSION, true, true, false, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		const struct refusal *refusal = &refusals[i];
		SSL_CTX *ctx = server_ctx(&made.good, refusal->version);
		struct error err = {.text = ""};

		SSL_CTX_set_verify(ctx,
		    SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx),
		    refusal->trusted ? made.ca.cert : made.other_ca.cert);
		bool let_in = is_let_in(refusal, ctx, &err);
		print_message("%s: %s\n", refusal->name, err.text);
		assert_int_equal(let_in, refusal->why == NULL);
		if (!let_in) {
			assert_int_equal(err.class, ERROR_AUTH);
			assert_non_null(strstr(err.text, refusal->why));
			assert_non_null(strstr(err.text, refusal->alert));
		}
		SSL_CTX_free(ctx);
	}
}

static void
files_that_are_no_good(void **state)
{
	const struct {
		struct tls_options options;
		const char *why;
	} cases[] = {
	    {{.server_name = ""}, "not that of a host"},
	    {{.server_name = ".example.net"}, "not that of a host"},
	    {{.server_name = host, .ca_file = "/nowhere/ca"},
		"tls_ca_file /nowhere/ca: No such file or directory"},
	    {{.server_name = host, .ca_file = made.junk_file},
		"tls_ca_file /tmp"},
	    {{.server_name = host,
		 .ca_file = made.ca_file,
		 .cert_file = "/nowhere/c",
		 .key_file = made.key_file},
		"tls_cert_file /nowhere/c: No such file"},
	    {{.server_name = host,
		 .ca_file = made.ca_file,
		 .cert_file = made.cert_file,
		 .key_file = made.junk_file},
		"tls_key_file /tmp"},
	    {{.server_name = host,
		 .ca_file = made.ca_file,
		 .cert_file = made.ca_file,
		 .key_file = made.key_file},
		"key values mismatch"},
	    {{.server_name = host,
		 .ca_file = made.ca_file,
		 .cert_file = made.cert_file,
		 .key_file = made.locked_file},
		"tls_key_file /tmp"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct error err = {.text = ""};
		assert_null(tls_context_new(&cases[i].options, &err));
		print_message("%s\n", err.text);
		assert_int_equal(err.class, ERROR_CONFIG);
		assert_non_null(strstr(err.text, cases[i].why));
	}
}

/* Neither does the environment choose whom the system trusts. */
static void
the_system_decides(void **state)
{
	const struct tls_options options = {.server_name = host};
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct error err = {.text = ""};

	(void)state;
	setenv("SSL_CERT_FILE", made.ca_file, 1);
	struct tls_context *context = tls_context_new(&options, &err);
	if (context == NULL && access("/etc/ssl/certs", R_OK) != 0)
		skip();
	assert_non_null(context);
	SSL_CTX *ctx = server_ctx(&made.good, TLS1_3_VERSION);
	struct peer peer = start_peer(ctx, NULL);
	assert_false(tls_start(context, peer.stream, &deadline, &err));
	assert_int_equal(err.class, ERROR_CERTIFICATE);
	end_peer(&peer);
	tls_context_free(context);
	SSL_CTX_free(ctx);
	unsetenv("SSL_CERT_FILE");
}

static void
pins(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} cases[] = {
	    {"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", true},
	    {"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=", false},
	    {"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", false},
	    {"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", false},
	    {"sha1//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", false},
	    {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", false},
	    {"", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(
		    tls_pin_is_valid(cases[i].text), cases[i].valid);
}

/* Handshakes that come to nothing */

static void
talk_in_the_clear(int fd)
{
	static const char greeting[] = "220 odmr.example.net ESMTP\r\n";
	char in[4096];
	ssize_t n = write(fd, greeting, sizeof greeting - 1);

	while (n > 0)
		n = read(fd, in, sizeof in);
}

static void
hang_up(int fd)
{
	char in[1];
	ssize_t n = recv(fd, in, 1, MSG_PEEK); /* until our hello came */

	(void)n;
	shutdown(fd, SHUT_WR);
	while (read(fd, in, 1) > 0)
		continue;
}

static void
say_nothing(int fd)
{
	char in[4096];

	while (read(fd, in, sizeof in) > 0)
		continue;
}

static void
broken_handshakes(void **state)
{
	static const struct {
		const char *name;
		void (*peer)(int fd);
		int64_t time;
		enum error_class class;
		const char *why;
	} cases[] = {
	    {"no TLS", talk_in_the_clear, LONG_MS, ERROR_PROTOCOL,
		"the peer does not speak TLS at this point"},
	    {"hangs up", hang_up, LONG_MS, ERROR_AGAIN,
		"the peer closed the connection in the TLS handshake"},
	    {"silent", say_nothing, SHORT_MS, ERROR_AGAIN, "timed out"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct tls_context *context = trusting_context();
		struct deadline deadline = deadline_in(cases[i].time, 0);
		struct error err = {.text = ""};
		int fds[2];

		assert_int_equal(
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
		pid_t pid = fork();
		if (pid == 0) {
			close(fds[0]);
			cases[i].peer(fds[1]);
			_exit(0);
		}
		close(fds[1]);
		struct stream *stream = stream_new(fds[0]);
		assert_false(tls_start(context, stream, &deadline, &err));
		print_message("%s: %s\n", cases[i].name, err.text);
		assert_int_equal(err.class, cases[i].class);
		assert_non_null(strstr(err.text, cases[i].why));
		stream_free(stream);
		waitpid(pid, NULL, 0);
		tls_context_free(context);
	}
}

static void
old_tls_is_refused(void **state)
{
	struct tls_context *context = trusting_context();
	SSL_CTX *ctx = server_ctx(&made.good, TLS1_1_VERSION);
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct error err;

	(void)state;
	/*
	 * Else OpenSSL (3.5) has no protocol left, and gives up without a look
	 * at what we sent: a reset, which can overtake its alert.
	 */
	SSL_CTX_set_security_level(ctx, 0);
	struct peer peer = start_peer(ctx, NULL);
	assert_false(tls_start(context, peer.stream, &deadline, &err));
	if (err.class != ERROR_PROTOCOL)
		fail_msg("%s", err.text);
	end_peer(&peer);
	tls_context_free(context);
	SSL_CTX_free(ctx);
}

static void
stop_ends_a_handshake(void **state)
{
	struct tls_context *context = trusting_context();
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct error err;
	int fds[2];

	(void)state;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	struct stream *stream = stream_new(fds[0]);
	stop_install();
	raise(SIGTERM);
	assert_false(tls_start(context, stream, &deadline, &err));
	assert_int_equal(err.class, ERROR_STOPPED);
	stop_install();
	stream_free(stream);
	close(fds[1]);
	tls_context_free(context);
}

/* How a connection ends */

static void
serve_clean_end(SSL *ssl, int fd)
{
	(void)fd;
	SSL_write(ssl, "hello", 5);
	SSL_shutdown(ssl);
}

static void
serve_cut(SSL *ssl, int fd)
{
	SSL_write(ssl, "hello", 5);
	shutdown(fd, SHUT_RDWR);
}

/* As Exim does, which writes past its own TLS. */
static void
serve_raw_quit(SSL *ssl, int fd)
{
	SSL_write(ssl, "hello", 5);
	ssize_t n = write(fd, "QUIT\r\n", 6);
	(void)n;
	shutdown(fd, SHUT_WR);
	say_nothing(fd);
}

static void
ends(void **state)
{
	static const struct {
		serve_function *serve;
		enum error_class class; /* NONE: an end in order */
		const char *why;
	} cases[] = {
	    {serve_clean_end, ERROR_NONE, ""},
	    {serve_cut, ERROR_AGAIN,
		"the connection was cut off: TLS was not closed"},
	    /* OpenSSL's word follows, another one in each release. */
	    {serve_raw_quit, ERROR_PROTOCOL, "TLS failed: "},
	};
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
		SSL_CTX *ctx = server_ctx(&made.good, versions[i % 2]);
		struct tls_context *context = trusting_context();
		struct peer peer = start_peer(ctx, cases[i / 2].serve);
		struct deadline deadline = deadline_in(LONG_MS, 0);
		struct error err = {.text = ""};
		char in[16];

		must_start(context, peer.stream);
		assert_int_equal(
		    stream_read(peer.stream, in, sizeof in, &deadline, &err),
		    5);
		ssize_t n =
		    stream_read(peer.stream, in, sizeof in, &deadline, &err);
		print_message("%s\n", err.text);
		assert_int_equal(n, cases[i / 2].class == ERROR_NONE ? 0 : -1);
		assert_int_equal(err.class, cases[i / 2].class);
		assert_non_null(strstr(err.text, cases[i / 2].why));
		/* After it failed there is no goodbye to send. */
		stream_finish(peer.stream, &deadline);
		end_peer(&peer);
		tls_context_free(context);
		SSL_CTX_free(ctx);
	}
}

static void
serve_until_goodbye(SSL *ssl, int fd)
{
	char in[64];
	int n;

	(void)fd;
	while ((n = SSL_read(ssl, in, sizeof in)) > 0)
		continue;
	if (SSL_get_error(ssl, n) != SSL_ERROR_ZERO_RETURN)
		_exit(PEER_FAILED);
	SSL_write(ssl, "late", 4);
	SSL_shutdown(ssl);
}

static void
finish_says_goodbye(void **state)
{
	SSL_CTX *ctx = server_ctx(&made.good, TLS1_3_VERSION);
	struct tls_context *context = trusting_context();
	struct peer peer = start_peer(ctx, serve_until_goodbye);
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct error err;

	(void)state;
	must_start(context, peer.stream);
	assert_true(
	    stream_write(peer.stream, "221 bye\r\n", 9, &deadline, &err));
	stream_finish(peer.stream, &deadline);
	assert_true(deadline_left(&deadline) > LONG_MS / 2);
	assert_int_equal(end_peer(&peer), PEER_FINE);
	tls_context_free(context);
	SSL_CTX_free(ctx);
}

/* Octets in odd sizes */

static void
serve_small_records(SSL *ssl, int fd)
{
	(void)fd;
	for (int i = 0; i < 300; i++) {
		char c = (char)i;
		SSL_write(ssl, &c, 1);
	}
	SSL_shutdown(ssl);
}

/* Records of a few octets, each of whose octets comes in a segment of its own. */
static void
serve_dribble(SSL *ssl, int fd)
{
	BIO *out = BIO_new(BIO_s_mem());
	char c;

	SSL_set0_wbio(ssl, out);
	for (int i = 0; i < 300; i += 50) {
		char data[50];
		for (int k = 0; k < 50; k++)
			data[k] = (char)(i + k);
		SSL_write(ssl, data, sizeof data);
	}
	SSL_shutdown(ssl);
	while (BIO_read(out, &c, 1) == 1 && write(fd, &c, 1) == 1)
		continue;
}

/* New keys of TLS 1.3, and answers to them, are no data. */
static void
serve_key_updates(SSL *ssl, int fd)
{
	(void)fd;
	for (int i = 0; i < 300; i++) {
		char c = (char)i;
		SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
		SSL_write(ssl, &c, 1);
	}
	SSL_shutdown(ssl);
	say_nothing(fd);
}

static void
odd_sizes(void **state)
{
	static serve_function *const serves[] = {
	    serve_small_records, serve_dribble, serve_key_updates};

	(void)state;
	for (size_t i = 0; i < sizeof serves / sizeof serves[0]; i++) {
		SSL_CTX *ctx = server_ctx(&made.good, TLS1_3_VERSION);
		struct tls_context *context = trusting_context();
		struct peer peer = start_peer(ctx, serves[i]);
		struct error err = {.text = ""};
		char in[512];

		must_start(context, peer.stream);
		assert_int_equal(
		    read_all(peer.stream, in, sizeof in, &err), 300);
		for (int k = 0; k < 300; k++)
			assert_int_equal(in[k], (char)k);
		end_peer(&peer);
		tls_context_free(context);
		SSL_CTX_free(ctx);
	}
}

/* What poll(2) does not know of: a record of which a part was read. */
static void
pending_sees_the_rest_of_a_record(void **state)
{
	SSL_CTX *ctx = server_ctx(&made.good, TLS1_3_VERSION);
	struct tls_context *context = trusting_context();
	struct peer peer = start_peer(ctx, serve_clean_end);
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct error err;
	char in[2];

	(void)state;
	must_start(context, peer.stream);
	assert_int_equal(stream_read(peer.stream, in, 2, &deadline, &err), 2);
	assert_true(stream_pending(peer.stream));
	end_peer(&peer);
	tls_context_free(context);
	SSL_CTX_free(ctx);
}

static void
serve_echo(SSL *ssl, int fd)
{
	static char data[MUCH];
	int n;

	(void)fd;
	while ((n = SSL_read(ssl, data, sizeof data)) > 0)
		if (SSL_write(ssl, data, n) != n)
			_exit(PEER_FAILED);
	SSL_shutdown(ssl);
}

static void
exchange_never_deadlocks(void **state)
{
	SSL_CTX *ctx = server_ctx(&made.good, TLS1_3_VERSION);
	struct tls_context *context = trusting_context();
	struct peer peer = start_peer(ctx, serve_echo);
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct error err;
	char *out = malloc(MUCH), *in = malloc(MUCH);
	size_t sent = 0, got = 0;

	(void)state;
	assert_true(out != NULL && in != NULL);
	for (size_t i = 0; i < MUCH; i++)
		out[i] = (char)(i * 7 + i / 251);
	must_start(context, peer.stream);
	while (got < MUCH) {
		struct stream_exchange exchange = {.out = out + sent,
		    .out_len = MUCH - sent,
		    .in = in + got,
		    .in_size = MUCH - got};
		assert_true(
		    stream_exchange(peer.stream, &exchange, &deadline, &err));
		sent += exchange.written;
		got += exchange.read;
	}
	assert_memory_equal(in, out, MUCH);
	stream_finish(peer.stream, &deadline);
	assert_int_equal(end_peer(&peer), PEER_FINE);
	free(out);
	free(in);
	tls_context_free(context);
	SSL_CTX_free(ctx);
}

/* Records without data, as fast as we take them. */
static void
serve_tickets(SSL *ssl, int fd)
{
	(void)fd;
	while (SSL_new_session_ticket(ssl) == 1 && SSL_do_handshake(ssl) == 1)
		continue;
}

static void
a_flood_without_data_ends(void **state)
{
	SSL_CTX *ctx = server_ctx(&made.good, TLS1_3_VERSION);
	struct tls_context *context = trusting_context();
	struct peer peer = start_peer(ctx, serve_tickets);
	struct error err;
	char in[1];

	(void)state;
	must_start(context, peer.stream);
	struct deadline deadline = deadline_in(SHORT_MS, 0);
	assert_int_equal(stream_read(peer.stream, in, 1, &deadline, &err), -1);
	assert_string_equal(err.text, "timed out");
	kill(peer.pid, SIGKILL); /* OpenSSL does not mind a lost ticket */
	end_peer(&peer);
	tls_context_free(context);
	SSL_CTX_free(ctx);
}

static void
serve_renegotiation(SSL *ssl, int fd)
{
	char in[1];

	(void)fd;
	SSL_renegotiate(ssl);
	SSL_do_handshake(ssl); /* sends the request */
	(void)SSL_read(ssl, in, 1); /* meets our answer */
	_exit(SSL_num_renegotiations(ssl) > 0 && SSL_is_init_finished(ssl)
		  ? PEER_FAILED
		  : PEER_FINE);
}

static void
renegotiation_is_refused(void **state)
{
	SSL_CTX *ctx = server_ctx(&made.good, TLS1_2_VERSION);
	struct tls_context *context = trusting_context();
	struct peer peer = start_peer(ctx, serve_renegotiation);
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct error err;
	char in[1];

	(void)state;
	must_start(context, peer.stream);
	assert_int_equal(stream_read(peer.stream, in, 1, &deadline, &err), -1);
	assert_int_equal(SSL_num_renegotiations(stream_ssl(peer.stream)), 0);
	assert_int_equal(end_peer(&peer), PEER_FINE);
	tls_context_free(context);
	SSL_CTX_free(ctx);
}

/* What was agreed on */

static void
info_tells_all(void **state)
{
	SSL_CTX *ctx = server_ctx(&made.good, TLS1_3_VERSION);
	struct tls_context *context = trusting_context();
	struct tls_info info;
	char pin[TLS_PIN_SIZE], group[] = "P-256";

	(void)state;
	SSL_CTX_set1_groups_list(ctx, group);
	SSL_CTX_set_ciphersuites(ctx, "TLS_CHACHA20_POLY1305_SHA256");
	struct peer peer = start_peer(ctx, serve_clean_end);
	assert_false(tls_info(peer.stream, &info));
	assert_null(tls_cipher(peer.stream));
	must_start(context, peer.stream);
	assert_true(tls_info(peer.stream, &info));
	assert_string_equal(info.version, "TLSv1.3");
	assert_string_equal(info.cipher, "TLS_CHACHA20_POLY1305_SHA256");
	assert_string_equal(tls_cipher(peer.stream), info.cipher);
	assert_string_equal(info.group, "secp256r1");
	assert_false(info.resumed);
	assert_string_equal(info.subject, "CN=Prov\\xc3\\xadder, Inc.");
	assert_true(certificate_pin(made.good.cert, pin));
	assert_string_equal(info.pin, pin);
	assert_in_range(info.not_after, made.begun + DAY, time(NULL) + DAY);
	end_peer(&peer);
	tls_context_free(context);
	SSL_CTX_free(ctx);
}

static void
info_of_a_nameless_certificate(void **state)
{
	struct identity identity = make_identity(&made.ca, NULL,
	    "DNS:odmr.example.net,IP:192.0.2.7,email:a@b", -DAY, DAY);
	SSL_CTX *ctx = server_ctx(&identity, TLS1_2_VERSION);
	struct tls_context *context = trusting_context();
	struct peer peer = start_peer(ctx, serve_clean_end);
	struct tls_info info;

	(void)state;
	must_start(context, peer.stream);
	assert_true(tls_info(peer.stream, &info));
	assert_string_equal(info.version, "TLSv1.2");
	assert_string_equal(info.subject, "odmr.example.net, 192.0.2.7");
	end_peer(&peer);
	tls_context_free(context);
	SSL_CTX_free(ctx);
	free_identity(&identity);
}

static void
many_names_are_cut(void **state)
{
	char names[4096], text[64];
	int used = snprintf(names, sizeof names, "DNS:a.example");

	(void)state;
	for (int i = 0; i < 100; i++)
		used += snprintf(names + used, sizeof names - (size_t)used,
		    ",DNS:host.example");
	struct identity identity =
	    make_identity(&made.ca, NULL, names, -DAY, DAY);
	certificate_subject(identity.cert, text, sizeof text);
	assert_string_equal(
	    text, "a.example, host.example, host.example, host.example, ...");
	free_identity(&identity);
}

/* Writes its own view of the channel binding. */
static void
serve_binding(SSL *ssl, int fd)
{
	char data[64];
	size_t len = 32;

	(void)fd;
	if (SSL_version(ssl) == TLS1_3_VERSION)
		SSL_export_keying_material(ssl, (unsigned char *)data, len,
		    "EXPORTER-Channel-Binding", 24, (const unsigned char *)"",
		    0, 1);
	else if (SSL_session_reused(ssl))
		len = SSL_get_finished(ssl, data, sizeof data);
	else
		len = SSL_get_peer_finished(ssl, data, sizeof data);
	SSL_write(ssl, data, (int)len);
	SSL_shutdown(ssl);
}

static void
binding_and_resumption(void **state)
{
	static const struct {
		int version;
		const char *name;
		size_t len;
	} cases[] = {
	    {TLS1_3_VERSION, "tls-exporter", 32},
	    {TLS1_2_VERSION, "tls-unique", 12},
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		SSL_CTX *ctx = server_ctx(&made.good, cases[i].version);
		struct tls_context *context = trusting_context();
		struct tls_binding before = {.len = 0};
		for (int call = 0; call < 3; call++) {
			struct peer peer = start_peer(ctx, serve_binding);
			struct tls_binding binding;
			struct tls_info info;
			struct error err;
			char in[64];

			assert_false(tls_binding(peer.stream, &binding));
			must_start(context, peer.stream);
			assert_true(tls_binding(peer.stream, &binding));
			assert_string_equal(binding.name, cases[i].name);
			assert_int_equal(binding.len, cases[i].len);
			assert_int_equal(
			    read_all(peer.stream, in, sizeof in, &err),
			    cases[i].len);
			assert_memory_equal(in, binding.data, binding.len);
			assert_memory_not_equal(
			    before.data, binding.data, binding.len);
			before = binding;
			assert_true(tls_info(peer.stream, &info));
			assert_int_equal(info.resumed, call > 0);
			/* The certificate is known in a resumed one, too. */
			assert_true(info.not_after > 0);
			end_peer(&peer);
		}
		tls_context_free(context);
		SSL_CTX_free(ctx);
	}
}

/* Exim drops the line after each message, and is called again at once. */
static void
resume_after_a_cut(int version)
{
	SSL_CTX *ctx = server_ctx(&made.good, version);
	struct tls_context *context = trusting_context();

	for (int call = 0; call < 3; call++) {
		struct peer peer = start_peer(ctx, serve_cut);
		struct tls_info info;
		struct error err;
		char in[64];

		must_start(context, peer.stream);
		assert_int_equal(
		    read_all(peer.stream, in, sizeof in, &err), -1);
		assert_true(tls_info(peer.stream, &info));
		assert_int_equal(info.resumed, call > 0);
		end_peer(&peer);
	}
	tls_context_free(context);
	SSL_CTX_free(ctx);
}

static void
resumption_after_a_cut(void **state)
{
	(void)state;
	resume_after_a_cut(TLS1_2_VERSION);
	resume_after_a_cut(TLS1_3_VERSION);
}

static void
no_binding_without_extended_master_secret(void **state)
{
	SSL_CTX *ctx = server_ctx(&made.good, TLS1_2_VERSION);
	struct tls_context *context = trusting_context();
	struct tls_binding binding;

	(void)state;
	SSL_CTX_set_options(ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	struct peer peer = start_peer(ctx, serve_binding);
	must_start(context, peer.stream);
	assert_false(tls_binding(peer.stream, &binding));
	end_peer(&peer);
	tls_context_free(context);
	SSL_CTX_free(ctx);
}

static void
random_octets_of_a_child(unsigned char *out, int size)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		bool done = RAND_bytes(out, size) == 1 &&
			    write(ends[1], out, (size_t)size) == size;
		_exit(done ? PEER_FINE : PEER_FAILED);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], out, (size_t)size), size);
	close(ends[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Their keys would be known to each other, else. */
static void
children_of_a_prepared_process_share_no_random_octets(void **state)
{
	unsigned char ours[32], first[32], second[32];

	(void)state;
	tls_prepare();
	assert_int_equal(ERR_peek_error(), 0);
	assert_int_equal(RAND_bytes(ours, sizeof ours), 1);
	random_octets_of_a_child(first, sizeof first);
	random_octets_of_a_child(second, sizeof second);
	assert_int_equal(RAND_bytes(ours, sizeof ours), 1);
	assert_memory_not_equal(first, second, sizeof first);
	assert_memory_not_equal(first, ours, sizeof first);
	assert_memory_not_equal(second, ours, sizeof first);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(verification),
	    cmocka_unit_test(intermediate_authority_alone),
	    cmocka_unit_test(client_certificate_is_refused),
	    cmocka_unit_test(files_that_are_no_good),
	    cmocka_unit_test(the_system_decides),
	    cmocka_unit_test(pins),
	    cmocka_unit_test(broken_handshakes),
	    cmocka_unit_test(old_tls_is_refused),
	    cmocka_unit_test(stop_ends_a_handshake),
	    cmocka_unit_test(ends),
	    cmocka_unit_test(finish_says_goodbye),
	    cmocka_unit_test(odd_sizes),
	    cmocka_unit_test(pending_sees_the_rest_of_a_record),
	    cmocka_unit_test(exchange_never_deadlocks),
	    cmocka_unit_test(a_flood_without_data_ends),
	    cmocka_unit_test(renegotiation_is_refused),
	    cmocka_unit_test(info_tells_all),
	    cmocka_unit_test(info_of_a_nameless_certificate),
	    cmocka_unit_test(many_names_are_cut),
	    cmocka_unit_test(binding_and_resumption),
	    cmocka_unit_test(resumption_after_a_cut),
	    cmocka_unit_test(no_binding_without_extended_master_secret),
	    cmocka_unit_test(
		children_of_a_prepared_process_share_no_random_octets),
	};

	return cmocka_run_group_tests(tests, make_all, free_all);
}
