/* SPDX-License-Identifier: ISC */
#include "tell/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/timestamp.h"
#include "protocol/status.h"

/*
 * Most lines of a log are not wanted. What a line takes room for is declared
 * behind the question whether it is: the compiler clears it where it stands
 * (-ftrivial-auto-var-init), and two kilobytes for each field are a tenth of what
 * a message costs.
 */

enum {
	/* A line with a thousand recipients would be no line any more. */
	LOG_LINE_MAX = 8192,
	LOG_VALUE_MAX = 2048, /* one field must not crowd out the others */
};

/* How a line goes out. */
enum carrier { TO_STDERR, TO_JOURNAL, TO_SYSLOG };

static enum carrier carrier = TO_STDERR;
static enum config_log_format line_format = CONFIG_LOG_TEXT;
static enum config_log_level threshold = CONFIG_LOG_INFO;
static bool overridden;
static const char *session;

static const struct {
	const char *name;
	int priority;
} levels[] = {
    [CONFIG_LOG_ERROR] = {"error", LOG_ERR},
    [CONFIG_LOG_WARNING] = {"warning", LOG_WARNING},
    [CONFIG_LOG_INFO] = {"info", LOG_INFO},
    [CONFIG_LOG_DEBUG] = {"debug", LOG_DEBUG},
};

/* systemd says device and inode of the journal's stream; standard error may
 * have been turned elsewhere since (systemd.exec(5)). */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char is[64];
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
		return false;
	snprintf(is, sizeof is, "%llu:%llu", (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino);
	return strcmp(is, stream) == 0;
}

void
log_open(enum config_log destination, enum config_log_format format,
    enum config_log_level level)
{
	carrier = destination == CONFIG_LOG_SYSLOG ? TO_SYSLOG
		  : stderr_is_journal()            ? TO_JOURNAL
						   : TO_STDERR;
	line_format = format;
	if (!overridden)
		threshold = level;
	if (carrier == TO_SYSLOG)
		openlog(program_invocation_short_name, LOG_PID | LOG_NDELAY,
		    LOG_MAIL);
}

void
log_override(enum config_log_level level)
{
	overridden = true;
	threshold = level;
}

void
log_session(const char *id)
{
	session = id;
}

bool
log_is_on(enum config_log_level level)
{
	return level <= threshold;
}

