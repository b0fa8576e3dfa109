/* SPDX-License-Identifier: ISC */
/*
 * gsasl_provider CERTIFICATE KEY VERSION OFFER [spoil|hide]: a provider under
 * implicit TLS of that VERSION (1.2 or 1.3), whose AUTH is GNU SASL's.
 *
 * The channel binding is that of its own end of the TLS connection. OFFER is
 * what EHLO lists, not what it can do. spoil: the binding is another one, as
 * it is with somebody in the middle; hide: the server has none. Serves one
 * customer: office, with the password in $PASSWORD; ATRN gets 453. Prints the
 * port, then each line of the customer before ATRN.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gsasl.h>

enum { PATIENCE_S = 60, LINE_MAX_OCTETS = 12288, FINISHED_MAX = 64 };

static SSL *tls;
static char *tls_unique, *tls_exporter; /* base64, NULL: there is none */

static void
require(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "gsasl_provider: %s\n", what);
	exit(1);
}

static void
say(const char *line)
{
	require(SSL_write(tls, line, (int)strlen(line)) > 0 &&
		    SSL_write(tls, "\r\n", 2) > 0,
	    "the customer is gone");
}

/* The next line, without its end, shown on standard output. */
static char *
hear(void)
{
	static char line[LINE_MAX_OCTETS];
	size_t len = 0;

	do {
		require(
		    len + 1 < sizeof line && SSL_read(tls, line + len, 1) == 1,
		    "the customer is gone");
		len++;
	} while (line[len - 1] != '\n');
	require(len >= 2 && line[len - 2] == '\r', "no CR before LF");
	line[len - 2] = '\0';
	puts(line);
	fflush(stdout);
	return line;
}

static int
give_property(Gsasl *context, Gsasl_session *session, Gsasl_property property)
{
	const char *value = NULL;

	(void)context;
	if (property == GSASL_PASSWORD)
		value = getenv("PASSWORD");
	else if (property == GSASL_CB_TLS_UNIQUE)
		value = tls_unique;
	else if (property == GSASL_CB_TLS_EXPORTER)
		value = tls_exporter;
	if (value == NULL)
		return GSASL_NO_CALLBACK;
	return gsasl_property_set(session, property, value);
}

static char *
encode(const unsigned char *data, size_t len)
{
	char *text = NULL;

	require(
	    gsasl_base64_to((const char *)data, len, &text, NULL) == GSASL_OK,
	    "no base64");
	return text;
}

/* RFC 9266 under TLS 1.3, else RFC 5929 3: the customer's Finished. */
static void
note_binding(bool spoil)
{
	unsigned char data[FINISHED_MAX];
	bool exporter = SSL_version(tls) == TLS1_3_VERSION;
	size_t len = 32;

	if (exporter)
		require(SSL_export_keying_material(tls, data, len,
			    "EXPORTER-Channel-Binding", 24,
			    (const unsigned char *)"", 0, 1) == 1,
		    "no exporter");
	else
		len = SSL_get_peer_finished(tls, data, sizeof data);
	if (spoil)
		data[0] ^= 1;
	*(exporter ? &tls_exporter : &tls_unique) = encode(data, len);
}

static int
listen_loopback(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t len = sizeof addr;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	require(bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0 &&
		    listen(fd, 1) == 0 &&
		    getsockname(fd, (struct sockaddr *)&addr, &len) == 0,
	    "cannot listen");
	printf("%d\n", ntohs(addr.sin_port));
	fflush(stdout);
	return fd;
}

static void
accept_tls(const char *certificate, const char *key, const char *version)
{
	int number =
	    strcmp(version, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	require(SSL_CTX_use_certificate_chain_file(context, certificate) == 1 &&
		    SSL_CTX_use_PrivateKey_file(
			context, key, SSL_FILETYPE_PEM) == 1 &&
		    SSL_CTX_set_min_proto_version(context, number) == 1 &&
		    SSL_CTX_set_max_proto_version(context, number) == 1,
	    "no certificate or key");
	int listener = listen_loopback();
	int fd = accept(listener, NULL, NULL);
	require(fd >= 0, "nobody called");
	tls = SSL_new(context);
	require(SSL_set_fd(tls, fd) == 1 && SSL_accept(tls) == 1,
	    "no TLS handshake");
}

/* The exchange that GNU SASL wants; false: it does not accept the customer. */
static bool
exchange(Gsasl_session *session, const char *initial)
{
	char line[LINE_MAX_OCTETS];
	const char *said = initial;
	int step;

	do {
		char *answer = NULL;

		step = gsasl_step64(session, said, &answer);
		if (step != GSASL_OK && step != GSASL_NEEDS_MORE)
			return false;
		/* What it says last (v= of SCRAM) is a challenge, too. */
		if (step == GSASL_NEEDS_MORE || answer[0] != '\0') {
			snprintf(line, sizeof line, "334 %s", answer);
			say(line);
			said = hear();
		}
		gsasl_free(answer);
	} while (step == GSASL_NEEDS_MORE);
	return true;
}

static bool
authenticate(const char *command)
{
	char mechanism[64];
	const char *initial = strchr(command + 5, ' ');
	Gsasl *context;
	Gsasl_session *session;

	require(sscanf(command, "AUTH %63s", mechanism) == 1, "no AUTH");
	require(gsasl_init(&context) == GSASL_OK, "no GNU SASL");
	gsasl_callback_set(context, give_property);
	require(gsasl_server_start(context, mechanism, &session) == GSASL_OK,
	    "GNU SASL does not have the mechanism");
	bool good = exchange(session, initial == NULL ? "" : initial + 1);
	gsasl_finish(session);
	gsasl_done(context);
	return good;
}

int
main(int argc, char **argv)
{
	char offer[LINE_MAX_OCTETS];

	require(argc >= 5, "wrong use");
	alarm(PATIENCE_S);
	accept_tls(argv[1], argv[2], argv[3]);
	if (argc < 6 || strcmp(argv[5], "hide") != 0)
		note_binding(argc == 6);
	snprintf(offer, sizeof offer,
	    "250-provider.example\r\n250-ATRN\r\n250 AUTH %s", argv[4]);
	say("220 provider.example");
	hear();
	say(offer);
	bool good = authenticate(hear());
	say(good ? "235 2.7.0 Ok" : "535 5.7.8 Not accepted");
	hear();
	if (good) {
		say("453 No mail");
		hear();
	}
	say("221 Bye");
	return 0;
}
