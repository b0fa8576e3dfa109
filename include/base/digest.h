/*
 * digest - SHA-256 of octets at hand, and octets in hexadecimal.
 *
 * SHA-256 fails only when there is no memory, which ends the program as in
 * base/mem: whoever went on with an empty digest would take all things for the
 * same one.
 */
#ifndef ODMR_BASE_DIGEST_H
#define ODMR_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DIGEST_SIZE = 32,
	DIGEST_RANDOM_MAX = 16, /* as much chance as a UUID has, and more */
};

void digest_octets(
    unsigned char out[DIGEST_SIZE], const void *data, size_t len);
/* The first 64 bits of it, as a number. */
uint64_t digest_number(const void *data, size_t len);
/* In lower case, with a NUL; out has 2 * count + 1 octets; returns out. */
char *digest_hex(char *out, const unsigned char *octets, size_t count);
/* The same of DIGEST_RANDOM_MAX octets by chance at most, a name for something
 * that is to be found again; of zeros where the system has no chance to give. */
char *digest_random(char *out, size_t count);
/*
 * Whether text begins with so many hexadecimal digits of either case, 16 at
 * most; *number is what they are. Reads no further than the first octet that is
 * none.
 */
bool digest_hex_number(const char *text, size_t digits, uint64_t *number)
    __attribute__((warn_unused_result));
/* All digits of a number, as those of digest_number(). */
enum { DIGEST_NUMBER_DIGITS = 16 };
/* The last so many of the 16 hexadecimal digits of a number, in lower case, with
 * a NUL; out has digits + 1 octets; returns out. */
char *digest_number_hex(char *out, uint64_t number, size_t digits);

#endif
