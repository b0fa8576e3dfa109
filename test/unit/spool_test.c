/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "deliver/spool.h"
#include "delivery_kit.h"

/* The message as the spool gives it back, read from where its file stands. */
static char *
read_back(const struct spool *spool)
{
	size_t size = (size_t)spool_size(spool), done = 0;
	char *text = malloc(size + 2);
	ssize_t n;

	while ((n = read(spool->fd, text + done, size + 1 - done)) > 0)
		done += (size_t)n;
	assert_int_equal(done, size);
	text[done] = '\0';
	return text;
}

static const struct lines_case {
	const char *name, *in, *as_lf;
} lines_cases[] = {
    {"one line", "a\r\n", "a\n"},
    {"empty lines", "\r\n\r\n\r\n", "\n\n\n"},
    {"no end of line", "abc", "abc"},
    {"two lines", "ab\r\n.cd\r\n", "ab\n.cd\n"},
    {"a CR that nothing follows", "ab\r", "ab\r"},
    {"a CR inside a line", "a\rb\r\n", "a\rb\n"},
    {"two CR", "a\r\r\nb", "a\r\nb"},
    {"LF alone", "a\nb\r\n", "a\nb\n"},
    {"nothing", "", ""},
};

static void
check_lines(const struct lines_case *wanted, enum writer_lines lines,
    const char *expected)
{
	size_t len = strlen(wanted->in);

	for (size_t piece = 1; piece <= len + 1; piece++) {
		struct spool spool;
		spool_init(&spool, "/nonexistent", lines);
		for (size_t at = 0; at < len; at += piece)
			spool_add(&spool, wanted->in + at,
			    len - at < piece ? len - at : piece);
		assert_true(spool_rewind(&spool));
		char *text = read_back(&spool);
		if (strcmp(text, expected) != 0)
			print_error("%s, pieces of %zu\n", wanted->name, piece);
		assert_string_equal(text, expected);
		free(text);
		spool_clear(&spool);
	}
}

static void
test_line_ends_at_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof lines_cases / sizeof *lines_cases; i++) {
		const struct lines_case *one = &lines_cases[i];
		check_lines(one, WRITER_CRLF, one->in);
		check_lines(one, WRITER_LF, one->as_lf);
	}
}

static void
fill(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		text[i] = (char)('a' + i % 23);
}

static bool
keeps_message(const char *folder, size_t len, size_t piece)
{
	char *text = malloc(len + 1);
	struct spool spool;

	fill(text, len);
	spool_init(&spool, folder, WRITER_LF);
	for (size_t at = 0; at < len; at += piece)
		spool_add(
		    &spool, text + at, len - at < piece ? len - at : piece);
	bool kept = spool_rewind(&spool) && spool_size(&spool) == len &&
		    spool.on_disk == (len > SPOOL_MEMORY_MAX);
	if (kept) {
		char *back = read_back(&spool);
		kept = memcmp(back, text, len) == 0;
		free(back);
	}
	spool_clear(&spool);
	free(text);
	return kept;
}

static const size_t sizes[] = {1, 65535, 65536, 65537, SPOOL_MEMORY_MAX - 1,
    SPOOL_MEMORY_MAX, SPOOL_MEMORY_MAX + 1, 3 * SPOOL_MEMORY_MAX + 17};

static bool
keeps_every_size(const char *folder)
{
	static const size_t pieces[] = {997, 65536, 100000, SIZE_MAX / 2};
	bool all = true;

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++)
			all = keeps_message(folder, sizes[i], pieces[k]) && all;
	return all;
}

static void
test_every_size(void **state)
{
	const struct kit *kit = *state;

	assert_true(keeps_every_size(kit->folder));
	/* The file never had a name. */
	assert_int_equal(rmdir(kit->folder), 0);
	assert_int_equal(mkdir(kit->folder, 0700), 0);
}

/* As vfat does. */
static bool
forbid_tmpfile(void)
{
	static struct sock_filter filter[] = {
	    BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		offsetof(struct seccomp_data, args[2])),
	    BPF_JUMP(
		BPF_JMP | BPF_JSET | BPF_K, O_TMPFILE & ~O_DIRECTORY, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {
	    .len = sizeof filter / sizeof *filter, .filter = filter};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void
test_file_system_without_nameless_files(void **state)
{
	const struct kit *kit = *state;

	pid_t pid = fork();
	if (pid == 0) {
		if (!forbid_tmpfile() ||
		    open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) >= 0)
			_exit(KIT_SKIPPED);
		_exit(
		    !keeps_every_size(kit->folder) || rmdir(kit->folder) != 0);
	}
	kit_expect_child(pid);
	assert_int_equal(mkdir(kit->folder, 0700), 0);
}

/* The reply for a message of 2 MiB, "" where it was kept. */
static const char *
reply_for_large(const char *folder, char out[STATUS_TEXT_MAX])
{
	static char text[65536];
	struct status status = {0};
	struct spool spool;

	fill(text, sizeof text);
	spool_init(&spool, folder, WRITER_LF);
	for (int i = 0; i < 32; i++)
		spool_add(&spool, text, sizeof text);
	if (!spool_rewind(&spool))
		writer_status(&status, "spool", spool_error(&spool));
	spool_clear(&spool);
	return status_format(&status, out, STATUS_TEXT_MAX);
}

static void
test_failure_is_kept(void **state)
{
	char out[STATUS_TEXT_MAX];

	(void)state;
	assert_string_equal(reply_for_large("/nonexistent", out),
	    "451 4.3.0 spool: No such file or directory");
}

static void
test_full_disk(void **state)
{
	const struct kit *kit = *state;
	char out[STATUS_TEXT_MAX];

	pid_t pid = fork();
	if (pid == 0) {
		if (!kit_small_disk(kit->folder, 1500))
			_exit(KIT_SKIPPED);
		_exit(strcmp(reply_for_large(kit->folder, out),
			  "452 4.3.1 spool: No space left on device") != 0);
	}
	kit_expect_child(pid);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_line_ends_at_every_cut),
	    cmocka_unit_test_setup_teardown(
		test_every_size, kit_setup, kit_teardown),
	    cmocka_unit_test_setup_teardown(
		test_file_system_without_nameless_files, kit_setup,
		kit_teardown),
	    cmocka_unit_test(test_failure_is_kept),
	    cmocka_unit_test_setup_teardown(
		test_full_disk, kit_setup, kit_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
