/* SPDX-License-Identifier: ISC */
#include "tell/summary.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/timestamp.h"
#include "config/config.h"
#include "record/history.h"

char *
summary_bytes(char out[static SUMMARY_BYTES_SIZE], uint64_t bytes)
{
	static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
	size_t unit = 0;

	if (bytes < 1000) {
		snprintf(out, SUMMARY_BYTES_SIZE, "%" PRIu64 " B", bytes);
		return out;
	}
	double value = (double)bytes / 1000;
	/* 999.95 and more would be printed as 1000.0. */
	while (value >= 999.95 && unit + 1 < sizeof units / sizeof *units) {
		value /= 1000;
		unit++;
	}
	snprintf(out, SUMMARY_BYTES_SIZE, "%.1f %s", value, units[unit]);
	return out;
}

/*
 * The sentence may come from a file or a process that is not to be trusted
 * with a terminal.
 */
static void
append_sentence(char out[static SUMMARY_SIZE], const char *text)
{
	size_t used = strlen(out);

	for (; *text != '\0' && used + 1 < SUMMARY_SIZE; text++)
		out[used++] = escape_is_printable(*text) ? *text : '?';
	out[used] = '\0';
}

/* Appends to out; what does not fit is cut. */
static void append_words(char out[static SUMMARY_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
append_words(char out[static SUMMARY_SIZE], const char *format, ...)
{
	size_t used = strlen(out);
	va_list args;

	va_start(args, format);
	vsnprintf(out + used, SUMMARY_SIZE - used, format, args);
	va_end(args);
}

static void
append_counts(
    char out[static SUMMARY_SIZE], const struct session_result *result)
{
	char bytes[SUMMARY_BYTES_SIZE];

	append_words(out, "%" PRIu64 " %s", result->messages,
	    result->messages == 1 ? "message" : "messages");
	if (result->deferred > 0)
		append_words(out, ", %" PRIu64 " deferred", result->deferred);
	if (result->refused > 0)
		append_words(out, ", %" PRIu64 " refused", result->refused);
	append_words(out, ", %s", summary_bytes(bytes, result->bytes));
}

char *
summary_plain(char out[static SUMMARY_SIZE], const char *text)
{
	out[0] = '\0';
	append_sentence(out, text);
	return out;
}

char *
summary_result(
    char out[static SUMMARY_SIZE], const struct session_result *result)
{
	out[0] = '\0';
	switch (result->outcome) {
	case SESSION_NO_MAIL:
		append_words(out, "no mail");
		break;
	case SESSION_MAIL:
	case SESSION_DEFERRED:
	case SESSION_REFUSED:
		append_counts(out, result);
		append_words(out, ", %.1f s", (double)result->elapsed / 1000);
		if (result->more)
			append_words(out, ", more to come");
		break;
	case SESSION_FAILED:
		append_words(out, "failed: ");
		append_sentence(out, result->error.text);
		break;
	}
	return out;
}

char *
summary_progress(char out[static SUMMARY_SIZE],
    const struct session_result *so_far, int64_t ms)
{
	char rate[SUMMARY_BYTES_SIZE];

	out[0] = '\0';
	append_counts(out, so_far);
	if (ms > 0)
		append_words(out, ", %s/s",
		    summary_bytes(rate,
			(uint64_t)((double)so_far->bytes * 1000 / (double)ms)));
	return out;
}

char *
summary_hold(
    char out[static SUMMARY_SIZE], const struct history *history, int64_t now)
{
	char clock[TIMESTAMP_WORDS_SIZE];

	snprintf(out, SUMMARY_SIZE, "on hold until %s: ",
	    timestamp_format_clock(clock, history->hold_until, now));
	append_sentence(out, history->hold_reason);
	return out;
}

/* What a command prints is not compared (record/hold), and nobody could guess
 * that the hold does not see a new password. */
char *
summary_hold_advice(char out[static SUMMARY_SIZE],
    const struct config_account *account, const struct history *history)
{
	bool login = history->hold_class == ERROR_AUTH;
	bool password = account->password_command != NULL;
	bool token = account->token_command != NULL;

	snprintf(out, SUMMARY_SIZE,
	    "%s, or ask the provider; then odmr-agent fetch %s tries at once.",
	    login ? "Correct user and password" : "Correct what the error says",
	    account->name);
	if (login && (password || token))
		append_words(out,
		    " This is needed where %s%s%s prints something new: the"
		    " hold does not see that.",
		    password ? "password_command" : "",
		    password && token ? " or " : "",
		    token ? "token_command" : "");
	return out;
}

char *
summary_listening(
    char out[static SUMMARY_SIZE], const struct history *history, int64_t now)
{
	char clock[TIMESTAMP_WORDS_SIZE];

	snprintf(out, SUMMARY_SIZE,
	    "listening since %s: new mail comes as soon as the provider has it",
	    timestamp_format_clock(clock, history->listening, now));
	return out;
}

char *
summary_spaced(
    char out[static SUMMARY_SIZE], const struct history *history, int64_t now)
{
	char clock[TIMESTAMP_WORDS_SIZE];

	snprintf(out, SUMMARY_SIZE,
	    "not asked before %s: the provider refuses to be asked more often",
	    timestamp_format_clock(
		clock, now + asking_memory_wait(&history->asking, now), now));
	return out;
}
