/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>

#include "deliver/box.h"
#include "deliver/folder.h"
#include "deliver/maildir.h"
#include "delivery_kit.h"

static const char message[] =
    "Received: by us\r\nSubject: x\r\n\r\n.\r\nend\r\n";
/* As it is stored for these: a Delivered-To field for each. */
#define STORED(delivered_to)                                                   \
	"Return-Path: <s@example.net>\n" delivered_to                          \
	"Received: by us\nSubject: x\n\n.\nend\n"
static const char for_anna[] = STORED("Delivered-To: anna@example.org\n");
static const char for_ben[] = STORED("Delivered-To: ben@example.org\n");

static const char *const two_rcpts[] = {
    "anna@example.org", "ben@example.org", NULL};

/* The template stands below the scratch folder. */
static void
use_maildir(struct kit *kit, const char *template, bool create)
{
	static struct maildir_options options;
	static char path[256];

	snprintf(path, sizeof path, "%s/%s", kit->folder, template);
	options = (struct maildir_options){
	    .name = "disk",
	    .path = path,
	    .create = create,
	    .sync = true,
	    .hostname = "mail/a:b",
	};
	if (kit->delivery != NULL)
		kit->delivery->ops->free(kit->delivery);
	kit->delivery = maildir_new(&options);
}

static void
make_folder(const struct kit *kit, const char *name)
{
	char *path = kit_join(kit->folder, name);

	assert_int_equal(mkdir(path, 0700), 0);
	free(path);
}

static void
make_maildir(const struct kit *kit, const char *name)
{
	static const char *const inside[] = {"tmp", "new", "cur"};

	make_folder(kit, name);
	for (size_t i = 0; i < 3; i++) {
		char *path = kit_join(name, inside[i]);
		make_folder(kit, path);
		free(path);
	}
}

/* What the manual names for a base that holds nothing yet. */
static void
make_mark(const struct kit *kit)
{
	char *mark = kit_join(kit->folder, ".odmr-agent");

	close(open(mark, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	free(mark);
}

static void
make_both(const struct kit *kit)
{
	make_maildir(kit, "anna");
	make_maildir(kit, "ben");
}

/* How many files a folder has, -1 where there is none; path gets the last. */
static int
count_files(const struct kit *kit, const char *name, char path[512])
{
	char *folder = kit_join(kit->folder, name);
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	int count = 0;

	if (dir == NULL)
		count = -1;
	while (dir != NULL && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.') {
			snprintf(path, 512, "%s/%s", folder, entry->d_name);
			count++;
		}
	if (dir != NULL)
		closedir(dir);
	free(folder);
	return count;
}

static void
expect_count(const struct kit *kit, const char *name, int expected)
{
	char path[512];

	assert_int_equal(count_files(kit, name, path), expected);
}

/* One message in new, and nothing left in tmp. */
static void
expect_message(const struct kit *kit, const char *maildir, const char *expected)
{
	char path[512];
	struct stat st;
	size_t len;
	char *new = kit_join(maildir, "new"), *tmp = kit_join(maildir, "tmp");

	assert_int_equal(count_files(kit, new, path), 1);
	char *text = kit_read(path, &len);
	assert_non_null(text);
	assert_string_equal(text, expected);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_nlink, 1);
	assert_non_null(strstr(path, ".mail\\057a\\072b"));
	expect_count(kit, tmp, 0);
	free(text);
	free(new);
	free(tmp);
}

static void
deliver(struct kit *kit, const char *const *rcpts, size_t piece)
{
	kit_ask(kit, "s@example.net", rcpts);
	kit_body(kit, message, strlen(message), piece);
	kit_end(kit);
}

static void
test_message_for_two(void **state)
{
	struct kit *kit = *state;

	use_maildir(kit, "{user}", false);
	make_both(kit);
	deliver(kit, two_rcpts, 1);
	expect_message(kit, "anna", for_anna);
	expect_message(kit, "ben", for_ben);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(kit->results[i].code, 250);
		assert_string_equal(kit->results[i].enhanced, "2.0.0");
		assert_false(kit->joined[i]);
	}
}

/* However many addresses lead there, a mailbox gets a message once, and says
 * for whom. */
