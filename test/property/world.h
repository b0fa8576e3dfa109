/*
 * world - what the property test of the serve loop is made of.
 *
 * One seed is one world: a provider with a queue, local services with mailboxes
 * that change their minds, days of simulated time, and a model of who must have
 * what. All runs in one thread: whenever the agent waits, the world moves, and
 * when nothing can move the clock jumps. So a seed always tells the same story.
 */
#ifndef ODMR_TEST_PROPERTY_WORLD_H
#define ODMR_TEST_PROPERTY_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "config/config.h"
#include "session/tally.h"

enum {
	MESSAGES = 8,
	BOXES = 8,
	NAMES = BOXES + 3, /* recipients of a transaction: some named twice */
	DELIVERIES = 3,
	CONNS = 4,
	EXPECTED = 64,
	RESULTS = 64,
	PATH_SIZE = 64, /* Unix sockets have short names */
	NO_MESSAGE = -1,
	OF_DELIVERIES = -2, /* and the log: lines of the story in full */
	ALL_MESSAGES = -3,
	MINUTE = 60 * 1000, /* ms */
};

struct history;

/* What becomes of a recipient, as the provider knows it. */
enum fate { FATE_PENDING, FATE_TAKEN, FATE_BOUNCED };

struct message {
	char sender[40];
	struct buf wire; /* as it is in the provider's queue */
	struct buf want; /* what has to arrive behind our Received field */
	unsigned boxes; /* its recipients, as bits */
	bool sized; /* SIZE= is announced */
	enum fate fate[BOXES];
	unsigned copies[BOXES];
	unsigned unheard[BOXES]; /* of them: the answer did not reach us */
	bool refused[BOXES]; /* the service had said so */
	unsigned changes; /* of the above, to see progress by */
	int64_t next_try; /* clock of the world */
	unsigned connection; /* the last that it was offered on */
	unsigned offers; /* of it, or of its twin */
	bool twin; /* it was sent once more; see make_twin() */
	unsigned fruitless; /* downloads of this session without any change */
	unsigned mixed,
	    mixed_changes; /* in a row without any; see note_mixed() */
	unsigned seen_changes;
};

enum policy {
	POLICY_ACCEPTS,
	POLICY_FULL_AT_RCPT,
	POLICY_FULL_AT_END,
	POLICY_CLIENT_REFUSED, /* speaks of the client, not of the mailbox */
	POLICY_UNKNOWN, /* for ever, as the next */
	POLICY_REFUSES_TEXT, /* every second message */
	POLICY_DEFERS_TEXT, /* the same, with a 4xx */
	POLICY_FILLED, /* by the first message: 5xx at RCPT from then on */
	POLICIES,
};

struct box {
	char user[8];
	size_t delivery;
	enum policy policy;
	int64_t until; /* then it accepts */
};

/* A text that was accepted, whose answer ends at this octet. */
struct given {
	int message;
	unsigned box;
	uint64_t end;
};

/* A connection from the agent to a local service. */
struct conn {
	int fd; /* -1: none */
	struct buf in, out, text;
	uint64_t written, queued; /* octets of replies */
	bool in_text, closing, early;
	bool smtputf8; /* MAIL of this transaction had it */
	bool answering; /* the text that is whole now */
	char sender[64];
	unsigned boxes[NAMES], count;
	int64_t hold; /* nothing moves before */
	struct given given[RESULTS];
	unsigned given_count;
};

struct service {
	size_t index;
	bool lmtp, pipelining, lf_only, down;
	bool smtputf8, dsn; /* lists it */
	char path[PATH_SIZE];
	int fd; /* listens; -1 */
	struct conn conns[CONNS];
};

enum expected {
	EXPECT_GREETING,
	EXPECT_HELLO,
	EXPECT_MAIL,
	EXPECT_RCPT,
	EXPECT_DATA,
	EXPECT_CHUNK,
	EXPECT_END,
	EXPECT_EACH,
	EXPECT_OVERALL,
	EXPECT_RSET,
	EXPECT_QUIT,
};

