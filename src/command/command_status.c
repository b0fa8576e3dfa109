/* SPDX-License-Identifier: ISC */
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "command/account_args.h"
#include "command/command.h"
#include "config/config.h"
#include "record/history.h"
#include "record/history_json.h"
#include "record/lock.h"
#include "record/status_file.h"
#include "tell/alarm.h"
#include "tell/log.h"
#include "tell/overview.h"
#include "tell/page.h"
#include "tell/standing.h"

/* Of one account; its lines are written before the next one is read. */
enum { TEXT_MAX = 2 * STATUS_FILE_MAX };

struct view {
	const struct config *config;
	struct buf out;
	struct overview table;
	struct page page;
	bool json, html;
	int64_t now;
	int status;
};

static bool
wants_colour(void)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term != NULL &&
	       strcmp(term, "dumb") != 0 &&
	       (no_colour == NULL || no_colour[0] == '\0');
}

/* By LC_ALL, LC_CTYPE and LANG; the program itself stays in the C locale. */
static bool
speaks_utf8(void)
{
	locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);

	if (locale == (locale_t)0)
		return false;
	bool utf8 = strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
	freelocale(locale);
	return utf8;
}

/* Of a terminal that shows UTF-8; 0: it is none, or has no width. */
static unsigned
terminal_columns(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || !speaks_utf8() ||
	    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
		return 0;
	return size.ws_col;
}

static void
flush(struct view *view)
{
	fwrite(buf_data(&view->out), 1, buf_len(&view->out), stdout);
	buf_reset(&view->out);
}

static void
show_account(struct view *view, const struct config_account *account)
{
	struct history history;
	struct error err;

	if (!status_file_read(
		view->config->state_dir, account->name, &history, &err)) {
		log_say(
		    CONFIG_LOG_ERROR, account->name, "status", "%s", err.text);
		view->status = error_worse_status(view->status, EX_OSERR);
	}
	/* A session that died left it there; one that lives has the lock. */
	if (!lock_provider_is_held(view->config->state_dir, account))
		history.listening = 0;
	enum alarm alarm = account->enabled
			       ? alarm_of(account, &history, view->now)
			       : ALARM_NONE;
	view->status = error_worse_status(view->status,
	    standing_exit_status(account, &history, alarm, view->now));
	if (view->html)
		page_add(&view->page, account, &history, alarm);
	else if (!view->json)
		overview_add(&view->table, account, &history, alarm);
	else if (history_json_report(account->name, &history, account->enabled,
		     alarm_name(alarm), &view->out))
		(void)!buf_append(&view->out, "\n", 1);
	flush(view);
	history_clear(&history);
}

static size_t
longest_name(const struct account_args *args)
{
	size_t longest = 0;

	for (size_t i = 0; i < args->count; i++) {
		size_t len = strlen(args->accounts[i]->name);
		if (len > longest)
			longest = len;
	}
	return longest;
}

int
command_status(struct command_context *context, int argc, char **argv)
{
	struct account_args args;
	struct view view = {
	    .config = context->config, .now = clock_unix_ms(), .status = EX_OK};

	if (!account_args_read(&args, context->config, "status", argc, argv))
		return EX_USAGE;
	view.json = args.json;
	view.html = args.html;
	buf_init(&view.out, TEXT_MAX);
	if (view.html)
		page_begin(
		    &view.page, &view.out, context->config->hostname, view.now);
	else if (!view.json)
		overview_begin(&view.table, &view.out, longest_name(&args),
		    wants_colour(), terminal_columns(), view.now);
	for (size_t i = 0; i < args.count; i++)
		show_account(&view, args.accounts[i]);
	/* It is flushed after each account, and so nothing can be cut. */
	if (view.html && !page_end(&view.page))
		view.status = EX_SOFTWARE;
	flush(&view);
	buf_clear(&view.out);
	account_args_clear(&args);
	return view.status;
}
