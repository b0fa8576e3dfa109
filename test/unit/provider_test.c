/* SPDX-License-Identifier: ISC */
#include "protocol/provider.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/transcript.h"

/*
 * A dialogue is what the customer says, line by line, and all that is told the
 * driver, a word for an event: TLS, AUTH:NAME(initial), RESPONSE(octets),
 * CANCELLED, ATRN(domains), VOID, CLOSE(end). The driver answers AUTH and
 * RESPONSE by what they hold: "ask" gets a challenge, "later" 454 and so on;
 * ATRN by its first domain.
 */
struct step {
	const char *says; /* NULL: it ends the connection */
	const char *hears; /* each line by LF */
	const char *told;
};

struct dialogue {
	const char *name;
	bool implicit_tls;
	bool one_piece; /* what is said too early shows only so */
	struct step steps[20];
};

#define EHLO_CLEAR                                                             \
	{                                                                      \
		"EHLO office.example\r\n",                                     \
		    "250-mx.example.net\n250-STARTTLS\n"                       \
		    "250-ENHANCEDSTATUSCODES\n250 ATRN\n",                     \
		    ""                                                         \
	}
#define STARTTLS                                                               \
	{                                                                      \
		"STARTTLS\r\n", "220 2.0.0 Ready to start TLS\n", "TLS "       \
	}
#define EHLO_TLS                                                               \
	{                                                                      \
		"EHLO office.example\r\n",                                     \
		    "250-mx.example.net\n250-AUTH SCRAM-SHA-256 PLAIN\n"       \
		    "250-ENHANCEDSTATUSCODES\n250 ATRN\n",                     \
		    ""                                                         \
	}
#define LOGIN                                                                  \
	{                                                                      \
		"AUTH PLAIN Z29vZA==\r\n", "235 2.7.0 Logged in\n",            \
		    "AUTH:PLAIN(good) "                                        \
	}
#define SECURE EHLO_CLEAR, STARTTLS, EHLO_TLS
#define IN     SECURE, LOGIN
#define BAD    "535 5.7.8 Wrong user or password\n"
#define NO_SERVICE                                                             \
	"502 5.5.1 Only EHLO, STARTTLS, AUTH, ATRN and QUIT are served here\n"
#define EARLY(what) "421 4.7.0 " what ": closing the connection\n"

#define LATER  "AUTH PLAIN bGF0ZXI=\r\n"
#define LATER3 LATER LATER LATER
#define AWAY   "454 4.7.0 Logins cannot be checked now\n"
#define AWAY3  AWAY AWAY AWAY
#define TOLD3  "AUTH:PLAIN(later) AUTH:PLAIN(later) AUTH:PLAIN(later) "
#define FOREIGN                                                                \
	{                                                                      \
		"ATRN shop.example\r\n", "450 4.7.1 not yours\n",              \
		    "ATRN(shop.example) "                                      \
	}

#define TEN(x) x x x x x x x x x x
#define OK     "250 2.0.0 ok\n"
#define IDLE30                                                                 \
	{                                                                      \
		TEN("NOOP\r\nRSET\r\nNOOP\r\n"), TEN(OK OK OK), ""             \
	}
#define IDLE90 IDLE30, IDLE30, IDLE30

