/*
 * history_json - a history as JSON: status files, `fetch --json`,
 * `status --json`.
 *
 * The keys are those of odmr-agent(8), and what the rules of record/history
 * need beyond them.
 */
#ifndef ODMR_RECORD_HISTORY_JSON_H
#define ODMR_RECORD_HISTORY_JSON_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct history;

enum { HISTORY_JSON_VERSION = 1 };

/* Appends one line, without a newline. false: more than the buffer takes. */
bool history_json_format(const char *account, const struct history *history,
    struct buf *out) __attribute__((warn_unused_result));
/* The same for `status --json`, which says what is true now as well: whether the
 * account is enabled, and its alarm in one word, NULL for none. */
bool history_json_report(const char *account, const struct history *history,
    bool enabled, const char *alarm, struct buf *out)
    __attribute__((warn_unused_result));
/* The inverse, for this account alone; false: not such a line. history is
 * initialized in any case. */
bool history_json_parse(const char *account, const char *text, size_t len,
    struct history *history) __attribute__((warn_unused_result));

#endif