static void
test_one_mailbox_named_several_times(void **state)
{
	struct kit *kit = *state;
	static const char *const rcpts[] = {"anna@example.org",
	    "anna@example.org", "ben@example.org", "ANNA@example.com", NULL};

	use_maildir(kit, "{user}", false);
	make_both(kit);
	deliver(kit, rcpts, 9);
	expect_message(kit, "anna",
	    STORED("Delivered-To: anna@example.org\n"
		   "Delivered-To: anna@example.org\n"
		   "Delivered-To: ANNA@example.com\n"));
	expect_message(kit, "ben", for_ben);
	/* The results come box by box; a file's are on record at once. */
	for (int i = 0; i < 4; i++) {
		assert_int_equal(kit->results[i].code, 250);
		assert_int_equal(kit->joined[i], i < 2);
	}
}

static void
test_null_sender_and_many_messages(void **state)
{
	struct kit *kit = *state;
	static const char *const rcpts[] = {"anna@example.org", NULL};

	use_maildir(kit, "{user}", false);
	make_both(kit);
	kit_ask(kit, "", rcpts);
	kit_body(kit, "a\r\n", 3, 1);
	assert_true(kit_end(kit));
	expect_message(kit, "anna",
	    "Return-Path: <>\nDelivered-To: anna@example.org\na\n");
	for (int i = 0; i < 20; i++)
		deliver(kit, rcpts, 100);
	expect_count(kit, "anna/new", 21);
	expect_count(kit, "anna/tmp", 0);
}

static void
test_large_message(void **state)
{
	struct kit *kit = *state;
	static char text[300000], expected[2][300000 + 128];

	memset(text, 'x', sizeof text);
	memcpy(text + sizeof text - 2, "\r\n", 2);
	for (int i = 0; i < 2; i++)
		snprintf(expected[i], sizeof expected[i],
		    "Return-Path: <s@example.net>\nDelivered-To: %s\n%.*s\n",
		    two_rcpts[i], (int)sizeof text - 2, text);
	use_maildir(kit, "{user}", false);
	make_both(kit);
	kit_ask(kit, "s@example.net", two_rcpts);
	kit_body(kit, text, sizeof text, 65536);
	assert_true(kit_end(kit));
	expect_message(kit, "anna", expected[0]);
	expect_message(kit, "ben", expected[1]);
}

static const struct name_case {
	const char *template, *rcpt, *name;
} names[] = {
    {"/b/{user}", "anna@example.org", "anna"},
    {"/b/{user}", "Anna+Tag=1_2-3.x@example.org", "anna+tag=1_2-3.x"},
    {"/b/{domain}/{user}/Maildir", "A@Example.ORG", "example.org/a/Maildir"},
    {"/b/x-{user}", "anna@example.org", "x-anna"},
    {"/b/{user}@{domain}", "anna@b-c.de", "anna@b-c.de"},
    {"/b/all", "an!na@[192.0.2.1]", ""},
    {"/b/{user}", "anna@[192.0.2.1]", "anna"},
    {"/b/{user}", "POSTMASTER", "postmaster"},
    {"/b/{other}/{user}", "anna@example.org", "{other}/anna"},
    {"/b/{domain}", "anna@[192.0.2.1]", NULL},
    {"/b/{domain}", "postmaster", NULL},
    {"/b/{user}", "\"..\"@example.org", NULL},
    {"/b/{user}", "\".anna\"@example.org", NULL},
    {"/b/{user}", "../anna@example.org", NULL},
    {"/b/{user}", "a/b@example.org", NULL},
    {"/b/{user}", "\"a/b\"@example.org", NULL},
    {"/b/{user}", "\"\"@example.org", NULL},
    {"/b/{user}", "a%b@example.org", NULL},
    {"/b/{user}", "a!b@example.org", NULL},
    {"/b/{user}", "a|b@example.org", NULL},
    {"/b/{user}", "a{user}@example.org", NULL},
    {"/b/{user}", "\"a b\"@example.org", NULL},
    {"/b/{user}", "~anna@example.org", NULL},
    {"/b/{domain}/{user}", "J\u00d6rg@B\u00fccher.example",
	"b\u00fccher.example/j\u00d6rg"},
    {"/b/{user}", "a\uff0fb@example.org", NULL},
    {"/b/{user}", "\"a\u2215b\"@example.org", NULL},
};

