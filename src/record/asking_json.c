/* SPDX-License-Identifier: ISC */
#include "record/asking_json.h"

#include <limits.h>
#include <stdio.h>

#include "base/json_read.h"
#include "base/json_write.h"
#include "record/asking_memory.h"

static void
write_domain(struct json_writer *json, const struct asking_domain *domain)
{
	json_open(json, NULL, '{');
	json_text(json, "domain", domain->name);
	json_time(json, "since", domain->since);
	if (domain->asked != 0) {
		json_time(json, "asked", domain->asked);
		json_text(json, "reply", domain->reply);
	} else if (domain->together != 0) {
		json_number(json, "together", domain->together);
	}
	json_close(json, '}');
}

static void
write_domains(struct json_writer *json, const char *key,
    const struct asking_memory *memory, bool refused)
{
	json_open(json, key, '[');
	for (size_t i = 0; i < memory->domains_count; i++)
		if ((memory->domains[i].asked != 0) == refused)
			write_domain(json, &memory->domains[i]);
	json_close(json, ']');
}

void
asking_json_write(struct json_writer *json, const struct asking_memory *memory)
{
	write_domains(json, "refused_domains", memory, true);
	write_domains(json, "waiting_domains", memory, false);
	json_open(json, "asking", '{');
	json_bool(json, "alone", memory->alone);
	json_bool(json, "indivisible", memory->indivisible);
	json_time(json, "whole_since", memory->whole_since);
	json_time(json, "whole_asked", memory->whole_asked);
	json_number(json, "whole_turn", memory->whole_turn);
	json_text(
	    json, "cursor", memory->cursor[0] != '\0' ? memory->cursor : NULL);
	json_bool(json, "cursor_refused", memory->cursor_refused);
	json_seconds(json, "gap", memory->gap);
	json_time(json, "gap_tried", memory->gap_tried);
	json_seconds(json, "enough", memory->enough);
	json_time(json, "last_call", memory->last_call);
	json_time(json, "last_served", memory->last_served);
	json_number(json, "refusals", memory->refusals);
	json_bool(json, "extra_before", memory->extra_before);
	json_bool(json, "extra_unanswered", memory->extra_unanswered);
	json_seconds(json, "patience", memory->patience);
	json_close(json, '}');
}

static unsigned
read_asking_count(const struct json_value *object, const char *key)
{
	int64_t number = json_get_number(object, key, 0);

	return number > 0 && number <= UINT_MAX ? (unsigned)number : 0;
}

static int64_t
read_span(const struct json_value *object, const char *key, int64_t longest)
{
	int64_t ms = json_get_seconds(object, key, 0);

	return ms > 0 && ms <= longest ? ms : 0;
}

/* A refused one of before this knew since when it waits counts from when it
 * was refused last. */
static void
read_domain(
    const struct json_value *value, struct asking_memory *memory, bool refused)
{
	const char *name = json_get_text(value, "domain", NULL);
	int64_t asked = json_get_time(value, "asked");
	int64_t since = json_get_time(value, "since");

	if (name == NULL)
		return;
	struct asking_domain *domain =
	    asking_memory_add(memory, name, since != 0 ? since : asked);
	if (domain == NULL)
		return;
	domain->together = read_asking_count(value, "together");
	if (refused)
		asking_memory_refuse(
		    memory, name, asked, json_get_text(value, "reply", ""));
}

static void
read_domains(const struct json_value *object, const char *key,
    struct asking_memory *memory, bool refused)
{
	const struct json_value *list = json_member(object, key);

	if (list == NULL || list->type != JSON_ARRAY)
		return;
	for (const struct json_value *v = list->child; v != NULL; v = v->next)
		read_domain(v, memory, refused);
}

void
asking_json_read(const struct json_value *object, struct asking_memory *memory)
{
	const struct json_value *own = json_member(object, "asking");

	read_domains(object, "refused_domains", memory, true);
	read_domains(object, "waiting_domains", memory, false);
	memory->alone = json_get_bool(own, "alone", false);
	memory->indivisible = json_get_bool(own, "indivisible", false);
	memory->whole_since = json_get_time(own, "whole_since");
	memory->whole_asked = json_get_time(own, "whole_asked");
	memory->whole_turn = read_asking_count(own, "whole_turn");
	snprintf(memory->cursor, sizeof memory->cursor, "%s",
	    json_get_text(own, "cursor", ""));
	memory->cursor_refused = json_get_bool(own, "cursor_refused", false);
	memory->gap = read_span(own, "gap", ASKING_GAP_MAX);
	memory->gap_tried = json_get_time(own, "gap_tried");
	memory->enough = read_span(own, "enough", INT64_MAX);
	memory->last_call = json_get_time(own, "last_call");
	memory->last_served = json_get_time(own, "last_served");
	memory->refusals = read_asking_count(own, "refusals");
	memory->extra_before = json_get_bool(own, "extra_before", false);
	memory->extra_unanswered =
	    json_get_bool(own, "extra_unanswered", false);
	memory->patience = read_span(own, "patience", ASKING_HOUR);
}
