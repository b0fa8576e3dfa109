/*
 * decimal - numbers as they are written in decimal digits.
 *
 * The one reader of the program, and a writer: no sign, no blanks before it, no
 * locale. What is too great is read as UINT64_MAX, and so is beyond every limit of
 * a caller.
 */
#ifndef ODMR_BASE_DECIMAL_H
#define ODMR_BASE_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DECIMAL_SIZE = 21 }; /* of UINT64_MAX, with a NUL */

/*
 * How many octets of text are digits, from its start on, of at most len; it
 * need not end with NUL where len says its length. *number is what they are; 0
 * for none.
 */
size_t decimal_digits(const char *text, size_t len, uint64_t *number);
/* Whether text, a string, is digits only, and their number at most max. *number
 * is not to be used where it is not. */
bool decimal_read(const char *text, uint64_t max, uint64_t *number)
    __attribute__((warn_unused_result));
/* The digits, with a NUL; out has DECIMAL_SIZE octets. Returns where in out they
 * begin. */
const char *decimal_write(char *out, uint64_t number);

#endif