static void
test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct path path;
		char text[ADDRESS_MAX + 3];
		size_t used;
		snprintf(text, sizeof text, "<%s>", names[i].rcpt);
		/* What does not even parse never gets here. */
		if (path_parse(&path, text, strlen(text), &used) != PATH_OK) {
			assert_null(names[i].name);
			continue;
		}
		char *name = folder_name(names[i].template, &path);
		if (names[i].name == NULL)
			assert_null(name);
		else
			assert_string_equal(name, names[i].name);
		free(name);
	}
}

static void
test_base(void **state)
{
	static const char *const cases[][2] = {
	    {"/b/c/{user}", "/b/c/"},
	    {"/b/c-{user}/{domain}", "/b/"},
	    {"/b/c", "/b/c"},
	    {"/{user}", "/"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *base = folder_base(cases[i][0]);
		assert_string_equal(base, cases[i][1]);
		free(base);
	}
}

static const struct answer_case {
	const char *name, *template;
	bool create;
	const char *rcpt, *reply;
	bool gone;
} answers[] = {
    {"there", "{user}", false, "anna@a.example", "250 2.1.5 ok", false},
    {"no such user", "{user}", false, "carl@a.example",
	"550 5.1.1 No such mailbox", false},
    {"no such user below another", "{domain}/{user}", false, "carl@a.example",
	"550 5.1.1 No such mailbox", false},
    {"no user at all in a domain", "{domain}/{user}", false,
	"carl@empty.example",
	"451 4.3.0 disk: the folder of the mailbox is empty: is its disk "
	"mounted?",
	false},
    {"no mailbox in the base", "{domain}/{user}/Maildir", false,
	"dora@c.example",
	"451 4.3.0 disk: there is no mailbox at all: is its disk mounted?",
	true},
    {"made", "{user}", true, "carl@a.example", "250 2.1.5 ok", false},
    {"made with what is above", "{domain}/{user}/Maildir", true,
	"carl@a.example", "250 2.1.5 ok", false},
    {"a name that leads elsewhere", "{user}", true, "\"..\"@a.example",
	"553 5.1.3 This address cannot be the name of a mailbox", false},
    {"no base", "none/{user}", false, "anna@a.example",
	"451 4.3.0 disk: the folder of the mailboxes cannot be opened: No "
	"such file or directory",
	true},
    {"no base to be made", "none/{user}", true, "anna@a.example",
	"451 4.3.0 disk: the folder of the mailboxes cannot be opened: No "
	"such file or directory",
	true},
    {"one Maildir for all", "anna", false, "carl@a.example", "250 2.1.5 ok",
	false},
    {"none for all", "none", true, "carl@a.example",
	"451 4.3.0 disk: the folder of the mailboxes cannot be opened: No "
	"such file or directory",
	true},
    {"a folder that is no Maildir", "{user}", false, "plain@a.example",
	"451 4.3.0 disk: cannot write to the mailbox: No such file or "
	"directory",
	false},
    {"a folder that becomes one", "{user}", true, "plain@a.example",
	"250 2.1.5 ok", false},
    {"a link to another's", "{user}", false, "link@a.example",
	"451 4.3.0 disk: cannot write to the mailbox: Not a directory", false},
    {"a link inside", "{user}", false, "inside@a.example",
	"451 4.3.0 disk: cannot write to the mailbox: Not a directory", false},
    {"a base behind a link", "link/../{user}", false, "anna@a.example",
	"250 2.1.5 ok", false},
    {"a file in the way", "{user}", false, "file@a.example",
	"451 4.3.0 disk: cannot write to the mailbox: Not a directory", false},
};

static void
make_hostile_folders(const struct kit *kit)
{
	char *link = kit_join(kit->folder, "link");
	char *inside = kit_join(kit->folder, "inside/new");
	char *file = kit_join(kit->folder, "file");

	make_both(kit);
	make_folder(kit, "c.example");
	make_maildir(kit, "c.example/dora");
	make_folder(kit, "empty.example");
	make_folder(kit, "plain");
	make_maildir(kit, "inside");
	assert_int_equal(symlink("anna", link), 0);
	assert_int_equal(rmdir(inside), 0);
	assert_int_equal(symlink("../anna/new", inside), 0);
	close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	free(link);
	free(inside);
	free(file);
}

/* The reply, with the scratch folder as FOLDER. */
static void
general_reply(const struct kit *kit, const struct status *status, char *out)
{
	char reply[STATUS_TEXT_MAX];
	size_t len = strlen(kit->folder);

	status_format(status, reply, sizeof reply);
	const char *at = strstr(reply, kit->folder);
	if (at == NULL)
		snprintf(out, STATUS_TEXT_MAX, "%s", reply);
	else
		snprintf(out, STATUS_TEXT_MAX, "%.*sFOLDER%s",
		    (int)(at - reply), reply, at + len);
}

static void
test_answers(void **state)
{
	struct kit *kit = *state;

	make_hostile_folders(kit);
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		const struct answer_case *wanted = &answers[i];
		const char *const rcpts[] = {wanted->rcpt, NULL};
		char reply[STATUS_TEXT_MAX];
		use_maildir(kit, wanted->template, wanted->create);
		kit_ask(kit, "s@example.net", rcpts);
		general_reply(kit, &kit->answers[0], reply);
		if (strcmp(reply, wanted->reply) != 0)
			print_error("%s\n", wanted->name);
		assert_string_equal(reply, wanted->reply);
		assert_int_equal(
		    kit->delivery->ops->gone(kit->delivery), wanted->gone);
		kit->delivery->ops->abort(kit->delivery);
		/* carl is new to each of them. */
		char *made = kit_join(kit->folder, "carl");
		remove_tree(made);
		free(made);
	}
	expect_count(kit, "anna/new", 0);
}

