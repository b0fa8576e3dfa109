/* SPDX-License-Identifier: ISC */
#include "record/history_known_json.h"

#include "base/json_read.h"
#include "base/json_write.h"
#include "record/history_known.h"

void
history_known_json_write(
    struct json_writer *json, const struct history_known *known)
{
	json_open(json, "known_recipients", '[');
	for (size_t i = 0; i < known->count; i++) {
		const struct history_rcpt *each = &known->list[i];
		json_open(json, NULL, '{');
		json_id(json, "id", each->id);
		json_time(json, "delivered", each->delivered);
		if (each->refused != 0) {
			json_time(json, "refused_since", each->refused);
			json_time(json, "refused_last", each->refused_last);
		}
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void
read_rcpt(const struct json_value *value, struct history_known *known)
{
	struct history_rcpt rcpt = {
	    .delivered = json_get_time(value, "delivered"),
	    .refused = json_get_time(value, "refused_since"),
	    .refused_last = json_get_time(value, "refused_last"),
	};

	if (json_read_id(json_member(value, "id"), &rcpt.id) &&
	    rcpt.delivered != 0)
		history_known_restore(known, &rcpt);
}

void
history_known_json_read(
    const struct json_value *root, struct history_known *known)
{
	const struct json_value *list = json_member(root, "known_recipients");

	if (list == NULL || list->type != JSON_ARRAY)
		return;
	for (const struct json_value *v = list->child; v != NULL; v = v->next)
		read_rcpt(v, known);
}
