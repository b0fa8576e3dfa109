/*
 * md5 - HMAC-MD5 (RFC 2104, 1321) for CRAM-MD5 and for nothing else.
 *
 * RFC 2645 5.1.2 demands CRAM-MD5 of everybody, and an OpenSSL in FIPS mode
 * has no MD5. A few lines of our own that work everywhere are simpler than
 * two ways of which one is hardly ever taken.
 */
#ifndef ODMR_PROTOCOL_MD5_H
#define ODMR_PROTOCOL_MD5_H

#include <stddef.h>

enum { MD5_SIZE = 16 };

void md5_hmac(unsigned char out[MD5_SIZE], const void *key, size_t key_len,
    const void *text, size_t len);

#endif
