/*
 * log - one line for each event, to standard error or syslog, text or JSON.
 *
 * Each line is one write. What a peer said is escaped, once. No password, token or
 * content of a message is ever given to it. Before log_open() lines go to
 * standard error as text.
 */
#ifndef ODMR_TELL_LOG_H
#define ODMR_TELL_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json_write.h"
#include "config/config.h"

struct status;

/* level counts where neither verbose nor quiet is given. */
void log_open(enum config_log destination, enum config_log_format format,
    enum config_log_level level);
/* -v: all; -q: errors only; whatever the configuration says. */
void log_override(enum config_log_level level);
/* A line of this level would be written. */
bool log_is_on(enum config_log_level level);

/* Each line from now on bears this session's id; NULL: none. The id is
 * borrowed until then. */
void log_session(const char *id);

/* A line under way; from log_begin() to log_end(). */
struct log_line {
	bool on;
	enum config_log_level level;
	struct buf buf;
	struct json_writer json;
};

/* account may be NULL. */
void log_begin(struct log_line *line, enum config_log_level level,
    const char *account, const char *event);
/* The sentence; at most one, before any other field. What a peer said is
 * escaped in it already (base/escape), since errors go to a terminal, too. */
void log_sentence(struct log_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Fields; a text that is NULL or empty is left out. log_text() takes it as the
 * peer said it, log_escaped() as base/escape made it. */
void log_text(struct log_line *line, const char *key, const char *text);
void log_escaped(struct log_line *line, const char *key, const char *text);
void log_number(struct log_line *line, const char *key, uint64_t number);
void log_ms(struct log_line *line, const char *key, int64_t ms);
/* Unix seconds, as RFC 3339 in UTC. */
void log_time(struct log_line *line, const char *key, int64_t seconds);
void log_reply(
    struct log_line *line, const char *key, const struct status *status);
void log_end(struct log_line *line);

/* A line with nothing but a sentence. */
void log_say(enum config_log_level level, const char *account,
    const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
