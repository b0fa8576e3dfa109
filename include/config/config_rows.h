/*
 * config_rows - how the tables of keys are written.
 *
 * For sources with a table of struct config_key, and for nobody else.
 */
#ifndef ODMR_CONFIG_CONFIG_ROWS_H
#define ODMR_CONFIG_CONFIG_ROWS_H

#include "config/config_loader.h"

/* Durations in ms, as rows give their limits. */
#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

#define CHOICES(...)                                                           \
	(const char *const[])                                                  \
	{                                                                      \
		__VA_ARGS__, NULL                                              \
	}

/* The member of a struct that a key fills in; mostly it has its name. */
#define MEMBER(key, type, member)                                              \
	.name = (key), .offset = offsetof(type, member),                       \
	.size = sizeof(((type *)NULL)->member)

/* One scalar that becomes a number, an enum, a bool; a text; a secret. */
#define PLAIN(converter)                                                       \
	.field = CONFIG_FIELD_PLAIN, .read = config_read_scalar,               \
	.convert = (converter)
#define TEXT(converter)                                                        \
	.field = CONFIG_FIELD_TEXT, .read = config_read_scalar,                \
	.convert = (converter)
#define SECRET(converter)                                                      \
	.field = CONFIG_FIELD_SECRET, .read = config_read_scalar,              \
	.convert = (converter)
/* A list of texts, or one that stands for it. */
#define TEXTS(converter)                                                       \
	.field = CONFIG_FIELD_TEXTS, .read = config_read_texts,                \
	.convert = (converter)
#define YES_NO         PLAIN(config_to_bool)
#define ONE_OF(...)    PLAIN(config_to_choice), .choices = CHOICES(__VA_ARGS__)
#define DURATION(a, b) PLAIN(config_to_duration), .min = (a), .max = (b)

#define TABLE(of, keys_of)                                                     \
	{                                                                      \
		.what = (of), .keys = (keys_of),                               \
		.count = sizeof(keys_of) / sizeof((keys_of)[0])                \
	}
#define FITS(keys_of)                                                          \
	_Static_assert(                                                        \
	    sizeof(keys_of) / sizeof((keys_of)[0]) <= CONFIG_KEYS_MAX,         \
	    "struct config_marks is large enough")

#endif
