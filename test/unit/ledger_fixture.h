/* A ledger over a file in memory, with a clock and salts that a test sets. */
#ifndef ODMR_TEST_LEDGER_FIXTURE_H
#define ODMR_TEST_LEDGER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "../../src/ledger/ledger_private.h"
#include "base/buf.h"
#include "ledger/ledger_book.h"
#include "ledger/ledger_file.h"
#include "ledger_kit.h"

/* A store that counts, and fails when it is told to. */
struct double_store {
	struct ledger_store store;
	size_t appends, syncs;
	bool fails;
	char last[LEDGER_LINE_MAX * 4];
	struct buf file; /* all of it */
};

struct fixture {
	struct double_store store;
	int64_t now;
	unsigned char salt;
	struct ledger *ledger;
};

static inline bool
double_append(struct ledger_store *store, const char *lines, size_t len,
    struct error *err)
{
	struct double_store *counted = (struct double_store *)store;

	if (counted->fails) {
		error_set(err, ERROR_LOCAL, "the disk is full");
		return false;
	}
	counted->appends++;
	memcpy(counted->last, lines, len);
	counted->last[len] = '\0';
	assert_true(buf_append(&counted->file, lines, len));
	return true;
}

static inline bool
double_tidy(struct ledger_store *store, const struct ledger_book *book,
    struct error *err)
{
	(void)store, (void)book, (void)err;
	return true;
}

static inline bool
double_sync(struct ledger_store *store, struct error *err)
{
	(void)err;
	((struct double_store *)store)->syncs++;
	return true;
}

static inline void
double_close(struct ledger_store *store)
{
	(void)store;
}

static inline int64_t
fixture_now(void *context)
{
	return ((struct fixture *)context)->now;
}

/* Each transaction has the next salt. */
static inline void
fixture_random(void *context, void *out, size_t len)
{
	memset(out, ((struct fixture *)context)->salt++, len);
}

static inline void
open_ledger(struct fixture *f, bool sync)
{
	struct ledger_options options = {.keep = 14 * 86400,
	    .sync = sync,
	    .now = fixture_now,
	    .random = fixture_random,
	    .context = f,
	    .boot_id = "boot"};
	struct ledger_book *book = ledger_book_new();
	struct ledger_record record;
	const char *at = buf_data(&f->store.file);
	const char *end = at + buf_len(&f->store.file);

	while (at < end) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		assert_non_null(lf);
		size_t len = (size_t)(lf - at);
		assert_true(ledger_record_parse(&record, at, len));
		ledger_book_apply(book, &record);
		at += len + 1;
	}
	(void)ledger_book_expire(book, f->now, options.keep);
	f->ledger = ledger_new(book, &f->store.store, &options);
	ledger_connection_begin(f->ledger);
}

static inline void
begin(struct fixture *f, bool sync)
{
	*f = (struct fixture){.now = 1800000000};
	f->store.store = (struct ledger_store){.append = double_append,
	    .tidy = double_tidy,
	    .sync = double_sync,
	    .close = double_close};
	buf_init(&f->store.file, 1 << 20);
	open_ledger(f, sync);
}

static inline void
end(struct fixture *f)
{
	ledger_close(f->ledger);
	buf_clear(&f->store.file);
}

/* A session ends and another begins, with what is in the file. */
static inline void
begin_session(struct fixture *f)
{
	ledger_close(f->ledger);
	open_ledger(f, false);
}

static inline int
setup(void **state)
{
	struct fixture *f = malloc(sizeof *f);

	begin(f, false);
	*state = f;
	return 0;
}

static inline int
teardown(void **state)
{
	struct fixture *f = *state;

	end(f);
	free(f);
	return 0;
}

static const struct offer plain = {.sender = "s@y.example", .text = "t\r\n"};

#define WITH_LEDGER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
