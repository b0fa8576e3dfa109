/*
 * gate_private - what the sources of provider/gate share.
 *
 * gate.c has the loop, gate_listen.c the sockets, gate_crowd.c who is let in
 * where many come, gate_calls.c the processes of customers and who has an
 * account's place, gate_mail.c what becomes of Postfix' connections, gate_tls.c
 * the key and the certificate, gate_status.c and gate_metrics.c what others read.
 */
#ifndef ODMR_PROVIDER_GATE_PRIVATE_H
#define ODMR_PROVIDER_GATE_PRIVATE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/error.h"
#include "provider/gate.h"
#include "provider/place.h"
#include "provider/provider_config.h"
#include "provider/table.h"

enum {
	/* What the configuration lists, and what systemd handed over. */
	GATE_LISTENERS_MAX = 2 * PROVIDER_LISTEN_MAX,
	/* Sockets, standard descriptors, files that are read and written. */
	GATE_DESCRIPTORS = 64 + GATE_LISTENERS_MAX,
	/* Each lasts for two seconds at most; guessers who are sent away faster
	 * than that have forks and handshakes as their limit. */
	GATE_DEBTS_MAX = 1000,
	NOBODY = -1,
};

/* A customer's connection; its number is that of its place. */
struct call {
	pid_t pid; /* 0: free */
	int desk; /* our end of note_pair(); -1: the desk has closed its own */
	long account; /* NOBODY before the login */
	/* It was told to end, for a newer call or a newer configuration, or
	 * was killed for a crowd: what it still says does not count. */
	bool leaving;
	struct in6_addr from; /* for the limit of one address */
};

/* Of an account: which call has its place, which one waits for it. */
struct seat {
	long holder, waiter; /* of calls, or NOBODY */
	int64_t mail_until; /* clock_ms() until which more mail is awaited after
			       the last turned call */
};

/* A connection of Postfix that waits for the customer's next call. */
struct early {
	int fd;
	long account;
	int64_t until; /* clock_ms() */
};

/* The wait of one who was sent away in it, which counts at his address. */
struct debt {
	struct in6_addr source;
	int64_t until; /* clock_ms() */
};

/* Since the start of the program, for the metrics; of calls that are over. */
struct totals {
	uint64_t logins, failed_logins;
	uint64_t turned; /* connections that Postfix was joined with */
	uint64_t to_customer, from_customer; /* octets */
};

struct listener {
	int fd;
	unsigned port;
	bool implicit_tls;
};

/* Something that a stranger, or a full disk, can have logged: a line a minute, with
 * how many there were. */
struct repeated {
	int64_t next; /* clock_ms() before which nothing is logged */
	unsigned long unsaid;
};

struct gate {
	struct provider_config *config;
	const char *config_path;
	struct tls_server *tls;
	struct stat cert, key; /* its files, as they were read */
	int64_t tls_look; /* clock_ms() before which they are not looked at */
	struct listener listeners[GATE_LISTENERS_MAX];
	size_t listeners_count;
	int inner;
	int signals; /* signalfd(2) */
	uid_t postfix;
	struct call *calls;
	struct place *places; /* one for each call */
	size_t calls_room; /* of both, for any configuration */
	size_t calls_max; /* those beyond were never used */
	rlim_t descriptors_max; /* RLIMIT_NOFILE */
	struct seat *seats; /* one for each account */
	struct early early[GATE_EARLY_MAX];
	size_t early_count;
	struct debt debts[GATE_DEBTS_MAX];
	struct table table; /* of the same accounts */
	struct totals totals;
	struct repeated crowded, intruders, short_of_means, bad_tls;
	/* Not written: a full disk fills faster by a line for each try. */
	struct repeated no_status, no_metrics;
	int64_t accept_next; /* clock_ms() before which nobody is let in */
	bool stopping;
	bool changed; /* since the status was written */
	int64_t status_next; /* clock_ms() before which it is not written */
};

/* Where too many are not logged in. */
enum gate_crowd {
	GATE_CROWD_NONE,
	GATE_CROWD_ADDRESS, /* max_per_address, at that of the newest */
	GATE_CROWD_ALL, /* max_connections */
};

/* Binds all of them; those that systemd hands over are taken. Errors:
 * ERROR_SYSTEM. */
bool gate_listen(struct gate *gate, struct error *err)
    __attribute__((warn_unused_result));
/* Whether a line may be logged now; others: how many were not before. */
bool gate_may_log(struct repeated *repeated, unsigned long *others);
/* What could not be had (errno), and which limit to raise; logged now and
 * then. */
void gate_lacks(struct gate *gate, const char *what);
/* A customer at that listener. */
void gate_accept(struct gate *gate, const struct listener *listener);
/* Postfix. */
void gate_accept_inner(struct gate *gate);

/* Which limit one more from that address would exceed. */
enum gate_crowd gate_crowd_for(
    const struct gate *gate, const struct in6_addr *from);
/* Who leaves first of those who are not logged in; NOBODY: there are none. */
long gate_crowd_leaver(const struct gate *gate);
/* Ends one of them for a newer one, of that address where that is crowded. false:
 * none may leave. */
bool gate_crowd_make_room(struct gate *gate, enum gate_crowd crowd,
    const struct in6_addr *from) __attribute__((warn_unused_result));

/* Reads the key and the certificate of a configuration; NULL: they are of no use.
 * Errors: ERROR_CONFIG. */
struct tls_server *gate_load_tls(
    struct gate *gate, const struct provider_config *config, struct error *err)
    __attribute__((warn_unused_result));
/* Reads them again where the files have changed, for those who call now. */
void gate_refresh_tls(struct gate *gate);

void gate_set_state(struct gate *gate, long call, enum place_state state);
/* A reload leaves no account for the call, or another configuration. */
void gate_stop_call(struct gate *gate, long call, enum place_end end);
/* Starts a process for the customer at fd, which is taken. */
void gate_start_call(struct gate *gate, int fd, bool implicit_tls,
    const struct in6_addr *from, const char *peer, const char *local);
/* What the process of a call says; false: it is gone. */
bool gate_take_notes(struct gate *gate, long call);
/* The process has ended. Returns whether it was told to. */
bool gate_end_call(struct gate *gate, pid_t pid);
/* Those who wait for a turned call that has fallen silent. Returns clock_ms()
 * of the next look, INT64_MAX where nobody waits. */
int64_t gate_look_at_waiters(struct gate *gate);
/* The call waits for the place of its account. */
bool gate_is_waiter(const struct gate *gate, long call);
/* Its index; NOBODY: there is no such account. */
long gate_find_account(const struct gate *gate, const char *name);
/* Writes run_dir/status.json. */
void gate_write_status(struct gate *gate);
/* Nobody is connected any more. */
void gate_remove_status(const struct gate *gate);
/* Writes metrics_file, where one is set. */
void gate_write_metrics(struct gate *gate);
/* Adds what a call did since it began. */
void gate_add_totals(struct totals *totals, const struct place *place);
/* Postfix has mail for an account; fd is taken. */
void gate_connect(struct gate *gate, long account, int fd);
/* A turned call of the account is over. */
void gate_expect_mail(struct gate *gate, long account);
/* A call of the account is held: it gets the connection that waits for it. */
void gate_join_early(struct gate *gate, long account);
/* Sends those away that have waited long enough. Returns clock_ms() of the next
 * look, INT64_MAX where none waits. */
int64_t gate_look_at_early(struct gate *gate);
/* Sends all of them away. */
void gate_refuse_early(struct gate *gate);

#endif
