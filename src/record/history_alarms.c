/* SPDX-License-Identifier: ISC */
#include "record/history_alarms.h"

#include <stdio.h>
#include <string.h>

#include "base/json_read.h"
#include "base/json_write.h"

/* count: it is not there. */
static size_t
position_of_alarm(const struct history_alarms *alarms, const char *name)
{
	size_t at = 0;

	while (at < alarms->count && strcmp(alarms->list[at].name, name) != 0)
		at++;
	return at;
}

const struct history_alarm *
history_alarms_find(const struct history_alarms *alarms, const char *name)
{
	size_t at = position_of_alarm(alarms, name);

	return at < alarms->count ? &alarms->list[at] : NULL;
}

void
history_alarms_note(
    struct history_alarms *alarms, const char *name, int64_t now, bool unheard)
{
	size_t at = position_of_alarm(alarms, name);

	if (at == HISTORY_ALARMS_MAX)
		return;
	alarms->count += at == alarms->count;
	snprintf(alarms->list[at].name, HISTORY_ALARM_SIZE, "%s", name);
	alarms->list[at].raised = now;
	alarms->list[at].unheard = unheard;
}

void
history_alarms_settle(struct history_alarms *alarms, int64_t now)
{
	for (size_t i = 0; i < alarms->count; i++)
		if (alarms->list[i].raised > now)
			alarms->list[i].raised = 0;
}

void
history_alarms_write(
    struct json_writer *json, const struct history_alarms *alarms)
{
	json_open(json, "alarms", '[');
	for (size_t i = 0; i < alarms->count; i++) {
		json_open(json, NULL, '{');
		json_text(json, "alarm", alarms->list[i].name);
		json_time(json, "raised", alarms->list[i].raised);
		json_bool(json, "unheard", alarms->list[i].unheard);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void
read_alarm(const struct json_value *value, struct history_alarms *alarms)
{
	const char *name = json_get_text(value, "alarm", "");

	if (name[0] != '\0' && strlen(name) < HISTORY_ALARM_SIZE)
		history_alarms_note(alarms, name,
		    json_get_time(value, "raised"),
		    json_get_bool(value, "unheard", false));
}

void
history_alarms_read(
    const struct json_value *root, struct history_alarms *alarms)
{
	const struct json_value *list = json_member(root, "alarms");
	int64_t last = json_get_time(root, "alarmed");

	if (list == NULL && last != 0)
		history_alarms_note(alarms, "failing", last, false);
	if (list == NULL || list->type != JSON_ARRAY)
		return;
	for (const struct json_value *v = list->child; v != NULL; v = v->next)
		read_alarm(v, alarms);
}