static void add_words(struct log_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What does not fit is left out: the line is cut, never the log. */
static void
add_words(struct log_line *line, const char *format, ...)
{
	char piece[LOG_VALUE_MAX * 4];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(piece, sizeof piece, format, args);
	va_end(args);
	if (len > 0 && (size_t)len < sizeof piece &&
	    !buf_append(&line->buf, piece, (size_t)len))
		return;
}

void
log_begin(struct log_line *line, enum config_log_level level,
    const char *account, const char *event)
{
	char when[TIMESTAMP_UTC_SIZE];

	line->on = log_is_on(level);
	line->level = level;
	if (!line->on)
		return;
	buf_init(&line->buf, LOG_LINE_MAX);
	if (line_format == CONFIG_LOG_JSON) {
		json_begin(&line->json, &line->buf);
		json_open(&line->json, NULL, '{');
		json_text(&line->json, "time",
		    timestamp_format_utc(when, clock_unix_ms()));
		json_text(&line->json, "level", levels[level].name);
		if (account != NULL)
			json_text(&line->json, "account", account);
		json_text(&line->json, "event", event);
		return;
	}
	/* The journal and syslog have time and level of their own. */
	if (carrier == TO_STDERR)
		add_words(line, "%s %s ",
		    timestamp_format_utc(when, clock_unix_ms()),
		    levels[level].name);
	if (account != NULL)
		add_words(line, "%s: ", account);
	add_words(line, "%s", event);
}

void
log_sentence(struct log_line *line, const char *format, ...)
{
	va_list args;

	if (!line->on)
		return;
	char text[LOG_VALUE_MAX], shown[LOG_VALUE_MAX];
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (line_format == CONFIG_LOG_JSON)
		json_text(&line->json, "text", text);
	else
		add_words(
		    line, ": %s", escape_sentence(shown, sizeof shown, text));
}

/* A field of a text line; the value is escaped. */
static void
add_field(struct log_line *line, const char *key, const char *shown)
{
	if (strpbrk(shown, " \"=") == NULL) {
		add_words(line, " %s=%s", key, shown);
		return;
	}
	add_words(line, " %s=\"", key);
	for (const char *c = shown; *c != '\0'; c++)
		add_words(line, "%s%c", *c == '"' ? "\\" : "", *c);
	add_words(line, "\"");
}

static void
add_value(
    struct log_line *line, const char *key, const char *text, bool is_escaped)
{
	char shown[LOG_VALUE_MAX];

	if (!line->on || text == NULL || text[0] == '\0')
		return;
	if (line_format == CONFIG_LOG_JSON)
		json_text(&line->json, key, text);
	else if (is_escaped)
		add_field(
		    line, key, escape_sentence(shown, sizeof shown, text));
	else
		/* A backslash is doubled by now, so \" is the value's. */
		add_field(line, key,
		    escape_text(shown, sizeof shown, text, strlen(text)));
}

void
log_text(struct log_line *line, const char *key, const char *text)
{
	add_value(line, key, text, false);
}

void
log_escaped(struct log_line *line, const char *key, const char *text)
{
	add_value(line, key, text, true);
}

void
log_number(struct log_line *line, const char *key, uint64_t number)
{
	if (!line->on)
		return;
	if (line_format == CONFIG_LOG_JSON)
		json_number(&line->json, key, (int64_t)number);
	else
		add_words(line, " %s=%llu", key, (unsigned long long)number);
}

void
log_ms(struct log_line *line, const char *key, int64_t ms)
{
	if (!line->on)
		return;
	if (line_format == CONFIG_LOG_JSON)
		json_seconds(&line->json, key, ms);
	else
		add_words(line, " %s=%lld.%03lld", key, (long long)(ms / 1000),
		    (long long)(ms % 1000));
}

void
log_time(struct log_line *line, const char *key, int64_t seconds)
{
	char when[TIMESTAMP_UTC_SIZE];

	if (line->on)
		log_text(line, key, timestamp_format_utc(when, seconds * 1000));
}

void
log_reply(struct log_line *line, const char *key, const struct status *status)
{
	if (!line->on || status->code == 0)
		return;
	char text[STATUS_LINE_MAX];
	log_text(line, key, status_format(status, text, sizeof text));
}

/* One write, so that lines of several processes do not mix. */
static void
write_line(struct log_line *line)
{
	char prefix[8] = "", whole[LOG_LINE_MAX + 16];

	if (carrier == TO_JOURNAL)
		snprintf(prefix, sizeof prefix, "<%d>",
		    levels[line->level].priority);
	int len = snprintf(whole, sizeof whole, "%s%.*s\n", prefix,
	    (int)buf_len(&line->buf), buf_data(&line->buf));
	ssize_t ignored = write(STDERR_FILENO, whole, (size_t)len);
	(void)ignored;
}

void
log_end(struct log_line *line)
{
	if (!line->on)
		return;
	log_text(line, "session", session);
	if (line_format == CONFIG_LOG_JSON)
		json_close(&line->json, '}');
	if (carrier == TO_SYSLOG)
		syslog(levels[line->level].priority, "%.*s",
		    (int)buf_len(&line->buf), buf_data(&line->buf));
	else
		write_line(line);
	buf_clear(&line->buf);
	line->on = false;
}

void
log_say(enum config_log_level level, const char *account, const char *event,
    const char *format, ...)
{
	struct log_line line;
	char text[LOG_VALUE_MAX];
	va_list args;

	log_begin(&line, level, account, event);
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	log_sentence(&line, "%s", text);
	log_end(&line);
}