/* The folder is named to whoever keeps this host, each once in a row. */
static void
test_complaints(void **state)
{
	struct kit *kit = *state;
	static const char *const rcpts[][2] = {
	    {"file@a.example", NULL}, {"plain@a.example", NULL}};
	static const size_t order[] = {0, 0, 1, 1, 0};
	unsigned told = 0;

	make_hostile_folders(kit);
	use_maildir(kit, "{user}", false);
	for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
		struct error complaint;
		kit_ask(kit, "s@example.net", rcpts[order[i]]);
		kit->delivery->ops->abort(kit->delivery);
		if (!kit->delivery->ops->complains(kit->delivery, &complaint))
			continue;
		told++;
		assert_int_equal(complaint.class, ERROR_LOCAL);
		assert_non_null(strstr(complaint.text, kit->folder));
		assert_non_null(
		    strstr(complaint.text, order[i] == 0 ? "/file" : "/plain"));
		assert_false(
		    kit->delivery->ops->complains(kit->delivery, &complaint));
	}
	assert_int_equal(told, 3);
}

static void
test_made_maildir_is_whole(void **state)
{
	struct kit *kit = *state;
	static const char *const rcpts[] = {"carl@a.example", NULL};

	use_maildir(kit, "{domain}/{user}", true);
	make_mark(kit);
	deliver(kit, rcpts, 5);
	expect_message(
	    kit, "a.example/carl", STORED("Delivered-To: carl@a.example\n"));
	expect_count(kit, "a.example/carl/cur", 0);
}

static void
test_refused_recipients_get_nothing(void **state)
{
	struct kit *kit = *state;
	static const char *const rcpts[] = {"none@example.org",
	    "anna@example.org", "a!b@example.org", "ben@example.org", NULL};

	use_maildir(kit, "{user}", false);
	make_both(kit);
	deliver(kit, rcpts, 5);
	assert_int_equal(kit->results[0].code, 0);
	assert_int_equal(kit->results[1].code, 250);
	assert_int_equal(kit->results[2].code, 0);
	assert_int_equal(kit->results[3].code, 250);
	expect_message(kit, "anna", for_anna);
	expect_message(kit, "ben", for_ben);
}

