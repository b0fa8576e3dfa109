/* SPDX-License-Identifier: ISC */
#include "command/init_answers.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/stop.h"
#include "protocol/address.h"

/* What is on this host, the better way first. */
static const struct {
	const char *path, *name, *deliver, *hint;
} services[] = {
    {"/etc/postfix/main.cf", "Postfix", "smtp:127.0.0.1:2525",
	"It needs a listener of its own: README, \"Postfix, with a listener"
	" of its own\"."},
    {"/etc/exim4", "Exim", "smtp:127.0.0.1:2525",
	"It needs a port of its own: README, \"Exim\"."},
    {"/run/dovecot/lmtp", "Dovecot", "lmtp:/run/dovecot/lmtp",
	"The socket must be open to the agent: README, \"Only Dovecot\"."},
};

enum { SERVICES = sizeof services / sizeof *services };

/* NULL: it will do. Else what is wrong with it. */
typedef const char *answer_check(const char *answer);

static const char *
check_plain(const char *answer)
{
	if (answer[0] == '\0')
		return "an answer is needed";
	for (const char *at = answer; *at != '\0'; at++)
		if ((unsigned char)*at <= ' ' || *at == '"' || *at == '\\' ||
		    (unsigned char)*at == 0x7f)
			return "no blank, control character, quotation mark or"
			       " backslash can be in it";
	return NULL;
}

static const char *
check_domains(const char *answer)
{
	char *list = xstrdup(answer), *rest = list, *name;
	const char *wrong = check_plain(answer);

	while (wrong == NULL && (name = strsep(&rest, ",")) != NULL)
		if (!address_is_domain(name))
			wrong = "it is a list of domains with commas between,"
				" as in example.org,example.com";
	free(list);
	return wrong;
}

static const char *
check_deliver_answer(const char *answer)
{
	static const char *const kinds[] = {"lmtp:", "smtp:", "maildir:/"};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strncmp(answer, kinds[i], strlen(kinds[i])) == 0 &&
		    answer[strlen(kinds[i])] != '\0')
			return check_plain(answer);
	return "it is lmtp:/PATH, lmtp:HOST:PORT, smtp:HOST:PORT or"
	       " maildir:/PATH";
}

struct question {
	const char *option, *text;
	size_t offset; /* of the answer */
	answer_check *check;
};

static const struct question questions[] = {
    {"--provider", "Provider (HOST or HOST:PORT)",
	offsetof(struct init_answers, provider), check_plain},
    {"--user", "User there", offsetof(struct init_answers, user), check_plain},
    {"--domains", "Domains, with commas between",
	offsetof(struct init_answers, domains), check_domains},
    {"--deliver", "Where mail goes (lmtp:, smtp: or maildir:)",
	offsetof(struct init_answers, deliver), check_deliver_answer},
};

enum { QUESTIONS = sizeof questions / sizeof *questions };

static char *
place_of_answer(struct init_answers *answers, const struct question *question)
{
	return (char *)answers + question->offset;
}

static bool
refuse_answer(const char *what, const char *why)
{
	fprintf(stderr, "odmr-agent: %s: %s\n", what, why);
	return false;
}

/* One line without its end. false: there is none, or it is too long. */
static bool
read_answer(FILE *from, char out[static INIT_ANSWER_MAX + 1])
{
	if (fgets(out, INIT_ANSWER_MAX + 1, from) == NULL)
		return false;
	size_t len = strcspn(out, "\r\n");
	bool whole = out[len] != '\0' || len < INIT_ANSWER_MAX;
	out[len] = '\0';
	return whole;
}

/*
 * Options
 */

static bool
keep_password(struct init_answers *answers, const char *text)
{
	if (text[0] == '\0')
		return refuse_answer("password", "it is empty");
	secret_set(&answers->password, text, strlen(text));
	return true;
}

/* "-" is standard input; never the command line, which others can read. */
static bool
read_password_file(struct init_answers *answers, const char *path)
{
	bool standard = strcmp(path, "-") == 0;
	FILE *file = standard ? stdin : fopen(path, "re");
	char line[INIT_ANSWER_MAX + 1];

	if (file == NULL)
		return refuse_answer(path, "it cannot be read");
	bool read = read_answer(file, line);
	if (!standard)
		fclose(file);
	read = read ? keep_password(answers, line)
		    : refuse_answer(path, "there is no password in it");
	explicit_bzero(line, sizeof line);
	return read;
}

