/*
 * json_read - reads the small files that the agent wrote itself.
 *
 * It takes RFC 8259 but is strict and bounded: ASCII only, no name twice in an
 * object, nothing after the value. It never takes a file that was cut.
 */
#ifndef ODMR_BASE_JSON_READ_H
#define ODMR_BASE_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	JSON_DEPTH_MAX = 8, /* twice what status files have */
	/* A status file with 1000 refused domains has a fifth; 2 MB of them. */
	JSON_VALUES_MAX = 1 << 15,
};

enum json_type {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_TEXT,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json_value {
	enum json_type type;
	const char *key; /* in an object, else NULL */
	const char *text; /* TEXT: decoded, UTF-8; NUMBER: as written, len */
	size_t len;
	struct json_value *child; /* ARRAY, OBJECT: the first */
	struct json_value *next;
};

struct json;

/* NULL: it is not JSON, or more than is taken. */
struct json *json_parse(const char *text, size_t len);
void json_free(struct json *json);
/* The outermost value; lives until json_free(). */
const struct json_value *json_root(const struct json *json);

/* NULL where object is NULL or no object, or has no such member. */
const struct json_value *json_member(
    const struct json_value *object, const char *key);
/* The getters give the fallback for a member that is missing or otherwise. */
const char *json_get_text(
    const struct json_value *object, const char *key, const char *fallback);
int64_t json_get_number(
    const struct json_value *object, const char *key, int64_t fallback);
/* 0 for one that is missing, negative or otherwise. */
uint64_t json_get_count(const struct json_value *object, const char *key);
bool json_get_bool(
    const struct json_value *object, const char *key, bool fallback);
/* Seconds with up to three decimals, as ms. */
int64_t json_get_seconds(
    const struct json_value *object, const char *key, int64_t fallback);
/* RFC 3339 in UTC, as ms of Unix time; 0 for null or anything else. */
int64_t json_get_time(const struct json_value *object, const char *key);
/* As json_id() writes it; false: value is NULL or anything else. */
bool json_read_id(const struct json_value *value, uint64_t *id)
    __attribute__((warn_unused_result));

#endif
