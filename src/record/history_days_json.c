/* SPDX-License-Identifier: ISC */
#include "record/history_days_json.h"

#include "base/json_read.h"
#include "base/json_write.h"
#include "record/history_days.h"

static void
write_day(struct json_writer *json, const struct history_day *day)
{
	char date[HISTORY_DATE_SIZE];

	json_open(json, NULL, '{');
	json_text(json, "date", history_days_format(date, day->day));
	json_count(json, "sessions", day->sessions);
	json_count(json, "failed", day->failed);
	json_count(json, "messages", day->messages);
	json_count(json, "recipients", day->recipients);
	json_count(json, "bytes", day->bytes);
	json_count(json, "deferred", day->deferred);
	json_count(json, "refused", day->refused);
	json_close(json, '}');
}

void
history_days_json_write(
    struct json_writer *json, const struct history_days *days)
{
	const struct history_day *newest =
	    days->count > 0 ? &days->list[days->count - 1] : NULL;
	char date[HISTORY_DATE_SIZE];

	json_text(json, "today",
	    newest != NULL ? history_days_format(date, newest->day) : NULL);
	json_count(
	    json, "today_messages", newest != NULL ? newest->messages : 0);
	json_open(json, "days", '[');
	for (size_t i = 0; i < days->count; i++)
		write_day(json, &days->list[i]);
	json_close(json, ']');
}

static void
read_day(const struct json_value *value, struct history_days *days)
{
	struct history_day day = {
	    .sessions = json_get_count(value, "sessions"),
	    .failed = json_get_count(value, "failed"),
	    .messages = json_get_count(value, "messages"),
	    .recipients = json_get_count(value, "recipients"),
	    .bytes = json_get_count(value, "bytes"),
	    .deferred = json_get_count(value, "deferred"),
	    .refused = json_get_count(value, "refused"),
	};

	if (!history_days_parse(json_get_text(value, "date", ""), &day.day) ||
	    (days->count > 0 && day.day <= days->list[days->count - 1].day))
		return;
	history_days_add(days, &day);
}

/* How many sessions it had is not known, but there was one. */
static void
read_today(const struct json_value *root, struct history_days *days)
{
	struct history_day today = {
	    .sessions = 1, .messages = json_get_count(root, "today_messages")};

	if (history_days_parse(json_get_text(root, "today", ""), &today.day))
		history_days_add(days, &today);
}

void
history_days_json_read(const struct json_value *root, struct history_days *days)
{
	const struct json_value *list = json_member(root, "days");

	if (list == NULL || list->type != JSON_ARRAY) {
		read_today(root, days);
		return;
	}
	for (const struct json_value *v = list->child; v != NULL; v = v->next)
		read_day(v, days);
}
