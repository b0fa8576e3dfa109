/*
 * stop - SIGTERM and SIGINT, noted for whoever waits.
 *
 * The handler stores the time and wakes every wait (base/deadline). Nothing is
 * interrupted by force: each wait has a grace, after which it ends.
 */
#ifndef ODMR_BASE_STOP_H
#define ODMR_BASE_STOP_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Installs the handlers in this process and makes its wake-up pipe; a child
 * calls it again after fork, which forgets the parent's. Dies when there is no
 * descriptor for a pipe.
 */
void stop_install(void);
bool stop_requested(void);
/* When it was requested, as clock_ms(); meaningful after stop_requested(). */
int64_t stop_since(void);
/* Readable once a stop was requested; -1 before stop_install(). */
int stop_fd(void);
/* Requests a stop from within the program, as the signal would. */
void stop_request(void);

#endif
