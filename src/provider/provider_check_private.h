/*
 * provider_check_private - what the sources of odmr-provider check share.
 *
 * provider_check.c has the command, and what is ours, provider_check_postfix.c
 * what Postfix has.
 */
#ifndef ODMR_PROVIDER_PROVIDER_CHECK_PRIVATE_H
#define ODMR_PROVIDER_PROVIDER_CHECK_PRIVATE_H

#include <stdbool.h>

struct provider_config;

/* What was found; the worst decides the exit status. */
struct findings {
	unsigned faults, warnings;
};

/* Says it, and counts it: a fault, or a warning. */
void provider_check_found(struct findings *findings, bool fault,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* main.cf, master.cf and the table of domains. */
void provider_check_postfix(
    const struct provider_config *config, struct findings *findings);

#endif
