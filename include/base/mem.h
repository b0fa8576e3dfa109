/*
 * mem - allocation that never returns NULL.
 *
 * The agent keeps nothing that is worth saving: when memory runs out the
 * process says so on standard error and ends with 71 (EX_OSERR), and the
 * provider, which has no 250, sends the message again.
 */
#ifndef ODMR_BASE_MEM_H
#define ODMR_BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>

/* The caller owns what these return, and gives it back with free(). */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xreallocarray(void *old, size_t count, size_t size);
char *xstrdup(const char *text);
/* At most len octets of text, and a NUL behind them. */
char *xstrndup(const char *text, size_t len);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Memory ran out elsewhere, in a library: the end, as above. */
_Noreturn void mem_exhausted(void);

#endif