static const struct dialogue dialogues[] = {
    {"the way it should be",
	.steps = {IN, {"ATRN example.org,Example.COM\r\n", "250 2.0.0 turned\n",
			  "ATRN(example.org,example.com) "}}},
    {"implicit TLS", .implicit_tls = true,
	.steps = {EHLO_TLS, LOGIN,
	    {"atrn\r\n", "250 2.0.0 turned\n", "ATRN() "}}},
    {"no mail, asked once more, and QUIT",
	.steps = {IN,
	    {"ATRN none.example\r\n", "453 4.3.0 none\n",
		"ATRN(none.example) "},
	    {"ATRN none.example\r\n", "453 4.3.0 none\n",
		"ATRN(none.example) "},
	    {"QUIT\r\n", "221 2.0.0 mx.example.net closes the connection\n",
		"CLOSE(quit) "}}},
    {"lines that end in LF alone, blanks, small letters",
	.steps = {{"ehlo  office.example \n",
		      "250-mx.example.net\n250-STARTTLS\n"
		      "250-ENHANCEDSTATUSCODES\n250 ATRN\n",
		      ""},
	    {"starttls\n", "220 2.0.0 Ready to start TLS\n", "TLS "}, EHLO_TLS,
	    {"auth plain Z29vZA==\n", "235 2.7.0 Logged in\n",
		"AUTH:PLAIN(good) "},
	    {"ATRN example.org, example.com \n", "250 2.0.0 turned\n",
		"ATRN(example.org,example.com) "}}},

    /* No login in the clear, no ATRN before the login, no mail ever. */
    {"AUTH in the clear",
	.steps = {EHLO_CLEAR, {"AUTH PLAIN Z29vZA==\r\n",
				  "538 5.7.11 STARTTLS comes first\n", ""}}},
    {"ATRN in the clear",
	.steps = {EHLO_CLEAR,
	    {"ATRN example.org\r\n", "530 5.7.0 STARTTLS comes first\n", ""}}},
    {"ATRN before the login",
	.steps = {SECURE,
	    {"ATRN example.org\r\n", "530 5.7.0 AUTH comes first\n", ""}}},
    {"mail", .steps = {IN, {"MAIL FROM:<a@example.org>\r\n", NO_SERVICE, ""},
		 {"RCPT TO:<a@example.org>\r\n", NO_SERVICE, ""},
		 {"DATA\r\n", NO_SERVICE, ""}, {"VRFY a\r\n", NO_SERVICE, ""}}},
    {"HELO", .steps = {{"HELO office.example\r\n", NO_SERVICE, ""}}},
    {"what was learnt before TLS is forgotten",
	.steps = {EHLO_CLEAR, STARTTLS,
	    {"AUTH PLAIN Z29vZA==\r\n", "503 5.5.1 EHLO comes first\n", ""}}},
    {"STARTTLS twice",
	.steps = {SECURE,
	    {"STARTTLS\r\n", "503 5.5.1 TLS is active already\n", ""}}},
    {"octets after STARTTLS", .one_piece = true,
	.steps = {EHLO_CLEAR,
	    {"STARTTLS\r\nEHLO x\r\n", EARLY("Octets after STARTTLS"),
		"CLOSE(broken) "}}},
    {"AUTH twice", .steps = {IN, {"AUTH PLAIN Z29vZA==\r\n",
				     "503 5.5.1 Logged in already\n", ""}}},

    /* The exchange. */
    {"a challenge, and its response",
	.steps = {SECURE,
	    {"AUTH SCRAM-SHA-256 YXNr\r\n", "334 d2hv\n",
		"AUTH:SCRAM-SHA-256(ask) "},
	    {"Z29vZA==\r\n", "235 2.7.0 Logged in\n", "RESPONSE(good) "}}},
    {"no initial response, then an empty one",
	.steps = {SECURE, {"AUTH PLAIN\r\n", "334 d2hv\n", "AUTH:PLAIN "},
	    {"\r\n", "334 d2hv\n", "RESPONSE() "},
	    {"Z29vZA==\r\n", "235 2.7.0 Logged in\n", "RESPONSE(good) "}}},
    {"an empty initial response",
	.steps = {SECURE, {"AUTH PLAIN =\r\n", "334 d2hv\n", "AUTH:PLAIN() "}}},
    {"cancelled, and tried again",
	.steps = {SECURE, {"AUTH PLAIN\r\n", "334 d2hv\n", "AUTH:PLAIN "},
	    {"*\r\n", "501 5.7.0 The login was cancelled\n", "CANCELLED "},
	    LOGIN}},
    {"no base64", .steps = {SECURE,
		      {"AUTH PLAIN Z29v!!\r\n",
			  "501 5.5.2 The response is not base64\n", ""},
		      {"AUTH PLAIN\r\n", "334 d2hv\n", "AUTH:PLAIN "},
		      {"Z29vZA\r\n", "501 5.5.2 The response is not base64\n",
			  "CANCELLED "}}},
    {"a mechanism that is not offered",
	.steps = {SECURE,
	    {"AUTH CRAM-MD5\r\n", "504 5.5.4 This mechanism is not offered\n",
		""},
	    {"AUTH\r\n", "504 5.5.4 This mechanism is not offered\n", ""},
	    {"AUTH SCRAM-SHA-25\r\n",
		"504 5.5.4 This mechanism is not offered\n", ""}}},
    {"the password service is away",
	.steps = {SECURE,
	    {"AUTH PLAIN bGF0ZXI=\r\n",
		"454 4.7.0 Logins cannot be checked now\n",
		"AUTH:PLAIN(later) "},
	    LOGIN}},
    {"the password service is away, for one who does not give up",
	.steps = {SECURE,
	    {LATER3 LATER3 LATER3, AWAY3 AWAY3 AWAY3, TOLD3 TOLD3 TOLD3},
	    {LATER, EARLY("Too many commands that make no sense"),
		"AUTH:PLAIN(later) CLOSE(broken) "}}},
    {"three wrong passwords",
	.steps = {SECURE, {"AUTH PLAIN YmFk\r\n", BAD, "AUTH:PLAIN(bad) "},
	    {"AUTH PLAIN YmFk\r\n", BAD, "AUTH:PLAIN(bad) "},
	    {"AUTH PLAIN YmFk\r\n", BAD, "AUTH:PLAIN(bad) CLOSE(refused) "}}},

    /* ATRN. */
    {"a domain twice",
	.steps = {IN,
	    {"ATRN example.org,example.com,EXAMPLE.org\r\n",
		"250 2.0.0 turned\n", "ATRN(example.org,example.com) "}}},
    {"domains of others, again and again",
	.steps = {IN, FOREIGN, FOREIGN, FOREIGN, FOREIGN, FOREIGN, FOREIGN,
	    FOREIGN, FOREIGN, FOREIGN,
	    {"ATRN shop.example\r\n",
		"450 4.7.1 not yours\n" EARLY(
		    "Too many requests for domains of others"),
		"ATRN(shop.example) CLOSE(broken) "}}},
    {"commands that do nothing, of one who is not logged in",
	.steps = {IDLE90,
	    {TEN("NOOP\r\n"),
		TEN(OK) EARLY("Too many commands that do nothing"),
		"CLOSE(broken) "}}},
    {"commands that do nothing, with a login and calls between them",
	.steps = {SECURE, IDLE90, LOGIN, IDLE90,
	    {"ATRN none.example\r\n", "453 4.3.0 none\n",
		"ATRN(none.example) "},
	    IDLE90,
	    {TEN("NOOP\r\n"),
		TEN(OK) EARLY("Too many commands that do nothing"),
		"CLOSE(broken) "}}},
    {"domains that are none",
	.steps = {IN,
	    {"ATRN localhost\r\n", "501 5.5.4 Syntax: ATRN domain,domain\n",
		""},
	    {"ATRN example.org,\r\n", "501 5.5.4 Syntax: ATRN domain,domain\n",
		""},
	    {"ATRN -a.example\r\n", "501 5.5.4 Syntax: ATRN domain,domain\n",
		""},
	    {"ATRN a-.example\r\n", "501 5.5.4 Syntax: ATRN domain,domain\n",
		""},
	    {"ATRN a..example\r\n", "501 5.5.4 Syntax: ATRN domain,domain\n",
		""},
	    {"ATRN example.org.\r\n", "501 5.5.4 Syntax: ATRN domain,domain\n",
		""},
	    {"ATRN a_b.example\r\n", "501 5.5.4 Syntax: ATRN domain,domain\n",
		""}}},
    {"octets with ATRN", .one_piece = true,
	.steps = {IN, {"ATRN example.org\r\n220 x\r\n",
			  EARLY("Octets after ATRN, before its reply"),
			  "CLOSE(broken) "}}},
    {"octets while ATRN is held",
	.steps = {IN, {"ATRN held.example\r\n", "", "ATRN(held.example) "},
	    {"N", EARLY("Octets after ATRN, before its reply"),
		"VOID CLOSE(broken) "}}},
    {"gone while ATRN is held",
	.steps = {IN, {"ATRN held.example\r\n", "", "ATRN(held.example) "},
	    {NULL, "", "VOID CLOSE(eof) "}}},

    /* Whoever is no customer. */
    {"gone", .steps = {EHLO_CLEAR, {NULL, "", "CLOSE(eof) "}}},
    {"nonsense without end",
	.steps = {{"a\r\nb\r\nc\r\n", NO_SERVICE NO_SERVICE NO_SERVICE, ""},
	    {"a\r\nb\r\nc\r\n", NO_SERVICE NO_SERVICE NO_SERVICE, ""},
	    {"a\r\nb\r\nc\r\n", NO_SERVICE NO_SERVICE NO_SERVICE, ""},
	    {"a\r\n", EARLY("Too many commands that make no sense"),
		"CLOSE(broken) "}}},
    {"a lone CR in a line",
	.steps = {{"EHLO a\rb\r\n", EARLY("NUL or a lone CR in a line"),
	    "CLOSE(broken) "}}},
    {"EHLO without a name",
	.steps = {{"EHLO\r\n", "501 5.5.4 A host name is needed\n", ""}}},
};

