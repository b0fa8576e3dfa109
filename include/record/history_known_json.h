/*
 * history_known_json - who had mail, as a member of a history's JSON.
 */
#ifndef ODMR_RECORD_HISTORY_KNOWN_JSON_H
#define ODMR_RECORD_HISTORY_KNOWN_JSON_H

struct history_known;
struct json_value;
struct json_writer;

/* "known_recipients", an array. */
void history_known_json_write(
    struct json_writer *json, const struct history_known *known);
/* From the outermost object of a status file; known is zeroed before. What makes
 * no sense is left out. */
void history_known_json_read(
    const struct json_value *root, struct history_known *known);

#endif