static void
test_abort_leaves_nothing(void **state)
{
	struct kit *kit = *state;
	struct deadline deadline = kit_deadline();

	use_maildir(kit, "{user}", false);
	make_both(kit);
	kit_ask(kit, "s@example.net", two_rcpts);
	kit->delivery->ops->abort(kit->delivery);
	kit_ask(kit, "s@example.net", two_rcpts);
	kit_body(kit, message, strlen(message), 3);
	expect_count(kit, "anna/tmp", 1);
	kit->delivery->ops->abort(kit->delivery);
	expect_count(kit, "anna/tmp", 0);
	kit_ask(kit, "s@example.net", two_rcpts);
	kit_body(kit, message, strlen(message), 3);
	assert_true(kit->delivery->ops->ready(kit->delivery, &deadline));
	expect_count(kit, "ben/tmp", 1);
	kit->delivery->ops->abort(kit->delivery);
	expect_count(kit, "anna/tmp", 0);
	expect_count(kit, "ben/tmp", 0);
	expect_count(kit, "anna/new", 0);
	expect_count(kit, "ben/new", 0);
}

/* Each mailbox may have its own, as the folders of a project or a dataset have:
 * the others have mail, and the ledger waits with this one. */
static void
test_a_quota_is_one_mailbox_s(void **state)
{
	struct box_place place = {.name = "disk", .folders = {.base = "/m/"}};
	struct status status;

	(void)state;
	box_failed(&place, "anna", &status, EDQUOT);
	assert_int_equal(status.code, 452);
	assert_string_equal(status.enhanced, "4.2.2");
	assert_false(place.gone);
	assert_non_null(strstr(place.complaint.text, "/m/anna"));
	box_failed(&place, "anna", &status, ENOSPC);
	assert_int_equal(status.code, 452);
	assert_string_equal(status.enhanced, "4.3.1");
	assert_true(place.gone);
}

/* Killed after each piece, and between the last two steps. */
static void
test_killed_agent_leaves_no_half(void **state)
{
	struct kit *kit = *state;

	use_maildir(kit, "{user}", false);
	make_both(kit);
	for (size_t cut = 0; cut <= strlen(message); cut++) {
		pid_t pid = fork();
		if (pid == 0) {
			struct deadline deadline = kit_deadline();
			kit_ask(kit, "s@example.net", two_rcpts);
			kit_body(kit, message, cut, 1);
			if (cut == strlen(message))
				(void)!kit->delivery->ops->ready(
				    kit->delivery, &deadline);
			raise(SIGKILL);
		}
		int status;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
	}
	expect_count(kit, "anna/new", 0);
	expect_count(kit, "ben/new", 0);
}

/* Each recipient has its own outcome; what was there at RCPT and is not any
 * more is no reason to bounce. */
static void
test_mailbox_that_vanishes(void **state)
{
	struct kit *kit = *state;
	struct deadline deadline = kit_deadline();
	char *ben = kit_join(kit->folder, "ben");
	char *away = kit_join(kit->folder, "away");

	use_maildir(kit, "{user}", false);
	make_both(kit);
	kit_ask(kit, "s@example.net", two_rcpts);
	kit_body(kit, message, strlen(message), 3);
	assert_true(kit->delivery->ops->ready(kit->delivery, &deadline));
	assert_int_equal(rename(ben, away), 0);
	kit->delivery->ops->finish(kit->delivery, &deadline);
	kit_results(kit);
	assert_int_equal(kit->results[0].code, 250);
	assert_int_equal(kit->results[1].code, 451);
	assert_string_equal(kit->results[1].enhanced, "4.2.1");
	expect_message(kit, "anna", for_anna);
	expect_count(kit, "away/new", 0);
	/* Before the text: then nobody gets it yet. */
	assert_int_equal(rename(away, ben), 0);
	kit_ask(kit, "s@example.net", two_rcpts);
	assert_int_equal(rename(ben, away), 0);
	kit_body(kit, message, strlen(message), 3);
	assert_false(kit_end(kit));
	assert_int_equal(kit->results[0].code, 451);
	assert_int_equal(kit->results[1].code, 451);
	/* A word on him, which the ledger keeps, and none on her. */
	assert_string_equal(kit->results[0].enhanced, "4.3.0");
	assert_string_equal(kit->results[1].enhanced, "4.2.1");
	expect_message(kit, "anna", for_anna);
	free(ben);
	free(away);
}

