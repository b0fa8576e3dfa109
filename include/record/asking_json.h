/*
 * asking_json - what is remembered of asking, as members of a status file.
 */
#ifndef ODMR_RECORD_ASKING_JSON_H
#define ODMR_RECORD_ASKING_JSON_H

struct asking_memory;
struct json_value;
struct json_writer;

/* Into the object that is open. */
void asking_json_write(
    struct json_writer *json, const struct asking_memory *memory);
/* memory is zeroed before. What is missing or makes no sense is left so. */
void asking_json_read(
    const struct json_value *object, struct asking_memory *memory);

#endif
