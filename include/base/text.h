/*
 * text - strings put one behind the other.
 *
 * What each message has to say takes no printf: thirty formats were read for
 * each, a fourth of what it cost.
 */
#ifndef ODMR_BASE_TEXT_H
#define ODMR_BASE_TEXT_H

#include <stddef.h>

/* Strings one behind the other, for text_join() and buf_join(). */
#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Into out, which has size octets, with a NUL; what does not fit is cut. The
 * texts must not be in out. Returns the length. */
size_t text_join(char *out, size_t size, const char *const *texts);

#endif