/* Returns 0 where it behaved; runs in a child that has its own small disk. */
static int
deliver_to_full_disk(struct kit *kit, size_t octets)
{
	static char text[1024 * 1024];
	char path[512];

	if (!kit_small_disk(kit->folder, 1500))
		return KIT_SKIPPED;
	make_both(kit);
	memset(text, 'x', sizeof text);
	kit_ask(kit, "s@example.net", two_rcpts);
	for (; octets > sizeof text; octets -= sizeof text)
		kit_body(kit, text, sizeof text, 65536);
	kit_body(kit, text, octets, 65536);
	bool ready = kit_end(kit);
	return ready || kit->results[0].code != 452 ||
	       kit->results[1].code != 452 ||
	       strcmp(kit->results[0].enhanced, "4.3.1") != 0 ||
	       !kit->delivery->ops->gone(kit->delivery) ||
	       count_files(kit, "anna/new", path) != 0 ||
	       count_files(kit, "anna/tmp", path) != 0 ||
	       count_files(kit, "ben/new", path) != 0 ||
	       count_files(kit, "ben/tmp", path) != 0;
}

static void
test_full_disk(void **state)
{
	struct kit *kit = *state;
	/* Full at the first file, and at the copy. */
	static const size_t octets[] = {2 * 1024 * 1024, 1024 * 1024};

	use_maildir(kit, "{user}", false);
	for (size_t i = 0; i < 2; i++) {
		pid_t pid = fork();
		if (pid == 0)
			_exit(deliver_to_full_disk(kit, octets[i]));
		kit_expect_child(pid);
	}
}

static bool
probe(struct kit *kit, char out[ERROR_TEXT_MAX])
{
	struct deadline deadline = kit_deadline();
	struct delivery_can can;
	struct error err = {0};
	bool there =
	    kit->delivery->ops->probe(kit->delivery, &can, &deadline, &err);

	assert_int_equal(err.class, there ? ERROR_NONE : ERROR_LOCAL);
	memcpy(out, err.text, sizeof err.text);
	return there;
}

static void
test_probe(void **state)
{
	struct kit *kit = *state;
	char text[ERROR_TEXT_MAX];

	use_maildir(kit, "{user}", true);
	make_mark(kit);
	assert_true(probe(kit, text));
	use_maildir(kit, "none/{user}", true);
	assert_false(probe(kit, text));
	assert_non_null(strstr(text, "cannot write to /tmp/"));
	assert_non_null(strstr(text, "/none/: No such file or directory"));
}

/* What stands below the base, and what the probe says then. */
static const struct base_case {
	const char *name, *folder, *maildir, *template;
	bool create, there;
} bases[] = {
    {"empty", NULL, NULL, "{user}", false, false},
    {"empty, to be filled", NULL, NULL, "{user}", true, false},
    {"a new disk", "lost+found", NULL, "{user}", false, false},
    {"a new disk, to be filled", "lost+found", NULL, "{user}", true, false},
    {"a mark", ".odmr-agent", NULL, "{user}", true, true},
    {"a mark makes no mailbox", ".odmr-agent", NULL, "{user}", false, false},
    {"something", "x", NULL, "{user}", true, true},
    {"a mailbox", NULL, "anna", "{user}", false, true},
    {"no mailbox", "anna", NULL, "{user}", false, false},
    {"a hidden one", NULL, ".anna", "{user}", false, false},
    {"two parts", "a.example", "a.example/anna", "{domain}/{user}", false,
	true},
    {"two parts, one missing", NULL, "anna", "{domain}/{user}", false, false},
    {"a part behind", "anna", "anna/Maildir", "{user}/Maildir", false, true},
    {"another behind", "anna", "anna/mail", "{user}/Maildir", false, false},
    {"parts around", NULL, "x-anna.d", "x-{user}.d", false, true},
    {"nothing between", NULL, "x-.d", "x-{user}.d", false, false},
    {"others around", NULL, "y-anna.d", "x-{user}.d", false, false},
    {"two in one", NULL, "anna@a.example", "{user}@{domain}", false, true},
    {"one for all", NULL, "all", "all", false, true},
    {"none for all", "all", NULL, "all", false, false},
    {"none for all, to be made", "all", NULL, "all", true, false},
};