struct player {
	const struct dialogue *dialogue;
	struct provider *provider;
	size_t chunk;
	struct buf said, told;
};

static void
tell(struct player *player, const char *word)
{
	assert_true(buf_append(&player->told, word, strlen(word)));
}

static void
tell_octets(struct player *player, const char *octets, size_t len)
{
	tell(player, "(");
	assert_true(buf_append(&player->told, octets, len));
	tell(player, ")");
}

static void
answer_login(struct player *player, const struct provider_event *event)
{
	static const struct {
		const char *word;
		enum provider_login login;
	} answers[] = {
	    {"good", PROVIDER_LOGIN_GOOD},
	    {"bad", PROVIDER_LOGIN_BAD},
	    {"later", PROVIDER_LOGIN_LATER},
	};

	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
		if (event->response_len == strlen(answers[i].word) &&
		    memcmp(event->response, answers[i].word,
			event->response_len) == 0) {
			provider_logged_in(player->provider, answers[i].login);
			return;
		}
	provider_challenge(player->provider, "who", 3);
}

static void
answer_atrn(struct player *player, const struct provider_event *event)
{
	const char *first =
	    event->domains_count > 0 ? event->domains[0] : "all.example";
	struct status status;

	tell(player, "(");
	for (size_t i = 0; i < event->domains_count; i++) {
		tell(player, i > 0 ? "," : "");
		tell(player, event->domains[i]);
	}
	tell(player, ") ");
	if (strcmp(first, "held.example") == 0)
		return;
	if (strcmp(first, "none.example") == 0)
		status_set(&status, 453, "4.3.0", "none");
	else if (strcmp(first, "shop.example") == 0)
		status_set(&status, 450, "4.7.1", "not yours");
	else
		status_set(&status, 250, "2.0.0", "turned");
	provider_answer(player->provider, &status);
}

