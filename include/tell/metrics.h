/*
 * metrics - figures of all accounts for Prometheus, in its text format.
 */
#ifndef ODMR_TELL_METRICS_H
#define ODMR_TELL_METRICS_H

#include <stdbool.h>

#include "base/error.h"

struct config;

/*
 * Writes metrics_file from the status files, whole and renamed; one process at
 * a time. Nothing where it is not set. Errors: those of lock_take(),
 * ERROR_SYSTEM, ERROR_INTERNAL.
 */
bool metrics_write(const struct config *config, struct error *err)
    __attribute__((warn_unused_result));

#endif