static void
test_mount_point_without_its_disk(void **state)
{
	struct kit *kit = *state;
	char text[ERROR_TEXT_MAX], *top = strdup(kit->folder);

	for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
		const struct base_case *wanted = &bases[i];
		snprintf(kit->folder, sizeof kit->folder, "%s/%zu", top, i);
		assert_int_equal(mkdir(kit->folder, 0700), 0);
		if (wanted->folder != NULL)
			make_folder(kit, wanted->folder);
		if (wanted->maildir != NULL)
			make_maildir(kit, wanted->maildir);
		use_maildir(kit, wanted->template, wanted->create);
		if (probe(kit, text) != wanted->there)
			print_error("%s\n", wanted->name);
		assert_int_equal(probe(kit, text), wanted->there);
		if (!wanted->there)
			assert_non_null(strstr(text, "is its disk mounted?"));
	}
	snprintf(kit->folder, sizeof kit->folder, "%s", top);
	free(top);
}

/* Homes that come when they are asked for: nothing is listed, and that says
 * nothing. */
static void
test_homes_of_an_automounter(void **state)
{
	struct kit *kit = *state;
	char text[ERROR_TEXT_MAX], options[96];
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	snprintf(options, sizeof options,
	    "fd=%d,pgrp=%ld,minproto=5,maxproto=5,indirect", ends[1],
	    (long)getpgrp());
	for (int create = 0; create < 2; create++) {
		use_maildir(kit, "{user}", create);
		pid_t pid = fork();
		if (pid == 0) {
			if (!kit_own_mounts() ||
			    mount("none", "/", "none", MS_REC | MS_PRIVATE,
				NULL) != 0 ||
			    mount("none", kit->folder, "autofs", 0, options) !=
				0)
				_exit(KIT_SKIPPED);
			_exit(!probe(kit, text));
		}
		kit_expect_child(pid);
	}
	close(ends[0]);
	close(ends[1]);
}

/* The disk goes away between two messages: nothing is made in its place. */
static void
test_disk_goes_away_in_a_session(void **state)
{
	struct kit *kit = *state;
	char *away = kit_join(kit->folder, "away"),
	     *base = kit_join(kit->folder, "base");

	for (int create = 0; create < 2; create++) {
		make_folder(kit, "base");
		make_maildir(kit, "base/anna");
		use_maildir(kit, "base/{user}", create);
		deliver(kit, two_rcpts, 5);
		assert_int_equal(kit->answers[0].code, 250);
		assert_int_equal(kit->answers[1].code, create ? 250 : 550);
		assert_int_equal(rename(base, away), 0);
		make_folder(kit, "base");
		kit_ask(kit, "s@example.net", two_rcpts);
		for (int i = 0; i < 2; i++)
			assert_int_equal(kit->answers[i].code, 451);
		assert_true(kit->delivery->ops->gone(kit->delivery));
		assert_int_equal(rmdir(base), 0);
		remove_tree(away);
	}
	free(away);
	free(base);
}

/* The ledger has the outcome of each before the next one gets the message. */
static void
test_outcome_is_told_before_the_next_rename(void **state)
{
	struct kit *kit = *state;
	struct deadline deadline = kit_deadline();
	struct status status;
	size_t rcpt;

	use_maildir(kit, "{user}", false);
	make_both(kit);
	kit_ask(kit, "s@example.net", two_rcpts);
	kit_body(kit, message, strlen(message), 3);
	assert_true(kit->delivery->ops->ready(kit->delivery, &deadline));
	kit->delivery->ops->finish(kit->delivery, &deadline);
	expect_count(kit, "anna/new", 0);
	assert_true(kit->delivery->ops->result(
	    kit->delivery, &rcpt, &status, &deadline));
	assert_int_equal(rcpt, 0);
	assert_int_equal(status.code, 250);
	expect_count(kit, "anna/new", 1);
	expect_count(kit, "ben/new", 0);
	assert_true(kit->delivery->ops->result(
	    kit->delivery, &rcpt, &status, &deadline));
	assert_int_equal(rcpt, 1);
	expect_count(kit, "ben/new", 1);
	assert_false(kit->delivery->ops->result(
	    kit->delivery, &rcpt, &status, &deadline));
}

static void
test_probe_of_a_disk_that_is_read_only(void **state)
{
	struct kit *kit = *state;
	char text[ERROR_TEXT_MAX];

	use_maildir(kit, "{user}", false);
	pid_t pid = fork();
	if (pid == 0) {
		if (!kit_small_disk(kit->folder, 100) ||
		    mount("none", kit->folder, "tmpfs", MS_REMOUNT | MS_RDONLY,
			NULL) != 0)
			_exit(KIT_SKIPPED);
		_exit(probe(kit, text) ||
		      strstr(text, "Read-only file system") == NULL);
	}
	kit_expect_child(pid);
}