static void
act(struct player *player, const struct provider_event *event)
{
	static const char *const ends[] = {
	    "open", "quit", "eof", "stopped", "refused", "broken"};

	switch (event->type) {
	case PROVIDER_START_TLS:
		tell(player, "TLS ");
		provider_tls_started(player->provider);
		break;
	case PROVIDER_AUTH:
		tell(player, "AUTH:");
		tell(player, event->mechanism);
		if (event->initial)
			tell_octets(
			    player, event->response, event->response_len);
		tell(player, " ");
		answer_login(player, event);
		break;
	case PROVIDER_RESPONSE:
		tell(player, "RESPONSE");
		tell_octets(player, event->response, event->response_len);
		tell(player, " ");
		answer_login(player, event);
		break;
	case PROVIDER_CANCELLED:
		tell(player, "CANCELLED ");
		break;
	case PROVIDER_ATRN:
		tell(player, "ATRN");
		answer_atrn(player, event);
		break;
	case PROVIDER_VOID:
		tell(player, "VOID ");
		break;
	case PROVIDER_CLOSE:
		tell(player, "CLOSE");
		tell_octets(player, ends[event->end], strlen(ends[event->end]));
		tell(player, " ");
		break;
	}
}

static void
listen_to(struct player *player)
{
	struct provider_event event;
	size_t len;

	while (provider_next(player->provider, &event))
		act(player, &event);
	const char *output = provider_output(player->provider, &len);
	for (size_t i = 0; i < len; i++)
		if (output[i] != '\r')
			assert_true(buf_append(&player->said, output + i, 1));
	provider_written(player->provider, len);
	while (provider_next(player->provider, &event))
		act(player, &event);
}

static void
feed(struct player *player, const char *text, size_t len)
{
	while (len > 0) {
		size_t room;
		char *to = provider_room(player->provider, &room);
		size_t n = len < player->chunk ? len : player->chunk;
		/* Nothing is read any more: the rest never arrives. */
		if (to == NULL)
			return;
		if (n > room)
			n = room;
		memcpy(to, text, n);
		provider_filled(player->provider, n);
		text += n;
		len -= n;
		listen_to(player);
	}
}