struct provider {
	int fd; /* -1: no connection */
	struct buf in, out;
	enum expected expected[EXPECTED];
	unsigned expected_count;
	bool pipelining, bdat, prdr, hello, early_quit, impatient;
	bool dsn; /* is offered */
	unsigned left; /* messages that this call may still bring */
	unsigned connection; /* number of it */
	/* the transaction */
	struct message *message; /* NULL: none */
	unsigned names[NAMES], count, asked, answered;
	int at_rcpt[NAMES], at_end[NAMES];
	bool doomed[NAMES];
	unsigned each;
	bool text_sent, again;
	bool says_mixed; /* the reply that came last */
	/* the cut */
	uint64_t sent, cut_at; /* 0: none */
	bool cut_at_end, lost;
	int64_t hold;
	/* what it was told, for the tally */
	uint64_t told_2xx, told_4xx, told_5xx, texts;
};

struct world {
	uint64_t seed, random;
	bool verbose;
	int only; /* the message whose story is told */
	int64_t now; /* ms of simulated time */
	bool calm; /* no more troubles */
	bool one_a_call; /* message, as Exim over TLS */
	bool no_sizes; /* the provider never announces one */
	char folder[PATH_SIZE / 2];
	struct message messages[MESSAGES];
	size_t message_count;
	struct box boxes[BOXES];
	struct service services[DELIVERIES];
	struct provider provider;
	/* the agent */
	struct config config;
	struct config_account account;
	struct config_delivery deliveries[DELIVERIES];
	char paths[DELIVERIES][PATH_SIZE + 32], names[DELIVERIES][16];
	struct config_route routes[BOXES];
	char patterns[BOXES][32];
	const char *pattern_items[BOXES];
	/* the session */
	bool killed;
	uint64_t waits, kill_at; /* 0: never */
	struct buf ledger; /* its file when the agent was killed */
	uint64_t transactions, sessions;
	/* the verdict */
	int guilty; /* message */
	char fault[300];
};

/* The world that the agent lives in; one at a time. */
extern struct world *the_world;

unsigned chance(struct world *w, unsigned below);
void blame(struct world *w, int message, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A line of the story; message may be NO_MESSAGE. */
void tell(const struct world *w, int message, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void put(struct buf *buf, const void *data, size_t len);
void say(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What is asked for whom with DSN, behind the path of RCPT. */
const char *wishes_for(unsigned box);
/* Sender or recipient is beyond ASCII. */
bool needs_smtputf8(
    const struct world *w, const struct message *m, unsigned box);

/* texts: fills in wire and want. */
void text_make(struct world *w, size_t number);
/* Which message this is, from what was delivered; NO_MESSAGE: none. */
int text_find(
    const struct world *w, const char *sender, const char *text, size_t len);

/* Each moves one piece; false: nothing to do now. *timer is lowered to the
 * time at which there will be. */
bool provider_step(struct world *w, int64_t *timer);
void provider_connect(struct world *w, int fd);
void provider_close(struct world *w);
void provider_expect(struct provider *p, enum expected what);
/* The text of DATA. */
void provider_text(struct world *w);
/* Number of the message under way. */
int provider_message(const struct world *w);
/* Somebody was accepted at RCPT. */
bool provider_accepted(const struct provider *p);
/* The next reply; kept_out: it is the ledger's to a recipient. */
void provider_reply(struct world *w, int code, bool kept_out);
bool services_step(struct world *w, int64_t *timer);
/* The mailbox defers this message at its end, as often as it comes. */
bool service_defers(const struct world *w, int message, unsigned box);
void service_open(struct world *w, struct service *service);
void service_close(struct world *w, struct service *service);

/* The whole content of a file, nothing where there is none. */
void read_file(const char *path, struct buf *into);
void remove_tree(const char *path);
/* In a folder of its own below top. */
void world_init(struct world *w, const char *top, uint64_t seed);
void world_clear(struct world *w);
/* One session, of up to some calls; history has what deliveries proved. */
void session_run(struct world *w, struct history *history);

/* Counts what is new in all; dead: the agent was killed before, and nothing of
 * it ever came. */
void maildirs_look(struct world *w, bool dead);
/* Counts what is new in a mailbox, if it is a Maildir. */
void maildir_look(struct world *w, unsigned box);

/* model */
void model_delivered(struct world *w, int message, unsigned box);
void model_unheard(struct world *w, const struct given *given);
void model_told(
    struct world *w, struct message *message, unsigned box, int code);
void model_refused(
    struct world *w, const char *sender, unsigned box, int message);
bool model_is_done(struct world *w, bool blames);

#endif