/* A folder that others made for themselves is no reason to bounce either. */
static void
test_mailbox_of_somebody_else(void **state)
{
	struct kit *kit = *state;
	char *new = kit_join(kit->folder, "ben/new");

	use_maildir(kit, "{user}", false);
	make_both(kit);
	assert_int_equal(chmod(new, 0500), 0);
	free(new);
	assert_int_equal(chmod(kit->folder, 0711), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (geteuid() == 0 && (chown(kit->folder, 65534, 65534) != 0 ||
					  setresuid(65534, 65534, 65534) != 0))
			_exit(KIT_SKIPPED);
		kit_ask(kit, "s@example.net", two_rcpts);
		_exit(kit->answers[1].code != 451);
	}
	kit_expect_child(pid);
}

/* Returns 0 where it behaved; runs in a child who is not root. early: before the
 * text, of which then nobody gets anything. */
static int
deliver_to_what_was_closed(struct kit *kit, const char *folder, bool early)
{
	char *closed = kit_join(kit->folder, folder), path[512];
	struct deadline deadline = kit_deadline();

	use_maildir(kit, "{user}", false);
	make_both(kit);
	kit_ask(kit, "s@example.net", two_rcpts);
	bool ok = !early || chmod(closed, 0500) == 0;
	kit_body(kit, message, strlen(message), 3);
	bool ready = kit->delivery->ops->ready(kit->delivery, &deadline);
	ok = ok && (early || chmod(closed, 0500) == 0);
	if (ready)
		kit->delivery->ops->finish(kit->delivery, &deadline);
	kit_results(kit);
	free(closed);
	return !ok || ready == early ||
	       kit->results[0].code != (early ? 451 : 250) ||
	       kit->results[1].code != 451 ||
	       strcmp(kit->results[1].enhanced, "4.3.0") != 0 ||
	       strstr(kit->results[1].text,
		   "cannot write to the mailbox: Permission denied") == NULL ||
	       count_files(kit, "anna/tmp", path) != 0 ||
	       count_files(kit, "ben/tmp", path) != 0;
}

/* It may have been so at RCPT: the message is deferred, and leaves nothing. */
static void
test_mailbox_that_can_be_written_to_no_more(void **state)
{
	struct kit *kit = *state;

	for (int early = 0; early < 2; early++) {
		pid_t pid = fork();
		if (pid == 0) {
			if (geteuid() == 0 &&
			    (chown(kit->folder, 65534, 65534) != 0 ||
				setresuid(65534, 65534, 65534) != 0))
				_exit(KIT_SKIPPED);
			_exit(deliver_to_what_was_closed(
			    kit, early ? "ben/tmp" : "ben/new", early));
		}
		kit_expect_child(pid);
		kit_teardown(state);
		assert_int_equal(kit_setup(state), 0);
		kit = *state;
	}
}

#define kit_test(function)                                                     \
	cmocka_unit_test_setup_teardown(function, kit_setup, kit_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_base),
	    kit_test(test_message_for_two),
	    kit_test(test_one_mailbox_named_several_times),
	    kit_test(test_null_sender_and_many_messages),
	    kit_test(test_large_message),
	    kit_test(test_answers),
	    kit_test(test_complaints),
	    kit_test(test_made_maildir_is_whole),
	    kit_test(test_refused_recipients_get_nothing),
	    kit_test(test_abort_leaves_nothing),
	    kit_test(test_killed_agent_leaves_no_half),
	    cmocka_unit_test(test_a_quota_is_one_mailbox_s),
	    kit_test(test_mailbox_that_vanishes),
	    kit_test(test_full_disk),
	    kit_test(test_probe),
	    kit_test(test_mount_point_without_its_disk),
	    kit_test(test_homes_of_an_automounter),
	    kit_test(test_disk_goes_away_in_a_session),
	    kit_test(test_outcome_is_told_before_the_next_rename),
	    kit_test(test_probe_of_a_disk_that_is_read_only),
	    kit_test(test_mailbox_of_somebody_else),
	    kit_test(test_mailbox_that_can_be_written_to_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