static bool
take_init_option(
    struct init_answers *answers, const char *name, const char *value)
{
	if (strcmp(name, "--password-from") == 0)
		return read_password_file(answers, value);
	for (int i = 0; i < QUESTIONS; i++) {
		const struct question *question = &questions[i];
		if (strcmp(name, question->option) != 0)
			continue;
		if (strlen(value) > INIT_ANSWER_MAX)
			return refuse_answer(name, "it is too long");
		const char *wrong = question->check(value);
		if (wrong != NULL)
			return refuse_answer(name, wrong);
		memcpy(place_of_answer(answers, question), value,
		    strlen(value) + 1);
		return true;
	}
	return refuse_answer(
	    name, "init has no such option; see `odmr-agent help init`");
}

static bool
take_init_options(struct init_answers *answers, int argc, char **argv)
{
	for (int i = 0; i < argc; i += 2) {
		if (i + 1 == argc)
			return refuse_answer(argv[i], "its value is missing");
		if (!take_init_option(answers, argv[i], argv[i + 1]))
			return false;
	}
	return true;
}

/*
 * Questions
 */

/* What is found here, and the first of it as the proposal. */
static const char *
propose_delivery(void)
{
	const char *proposal = NULL;
	struct stat st;

	for (int i = 0; i < SERVICES; i++) {
		if (stat(services[i].path, &st) != 0)
			continue;
		printf("%s is on this host: %s\n    %s\n", services[i].name,
		    services[i].deliver, services[i].hint);
		if (proposal == NULL)
			proposal = services[i].deliver;
	}
	return proposal;
}

static bool
ask_question(struct init_answers *answers, const struct question *question)
{
	char *answer = place_of_answer(answers, question),
	     line[INIT_ANSWER_MAX + 1];
	const char *proposal =
	    question->check == check_deliver_answer ? propose_delivery() : NULL;

	for (;;) {
		printf("%s%s%s%s: ", question->text, proposal ? " [" : "",
		    proposal ? proposal : "", proposal ? "]" : "");
		fflush(stdout);
		if (!read_answer(stdin, line))
			return refuse_answer("init",
			    "the input ended before the last answer; nothing was written");
		if (line[0] == '\0' && proposal != NULL)
			snprintf(line, sizeof line, "%s", proposal);
		const char *wrong = question->check(line);
		if (wrong == NULL)
			break;
		printf("    Please answer again: %s.\n", wrong);
	}
	memcpy(answer, line, sizeof line);
	return true;
}

/* Without echo; ECHONL shows that the line is over. */
static bool
ask_init_password(struct init_answers *answers)
{
	char line[INIT_ANSWER_MAX + 1] = "";
	struct termios before, quiet;
	bool read = true;

	if (tcgetattr(STDIN_FILENO, &before) != 0)
		return refuse_answer("password",
		    "this terminal cannot hide it; use --password-from");
	quiet = before;
	quiet.c_lflag = (quiet.c_lflag & ~(tcflag_t)ECHO) | ECHONL;
	while (read && line[0] == '\0') {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
		printf("Password (it is not shown): ");
		fflush(stdout);
		read = read_answer(stdin, line);
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	}
	read =
	    read
		? keep_password(answers, line)
		: refuse_answer("init",
		      "the input ended before the last answer; nothing was written");
	explicit_bzero(line, sizeof line);
	return read;
}

bool
init_answers_get(struct init_answers *answers, int argc, char **argv)
{
	bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);

	*answers = (struct init_answers){.provider = ""};
	/* An interrupt ends the answers, and leaves no terminal without echo. */
	if (terminal)
		stop_install();
	if (!take_init_options(answers, argc, argv))
		return false;
	for (int i = 0; i < QUESTIONS; i++) {
		if (place_of_answer(answers, &questions[i])[0] != '\0')
			continue;
		if (!terminal)
			return refuse_answer(questions[i].option,
			    "without a terminal this option is needed");
		if (!ask_question(answers, &questions[i]))
			return false;
	}
	if (answers->password.len > 0)
		return true;
	if (!terminal)
		return refuse_answer("--password-from",
		    "without a terminal this option is needed: a file, or -"
		    " for standard input");
	return ask_init_password(answers);
}

void
init_answers_clear(struct init_answers *answers)
{
	secret_clear(&answers->password);
}
