/*
 * status_page - the page of all accounts as a file (tell/page).
 */
#ifndef ODMR_TELL_STATUS_PAGE_H
#define ODMR_TELL_STATUS_PAGE_H

#include <stdbool.h>

#include "base/error.h"

struct config;

/*
 * Writes status_page from the status files, whole and renamed; one process at a
 * time. Nothing where it is not set. Errors: those of lock_take(),
 * ERROR_SYSTEM, ERROR_INTERNAL.
 */
bool status_page_write(const struct config *config, struct error *err)
    __attribute__((warn_unused_result));

#endif
