/*
 * error - why an operation failed: a class and one sentence.
 *
 * A function that can fail takes a struct error and returns false (or NULL, or
 * -1) after filling it in; the comment above its declaration says behind
 * "Errors:" which classes it can be. Each caller may put context in front. It
 * is logged once, in tell/log. The class decides exit status and next try.
 */
#ifndef ODMR_BASE_ERROR_H
#define ODMR_BASE_ERROR_H

#include <stddef.h>

enum error_class {
	ERROR_NONE,
	ERROR_USAGE, /* 64 wrong use of the command line */
	ERROR_UNABLE, /* 69 the other side cannot do it, ever */
	ERROR_INTERNAL, /* 70 a fault of the agent itself */
	ERROR_SYSTEM, /* 71 fork, file, memory */
	ERROR_AGAIN, /* 75 no connection, time-out, 4xx, line lost */
	ERROR_LOCAL, /* 75 a local delivery is out of order */
	ERROR_BUSY, /* 75 another process has the lock */
	ERROR_STOPPED, /* 75 SIGTERM or SIGINT ended the wait */
	ERROR_PROTOCOL, /* 76 the peer broke the protocol, or TLS failed */
	ERROR_CERTIFICATE, /* 77 the peer's certificate was not accepted */
	ERROR_REFUSED, /* 77 what we asked for was refused: 450, 530, 55x */
	ERROR_AUTH, /* 77 who we are was refused: 535 */
	ERROR_SECRET, /* 77 password_command or token_command failed */
	ERROR_CONFIG /* 78 the configuration is wrong */
};

/* A sentence with two peers' replies of 512 octets cut to the useful part. */
enum { ERROR_TEXT_MAX = 1024 };

struct error {
	enum error_class class;
	char text[ERROR_TEXT_MAX];
};

/* Sets class and sentence; a longer one is cut. */
void error_set(struct error *err, enum error_class class, const char *format,
    ...) __attribute__((format(printf, 3, 4)));
/* As error_set(), with ": " and the text of errnum behind the sentence; where the
 * disk is full, with what to do. */
void error_set_errno(struct error *err, enum error_class class, int errnum,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Puts "CONTEXT: " in front of the sentence; the class stays. */
void error_prefix(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The status of sysexits.h that a class ends the program with; 0 for NONE. */
int error_exit_status(enum error_class class);
/*
 * Where several things went wrong, the program ends with the status of the
 * worst. Worst first: what was never begun (64), what the program or the system
 * cannot do (70, 71), what stays so until somebody mends the configuration
 * (78), the account (77) or the provider (76, 69), what was lost meanwhile
 * (67), what may mend itself (75). This is the only place of the order; the
 * manual has it in EXIT STATUS.
 */
int error_worse_status(int a, int b);

#endif
