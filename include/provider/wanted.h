/*
 * wanted - what Postfix' configuration must have, and what it has.
 *
 * One list for `setup postfix`, which makes it so, and for `check`, which says
 * what is missing.
 */
#ifndef ODMR_PROVIDER_WANTED_H
#define ODMR_PROVIDER_WANTED_H

#include <stdbool.h>
#include <stddef.h>

struct error;
struct provider_config;

enum wanted_kind {
	WANTED_VALUE, /* the parameter has this value */
	WANTED_IN_LIST, /* the list has this item, and others stay */
	WANTED_AT_LEAST, /* an amount, and a smaller one may be meant so */
	WANTED_SERVICE, /* a line of master.cf; its options follow it */
	WANTED_OPTION, /* an option of such a line */
};

struct wanted {
	enum wanted_kind kind;
	const char *name; /* of the parameter; odmr/unix; odmr/unix/NAME */
	char *value; /* owned by the list */
	/* As it is written now, "" for nothing; owned by the list. An option:
	 * its value alone. */
	char *now;
	bool there; /* nothing is to be done */
	const char *why; /* what goes wrong without it */
	/* A time, for which a longer one is as good: the unit that postconf(5)
	 * has for a number without one; '#': a number, for which a larger one is
	 * as good. Else '\0'. */
	char unit;
};

struct wanted_list {
	struct wanted *items;
	size_t count;
};

/* Compares with Postfix. false: it cannot be asked. Either way the list is to
 * be cleared. Errors: ERROR_LOCAL, ERROR_STOPPED. */
bool wanted_find(const struct provider_config *config, struct wanted_list *list,
    struct error *err) __attribute__((warn_unused_result));
void wanted_clear(struct wanted_list *list);
/* "main.cf" or "master.cf". */
const char *wanted_file(const struct wanted *wanted);
/* The line of that file that makes it so, owned by the caller:
 * "relay_domains = ...", "odmr unix ...", "  -o NAME=VALUE". */
char *wanted_line(const struct wanted *wanted);
/* Has postconf make it so. Errors: ERROR_LOCAL, ERROR_STOPPED. */
bool wanted_apply(const struct provider_config *config,
    const struct wanted *wanted, struct error *err)
    __attribute__((warn_unused_result));

#endif
