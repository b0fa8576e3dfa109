/*
 * json_write - writes JSON.
 *
 * What is written is ASCII on one line: octets that are no UTF-8 become
 * U+FFFD, so a peer's text cannot spoil a file or a terminal.
 */
#ifndef ODMR_BASE_JSON_WRITE_H
#define ODMR_BASE_JSON_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* key is NULL inside an array and for the outermost value. */
struct json_writer {
	struct buf *out; /* borrowed */
	bool comma; /* a value stands before the next one */
	bool cut; /* the buffer was full: what is in it is no JSON */
};

void json_begin(struct json_writer *json, struct buf *out);
void json_open(struct json_writer *json, const char *key, char bracket);
void json_close(struct json_writer *json, char bracket);
/* text NULL is null. */
void json_text(struct json_writer *json, const char *key, const char *text);
void json_number(struct json_writer *json, const char *key, int64_t value);
/* What exceeds INT64_MAX, which is read back, is written as that. */
void json_count(struct json_writer *json, const char *key, uint64_t count);
/* ms as seconds: 812 becomes 0.812. */
void json_seconds(struct json_writer *json, const char *key, int64_t ms);
void json_bool(struct json_writer *json, const char *key, bool value);
/* ms of Unix time as RFC 3339 in UTC; 0 is null. */
void json_time(struct json_writer *json, const char *key, int64_t ms);
/* A digest of 64 bits as a text in hexadecimal: numbers of JSON are not sure to have
 * so many. */
void json_id(struct json_writer *json, const char *key, uint64_t id);

#endif