static void
expect(const struct player *player, const struct buf *got, const char *want,
    const char *says)
{
	if (buf_len(got) == strlen(want) &&
	    memcmp(buf_data(got), want, buf_len(got)) == 0)
		return;
	fail_msg("%s, chunks of %zu, at \"%s\": \"%.*s\", not \"%s\"",
	    player->dialogue->name, player->chunk, says != NULL ? says : "EOF",
	    (int)buf_len(got), buf_data(got), want);
}

static void
play(const struct dialogue *dialogue, size_t chunk)
{
	struct transcript transcript;
	struct provider_options options = {
	    .hostname = "mx.example.net",
	    .implicit_tls = dialogue->implicit_tls,
	    .mechanisms = "SCRAM-SHA-256 PLAIN",
	    .transcript = &transcript,
	};
	struct player player = {.dialogue = dialogue, .chunk = chunk};

	transcript_init(&transcript, "customer", false);
	buf_init(&player.said, 1 << 16);
	buf_init(&player.told, 1 << 16);
	player.provider = provider_new(&options);
	listen_to(&player);
	expect(&player, &player.said,
	    "220 mx.example.net ESMTP On-Demand Mail Relay\n", "");
	for (const struct step *step = dialogue->steps; step->hears != NULL;
	     step++) {
		buf_reset(&player.said);
		buf_reset(&player.told);
		if (step->says == NULL) {
			provider_eof(player.provider);
			listen_to(&player);
		} else {
			feed(&player, step->says, strlen(step->says));
		}
		expect(&player, &player.said, step->hears, step->says);
		expect(&player, &player.told, step->told, step->says);
	}
	provider_free(player.provider);
	buf_clear(&player.said);
	buf_clear(&player.told);
	transcript_clear(&transcript);
}

static void
test_dialogues(void **state)
{
	static const size_t chunks[] = {1, 2, 3, 7, 64};

	(void)state;
	for (size_t i = 0; i < sizeof dialogues / sizeof dialogues[0]; i++) {
		play(&dialogues[i], 1 << 14);
		for (size_t k = 0; !dialogues[i].one_piece &&
				   k < sizeof chunks / sizeof chunks[0];
		     k++)
			play(&dialogues[i], chunks[k]);
	}
}

/* A line without end costs no more than its limit. */
static void
test_endless_line(void **state)
{
	struct transcript transcript;
	struct provider_options options = {.hostname = "mx.example.net",
	    .mechanisms = "PLAIN",
	    .transcript = &transcript};
	struct provider_event event;
	size_t room, taken = 0;
	bool closed = false;
	char *to;

	(void)state;
	transcript_init(&transcript, "customer", false);
	struct provider *provider = provider_new(&options);
	while (!closed && (to = provider_room(provider, &room)) != NULL) {
		memset(to, 'a', room);
		provider_filled(provider, room);
		taken += room;
		while (provider_next(provider, &event))
			closed = event.type == PROVIDER_CLOSE;
	}
	assert_true(closed);
	assert_int_equal(event.end, PROVIDER_BROKEN);
	assert_int_equal(taken, PROVIDER_LINE_MAX);
	provider_free(provider);
	transcript_clear(&transcript);
}

/* A stop comes through whatever is open, and once only. */
static void
test_stop(void **state)
{
	struct transcript transcript;
	struct provider_options options = {.hostname = "mx.example.net",
	    .mechanisms = "PLAIN",
	    .transcript = &transcript};
	struct provider_event event;
	struct status status;
	size_t len;

	(void)state;
	transcript_init(&transcript, "customer", false);
	struct provider *provider = provider_new(&options);
	provider_output(provider, &len);
	provider_written(provider, len);
	status_set(&status, 421, "4.3.2", "This server is being stopped");
	provider_stop(provider, &status);
	assert_true(provider_next(provider, &event));
	assert_int_equal(event.type, PROVIDER_CLOSE);
	assert_int_equal(event.end, PROVIDER_STOPPED);
	assert_false(provider_next(provider, &event));
	const char *output = provider_output(provider, &len);
	assert_memory_equal(
	    output, "421 4.3.2 This server is being stopped\r\n", len);
	provider_free(provider);
	transcript_clear(&transcript);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_dialogues),
	    cmocka_unit_test(test_endless_line),
	    cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
