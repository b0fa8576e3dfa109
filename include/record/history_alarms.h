/*
 * history_alarms - which alarms of an account were raised, and when.
 *
 * Each kind by itself, by its name: what one is about says nothing of another.
 */
#ifndef ODMR_RECORD_HISTORY_ALARMS_H
#define ODMR_RECORD_HISTORY_ALARMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_value;
struct json_writer;

enum {
	HISTORY_ALARM_SIZE = 16, /* "deferred" */
	HISTORY_ALARMS_MAX = 8, /* there are four kinds */
};

struct history_alarm {
	char name[HISTORY_ALARM_SIZE];
	int64_t raised; /* the last time, ms of Unix time; 0: never */
	bool unheard; /* its command failed then */
};

struct history_alarms {
	struct history_alarm list[HISTORY_ALARMS_MAX];
	size_t count;
};

/* NULL: it was never raised. */
const struct history_alarm *history_alarms_find(
    const struct history_alarms *alarms, const char *name);
/* It is raised now, and whether nobody heard of it. */
void history_alarms_note(
    struct history_alarms *alarms, const char *name, int64_t now, bool unheard);
/* An alarm of the future was not raised. */
void history_alarms_settle(struct history_alarms *alarms, int64_t now);

/* "alarms", an array. */
void history_alarms_write(
    struct json_writer *json, const struct history_alarms *alarms);
/* From the outermost object of a status file. One of 0.1 has only the last alarm
 * and not its kind: it counts as that of sessions that fail. */
void history_alarms_read(
    const struct json_value *root, struct history_alarms *alarms);

#endif
