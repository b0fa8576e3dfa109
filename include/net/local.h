/*
 * local - connect to a service of the local side.
 */
#ifndef ODMR_NET_LOCAL_H
#define ODMR_NET_LOCAL_H

#include <stdint.h>

struct deadline;
struct error;

/*
 * place is the path of a Unix socket where it begins with '/' (port does not
 * count), else a host name or address. A connected, non-blocking descriptor
 * that the caller closes, or -1. Errors: ERROR_LOCAL with place and reason,
 * ERROR_STOPPED.
 */
int local_open(const char *place, uint16_t port,
    const struct deadline *deadline, struct error *err)
    __attribute__((warn_unused_result));

#endif
