/*
 * history_days_json - the days of a history as members of its JSON.
 */
#ifndef ODMR_RECORD_HISTORY_DAYS_JSON_H
#define ODMR_RECORD_HISTORY_DAYS_JSON_H

struct history_days;
struct json_value;
struct json_writer;

/* "today" and "today_messages", which were there before there were days, and
 * "days", an array with the oldest first. */
void history_days_json_write(
    struct json_writer *json, const struct history_days *days);
/* From the outermost object of a status file. What is no day, or not later
 * than the one before, is left out. A file of before there were days has one
 * with the messages of "today". */
void history_days_json_read(
    const struct json_value *root, struct history_days *days);

#endif
