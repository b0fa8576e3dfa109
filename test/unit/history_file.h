/* SPDX-License-Identifier: ISC */
/*
 * history_file - a history as the next session has it. To be included behind
 * cmocka.h.
 */
#ifndef ODMR_TEST_UNIT_HISTORY_FILE_H
#define ODMR_TEST_UNIT_HISTORY_FILE_H

#include "base/buf.h"
#include "record/history.h"
#include "record/history_json.h"
#include "record/status_file.h"

/* Each session knows of the others by the status file. */
static inline void
through_the_file(struct history *history)
{
	struct buf text;

	buf_init(&text, STATUS_FILE_MAX);
	assert_true(history_json_format("office", history, &text));
	history_clear(history);
	assert_true(history_json_parse(
	    "office", buf_data(&text), buf_len(&text), history));
	buf_clear(&text);
}

#endif
