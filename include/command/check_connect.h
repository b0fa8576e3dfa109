/*
 * check_connect - `check --connect`: tries what a session would need.
 *
 * Nothing is fetched and nothing delivered: local services are asked whether
 * they would take mail, and at the provider we log in and leave again. What
 * comes of it is printed on standard output as it is known.
 */
#ifndef ODMR_COMMAND_CHECK_CONNECT_H
#define ODMR_COMMAND_CHECK_CONNECT_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct config_account;

/* Returns the exit status of the program: that of the worst that came. */
int check_connect(const struct config *config,
    const struct config_account *const *accounts, size_t count, bool trace);

#endif
