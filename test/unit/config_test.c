/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/config.h"
#include "config/config_loader.h"

/* In place of the system's; NULL: there is none. */
static const char *our_name = "host.example";

int
gethostname(char *name, size_t len)
{
	if (our_name == NULL)
		return -1;
	snprintf(name, len, "%s", our_name);
	return 0;
}

static struct config *
load_text(const char *text, size_t len)
{
	int fd = memfd_create("config", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	struct config *config = config_read(fd, "f");
	close(fd);
	return config;
}

/* All messages, one a line. */
static char *
messages_of(const struct config *config)
{
	char *all = xstrdup(""), line[2048];

	for (size_t i = 0; i < config->messages_count; i++) {
		config_message_format(
		    config->path, &config->messages[i], line, sizeof line);
		char *more = xasprintf("%s%s\n", all, line);
		free(all);
		all = more;
	}
	return all;
}

static void
assert_messages(const char *name, const char *text, const char *expected)
{
	struct config *config = load_text(text, strlen(text));
	char *messages = messages_of(config);

	if (strcmp(messages, expected) != 0)
		fail_msg("%s: got\n%sand not\n%s", name, messages, expected);
	free(messages);
	config_free(config);
}

/* What stands around the keys of one account in line 4. */
#define TOP                                                                    \
	"hostname: a.example\n"                                                \
	"deliveries: {x: {lmtp: /run/x}}\n"                                    \
	"accounts:\n"
#define REST       "user: office, password: p, domains: a.example"
#define ACCOUNT(s) TOP " o: {provider: h.example, " REST ", " s "}\n"
/* An account of nothing but these. */
#define ONLY(s) TOP " o: {" s "}\n"
#define LOCAL(s)                                                               \
	"hostname: a.example\n"                                                \
	"accounts: {o: {provider: h.example, " REST "}}\n"                     \
	"deliveries:\n"                                                        \
	" x: {" s "}\n"

/* What a key is chosen from, as many as a message has room for. */
#define ACCOUNT_KEYS                                                           \
	"; choose from: provider, tls, tls_ca_file, tls_pins,"                 \
	" tls_server_name, tls_cert_file, tls_key_file, user, password,"       \
	" password_file, password_command, token_command, auth,"               \
	" auth_downgrade, domains, accept, deliver, every, schedule, jitter,"  \
	" soft_bounce, ..."

struct fault {
	const char *name, *in, *expected;
};

static const struct fault faults[] = {
    {"minimal", ACCOUNT("tls: starttls"), ""},
    {"empty", "", "f: the file is empty\n"},
    {"comments only", "# a\n\n", "f: the file is empty\n"},
    {"no mapping", "- a\n",
	"f:1:1: the top level: this must be a mapping of keys\n"},
    {"nothing set", "hostname: a.b",
	"f:1:1: the configuration: \"accounts\" is missing\n"
	"f:1:1: the configuration: \"deliveries\" is missing\n"},
    {"empty sections", "hostname: a.b\naccounts: {}\ndeliveries: {}\n",
	"f:2:1: accounts: at least one is needed\n"},
    {"all at once",
	"max_sessions: 0\nlog: file\nhostname: a.b\naccounts: 3\n"
	"deliveries: {x: {}}\n",
	"f:1:15: max_sessions: \"0\" is not a number from 1 to 1000\n"
	"f:2:6: log: \"file\" is not one of auto, stderr, syslog\n"
	"f:4:11: accounts: this must be a mapping of names\n"
	"f:5:14: delivery x: \"lmtp\", \"smtp\", \"sendmail\" or \"maildir\""
	" is missing\n"},
    {"second document", ACCOUNT("tls: starttls") "---\na: b\n",
	"f:5:1: a second document begins here (---); a configuration has only"
	" one\n"},
    {"unknown key", ACCOUNT("provder: x"),
	"f:4:74: an account has no key \"provder\"; is \"provider\" meant?\n"},
    {"unknown word", ACCOUNT("zzz: {a: [b]}"),
	"f:4:74: an account has no key \"zzz\"" ACCOUNT_KEYS "\n"},
    {"merge key", ACCOUNT("<<: {}"),
	"f:4:74: an account has no key \"<<\"" ACCOUNT_KEYS "\n"},
    {"key of another table", ACCOUNT("lmtp: x"),
	"f:4:74: \"lmtp\" is a key of a delivery, not of an account\n"},
    {"duplicate key", ACCOUNT("user: v"),
	"f:4:74: user: already set in line 4\n"},
    {"duplicate account",
	ACCOUNT("tls: starttls") " o: {provider: h, " REST "}\n",
	"f:5:2: account o: already there in line 4\n"},
    {"two accounts with one domain",
	ACCOUNT("tls: starttls") " p: {provider: h, user: u, password: p,"
				 " domains: [b.example, A.example]}\n",
	"f:5:2: warning: account p: a.example is a domain of account o too;"
	" each has a ledger of its own, and a message that comes by both may"
	" be delivered twice\n"},
    {"alias", ACCOUNT("tls_ca_file: *x"),
	"f:4:87: aliases are not supported: what accounts share stands in"
	" \"defaults\", and a value that begins with * must be quoted\n"},
    {"anchor", ACCOUNT("drain: &x no"),
	"f:4:81: anchors are not supported: a value that begins with & must"
	" be quoted\n"},
    {"tag", ACCOUNT("drain: !!bool no"),
	"f:4:81: tags are not supported: a value that begins with ! must be"
	" quoted\n"},
    {"no value", ACCOUNT("drain: "),
	"f:4:81: drain: the value is missing (~, null, and what begins with #"
	" must be quoted)\n"},
    {"null", ACCOUNT("drain: ~"),
	"f:4:81: drain: the value is missing (~, null, and what begins with #"
	" must be quoted)\n"},
    {"empty text", ACCOUNT("source_address: ''"),
	"f:4:90: source_address: it is empty\n"},
    {"list for a value", ACCOUNT("drain: [no]"),
	"f:4:81: drain: this must be one value; one that begins with [ must be"
	" quoted, as in \"[2001:db8::1]:366\"\n"},
    {"mapping for a list", ACCOUNT("auth: {a: b}"),
	"f:4:80: auth: this must be one value or a list of them\n"},
    {"list in a list", ACCOUNT("auth: [[a], PLAIN]"),
	"f:4:81: auth: this must be one value; one that begins with [ must be"
	" quoted, as in \"[2001:db8::1]:366\"\n"},
    {"an address without its quotes", ONLY("provider: [::1]:366"),
	"f:4:16: provider: this must be one value; one that begins with [ must"
	" be"
	" quoted, as in \"[2001:db8::1]:366\"\n"},
    {"an address and port without quotes",
	TOP " o:\n  provider: [2001:db8::1]:366\n  drain: 3\n",
	"f:5:13: provider: this must be one value; one that begins with [ must"
	" be"
	" quoted, as in \"[2001:db8::1]:366\"\n"},
    {"a delivery's address without its quotes",
	"deliveries:\n x:\n  smtp: [::1]:25\n",
	"f:3:9: smtp: this must be one value; one that begins with [ must be"
	" quoted, as in \"[2001:db8::1]:366\"\n"},
    {"an address alone without its quotes",
	TOP " o:\n  provider: [::1]\n  drain: no\n",
	"f:5:13: provider: this must be one value; one that begins with [ must"
	" be"
	" quoted, as in \"[2001:db8::1]:366\"\n"},
    {"an address with its quotes", ONLY("provider: '[::1]:366', " REST), ""},
    {"a password with a # in it",
	TOP " o:\n  provider: h\n  user: u\n  password: a b \t#c\n"
	    "  domains: a.example # not c.example\n",
	"f:7:13: warning: password: it ends before \" #\", where YAML"
	" begins a comment; if the rest belongs to it, quote it all\n"},
    {"a password in a flow",
	TOP
	" o: {provider: h, user: u, alarm_command: \xc3\xa4, password: a #b\n"
	"  , domains: a.example}\n",
	"f:4:56: warning: password: it ends before \" #\", where YAML"
	" begins a comment; if the rest belongs to it, quote it all\n"},
    {"a password with a comment below it",
	TOP " o:\n  provider: h # i\n  user: u # v\n  password: a#b\n  # c\n"
	    "  domains: a.example\n",
	""},
    {"a quoted password",
	TOP " o:\n  provider: h\n  user: u\n  password: 'a #b' # c\n"
	    "  domains: a.example\n",
	""},
    {"a password that begins with a #",
	TOP " o:\n  provider: h\n  user: u\n  password: #b\n"
	    "  domains: a.example\n",
	"f:7:12: password: the value is missing (~, null, and what begins with"
	" # must be quoted)\n"},
    {"empty list", ACCOUNT("auth: []"), "f:4:81: auth: the list is empty\n"},
    {"complex key", ACCOUNT("? [a, b] : c"),
	"f:4:76: an account: this must be a mapping of plain keys\n"},
    {"line break", ACCOUNT("source_address: \"a\\nb\""),
	"f:4:90: source_address: control characters and line breaks are not"
	" allowed\n"},
    {"NUL", ACCOUNT("source_address: \"a\\0b\""),
	"f:4:90: source_address: control characters and line breaks are not"
	" allowed\n"},

    {"choice", ACCOUNT("tls: ssl"),
	"f:4:79: tls: \"ssl\" is not one of starttls, implicit, off\n"},
    {"bool", ACCOUNT("drain: maybe"),
	"f:4:81: drain: \"maybe\" is not yes or no\n"},
    {"duration without unit", ACCOUNT("every: 5"),
	"f:4:81: every: \"5\" is not a duration like 45s, 10m, 2h, 1d or"
	" 1h30m\n"},
    {"duration too long", ACCOUNT("every: 7d1s"),
	"f:4:81: every: \"7d1s\" is not a duration from 1s to 7d\n"},
    {"duration too short", ACCOUNT("every: 0s"),
	"f:4:81: every: \"0s\" is not a duration from 1s to 7d\n"},
    {"duration beyond 64 bits", ACCOUNT("every: 99999999999999999999d"),
	"f:4:81: every: \"99999999999999999999d\" is not a duration like 45s,"
	" 10m, 2h, 1d or 1h30m\n"},
    {"often", ACCOUNT("every: 59s"),
	"f:4:74: warning: every: providers dislike calls more often than once"
	" a minute\n"},
    {"size", "max_message_size: 10X\n" ACCOUNT("tls: starttls"),
	"f:1:19: max_message_size: \"10X\" is not a size like 500K or 100M\n"},
    {"size too large", "max_message_size: 1025G\n" ACCOUNT("tls: starttls"),
	"f:1:19: max_message_size: \"1025G\" is not a size of at most 1024G\n"},
    {"relative path", ACCOUNT("tls_ca_file: a/b"),
	"f:4:87: tls_ca_file: \"a/b\" is not an absolute path, one that begins"
	" with \"/\"\n"},
    {"no such file", ACCOUNT("tls_ca_file: /nonexistent"),
	"f:4:74: tls_ca_file: \"/nonexistent\" cannot be read: No such file"
	" or directory; correct the path, or put the file there\n"},

    {"nothing of an account", ONLY(""),
	"f:4:2: account o: \"provider\" is missing\n"
	"f:4:2: account o: \"domains\" is missing\n"
	"f:4:2: account o: \"user\" is missing\n"
	"f:4:2: account o: \"password_file\", \"password_command\" or"
	" \"password\" is missing\n"},
    {"two passwords", ACCOUNT("password_command: a"),
	"f:4:74: password_command: \"password\" is set as well; remove one of"
	" them\n"},
    {"a slip in domains is one fault",
	ONLY("provider: h, user: u, password: p, domains: [a_b.c]"),
	"f:4:51: domains: \"a_b.c\" is not a domain like example.org\n"},
    {"a slip beside any is one fault",
	ONLY("provider: h, user: u, password: p, domains: [any, x]"),
	"f:4:56: domains: \"x\" is not a domain like example.org\n"},
    {"an empty list of domains is one fault",
	ONLY("provider: h, user: u, password: p, domains: []"),
	"f:4:51: domains: the list is empty\n"},
    {"a slip in the domains of defaults is one fault",
	"hostname: a.example\n"
	"deliveries: {x: {lmtp: /run/x}}\n"
	"defaults: {domains: x}\n"
	"accounts:\n"
	" o: {provider: h, user: u, password: p}\n"
	" p: {provider: h, user: v, password: p}\n",
	"f:3:21: domains: \"x\" is not a domain like example.org\n"},
    {"a slip in accept is one fault",
	ONLY("provider: h, user: u, password: p, domains: [a.b, c.d],"
	     " accept: [a.b, c_d.e]"),
	"f:4:76: accept: \"c_d.e\" is not a domain like example.org\n"},
    {"a slip in hostname is one fault",
	"hostname: a b\ndeliveries: {x: {lmtp: /run/x}}\n"
	"accounts: {o: {provider: h.example, " REST "}}\n",
	"f:1:11: hostname: \"a b\" is not a name like mail.example.org\n"},
    {"a name that every host has",
	"hostname: localhost.localdomain\ndeliveries: {x: {lmtp: /run/x}}\n"
	"accounts: {o: {provider: h.example, " REST "}}\n",
	"f:1:1: warning: hostname: \"localhost.localdomain\" is a name that"
	" every host has, so that the agent says its address instead; set"
	" \"hostname\" to the full name of this host\n"},
    {"any", ONLY("provider: h, user: u, password: p, domains: any"),
	"f:4:41: domains: with \"any\" the account needs \"accept\", a list of"
	" the domains whose mail may come\n"},
    {"any and more",
	ONLY("provider: h, user: u, password: p, domains: [any, a.b]"),
	"f:4:50: domains: \"any\" cannot be in a list with others\n"},
    {"accept any", ACCOUNT("accept: any"),
	"f:4:82: accept: \"any\" is not a domain like example.org\n"},
    {"accept too little", ACCOUNT("accept: b.example"),
	"f:4:74: warning: accept: a.example is in \"domains\" and not here, so"
	" that its mail would be refused; add it\n"},
    {"U-label",
	ACCOUNT("accept: [a.example, B\xc3\xbc"
		"cher.example]"),
	"f:4:74: warning: accept: b\xc3\xbc"
	"cher.example is named without its"
	" form in ASCII (xn--...), which most mail has: add it\n"},
    {"A-label", ACCOUNT("accept: [a.example, xn--bcher-kva.example]"),
	"f:4:74: warning: accept: xn--bcher-kva.example is also written"
	" b\xc3\xbc"
	"cher.example in mail (SMTPUTF8), which would be refused: add"
	" it in that form\n"},
    {"both labels",
	ACCOUNT("accept: [a.example, xn--bcher-kva.example,"
		" b\xc3\xbc"
		"cher.example]"),
	""},
    {"an A-label that is no punycode", ACCOUNT("accept: [a.example, xn--1.b]"),
	""},
    {"U-label with a wide dot",
	ACCOUNT("accept: [a.example, b\xef\xbc\x8e"
		"c.d]"),
	"f:4:94: accept: \"b\\xef\\xbc\\x8ec.d\" is not a domain in UTF-8 with"
	" characters that an address may have\n"},
    {"one label", ACCOUNT("accept: [a.example, b]"),
	"f:4:94: accept: \"b\" is not a domain like example.org\n"},
    {"pin", ACCOUNT("tls_pins: sha256//abc"),
	"f:4:84: tls_pins: \"sha256//abc\" is not sha256// and 44 characters"
	" of base64, as \"check --connect\" prints it\n"},
    {"key without certificate", ACCOUNT("tls_key_file: /dev/null"),
	"f:4:74: tls_key_file: \"tls_cert_file\" is needed as well (it may be"
	" the same file)\n"},
    {"no TLS", ACCOUNT("tls: off, auth: [PLAIN, LOGIN]"),
	"f:4:84: auth: without TLS none of these mechanisms is safe, so that"
	" no login is possible; turn on \"tls\", or allow SCRAM or CRAM-MD5\n"},
    {"no TLS, token alone",
	ONLY("provider: h, user: u, domains: a.example, tls: off,"
	     " token_command: t"),
	"f:4:58: token_command: without TLS none of these mechanisms is safe,"
	" so that no login is possible; turn on \"tls\", or allow SCRAM or"
	" CRAM-MD5\n"},
    {"token in place of a password",
	ONLY("provider: h, user: u, domains: a.example, token_command: t"), ""},
    {"token beside a password",
	ACCOUNT("token_command: t, auth: [SCRAM-SHA-256, xoauth2]"), ""},
    {"token and a mechanism that needs a password",
	ONLY("provider: h, user: u, domains: a.example, token_command: t,"
	     " auth: [OAUTHBEARER, PLAIN]"),
	"f:4:2: account o: \"password_file\", \"password_command\" or"
	" \"password\" is missing\n"},
    {"no token", ACCOUNT("auth: [OAUTHBEARER, SCRAM-SHA-256]"),
	"f:4:74: auth: OAUTHBEARER and XOAUTH2 need \"token_command\"\n"},
    {"token for nothing", ACCOUNT("token_command: t, auth: PLAIN"),
	"f:4:74: warning: token_command: without effect, since \"auth\" names"
	" neither OAUTHBEARER nor XOAUTH2\n"},
    {"user for SCRAM",
	ONLY("provider: h, user: \xc3\xa4, password: p, domains: a.example,"
	     " auth: [SCRAM-SHA-256-PLUS, SCRAM-SHA-1]"),
	"f:4:19: user: SCRAM accepts printable ASCII only, and \"auth\" names"
	" no mechanism that accepts more\n"},
    {"password for SCRAM",
	ONLY("provider: h, user: u, password: \xc3\xa4, domains: a.example,"
	     " auth: SCRAM-SHA-1"),
	"f:4:28: password: SCRAM accepts printable ASCII only, and \"auth\""
	" names no mechanism that accepts more\n"},
    {"password for more than SCRAM",
	ONLY("provider: h, user: u, password: \xc3\xa4, domains: a.example,"
	     " auth: [SCRAM-SHA-1, PLAIN]"),
	"f:4:28: warning: password: SCRAM accepts printable ASCII only, so"
	" that a"
	" weaker mechanism will be used\n"},
    {"user for all",
	ONLY("provider: h, user: \xc3\xa4, password: p, domains: a.example"),
	"f:4:19: warning: user: SCRAM accepts printable ASCII only, so that a"
	" weaker mechanism will be used\n"},
    {"password for what is no SCRAM",
	ONLY("provider: h, user: u, password: \xc3\xa4, domains: a.example,"
	     " auth: PLAIN"),
	""},
    {"downgrade", ACCOUNT("auth_downgrade: ignore"),
	"f:4:90: auth_downgrade: \"ignore\" is not one of warn, refuse\n"},
    {"no TLS, CRAM-MD5 too", ACCOUNT("tls: off, auth: [PLAIN, CRAM-MD5]"), ""},
    {"pins without TLS", ACCOUNT("tls: off, tls_server_name: a.b"),
	"f:4:84: warning: tls_server_name: without effect, since \"tls\" is"
	" off\n"},
    {"EXTERNAL alone",
	ONLY("provider: h, domains: a.example, auth: external,"
	     " tls_cert_file: /dev/null, tls_key_file: /dev/null"),
	""},
    {"EXTERNAL without certificate",
	ONLY("provider: h, domains: a.example, auth: EXTERNAL"),
	"f:4:39: auth: only EXTERNAL is listed, which needs"
	" \"tls_cert_file\"\n"},
    {"unknown delivery", ACCOUNT("deliver: z"),
	"f:4:74: deliver: there is no delivery \"z\"; choose from: x\n"},
    {"proxy shows no password", ACCOUNT("proxy: ftp://u:secret@h:1"),
	"f:4:81: proxy: it must be socks5h://HOST:PORT, socks5://HOST:PORT or"
	" http://HOST:PORT, with USER:PASSWORD@ before HOST where the proxy"
	" wants that\n"},
    {"proxy with an @ in its password",
	ACCOUNT("proxy: 'http://u:se@cret@h:1'"),
	"f:4:81: proxy: in user and password these must be percent-encoded: %"
	" as %25, @ as %40, / as %2F, : as %3A, # as %23, ? as %3F, \\ as %5C"
	" and a blank as %20\n"},
    {"proxy with a / in its password", ACCOUNT("proxy: 'http://u:se/cret@h:1'"),
	"f:4:81: proxy: in user and password these must be percent-encoded: %"
	" as %25, @ as %40, / as %2F, : as %3A, # as %23, ? as %3F, \\ as %5C"
	" and a blank as %20\n"},
    {"proxy as it must be", ACCOUNT("proxy: 'http://u:se%40cr%2Fet@h:1/'"), ""},
    {"ping_url with a / in its password",
	ACCOUNT("ping_url: 'https://u:se/cret@h/x'"),
	"f:4:84: ping_url: in user and password these must be percent-encoded:"
	" % as %25, @ as %40, / as %2F, : as %3A, # as %23, ? as %3F, \\ as"
	" %5C and a blank as %20\n"},
    {"ping_url with an @ in its password",
	ACCOUNT("ping_url: 'https://u:se@cret@h/x'"),
	"f:4:84: ping_url: in user and password these must be percent-encoded:"
	" % as %25, @ as %40, / as %2F, : as %3A, # as %23, ? as %3F, \\ as"
	" %5C and a blank as %20\n"},
    {"ping_url with an @ in its path",
	ACCOUNT("ping_url: 'https://u:p%40@[::1]:80/@a:b@'"), ""},
    {"ping_url that is none", ACCOUNT("ping_url: 'ftp://u:secret@h/'"),
	"f:4:84: ping_url: it must be an http:// or https:// URL\n"},
    {"account name", TOP " ../o: {}\n",
	"f:4:2: accounts: \"../o\" is no name; it has letters, digits, \"-\","
	" \"_\" and \".\", 200 at most, and begins with none of \"-\" and"
	" \".\"\n"},
    {"every and schedule", ACCOUNT("every: 5m, schedule: {every: 5m}"),
	"f:4:85: schedule: \"every\" is set as well; remove one of them\n"},
    {"window of nothing", ACCOUNT("schedule: [{days: mon}]"),
	"f:4:85: schedule: a window needs \"every\" or \"at\"\n"},
    {"no window", ACCOUNT("schedule: [5m]"),
	"f:4:85: a window of the schedule: this must be a mapping of keys\n"},
    {"days", ACCOUNT("schedule: {every: 5m, days: mon-fry}"),
	"f:4:102: days: \"mon-fry\" is neither a day (mon, tue, wed, thu, fri,"
	" sat, sun) nor a span of days like mon-fri\n"},
    {"hours", ACCOUNT("schedule: {every: 5m, hours: 8-18}"),
	"f:4:103: hours: \"8-18\" is not two different times like 08:00-18:00"
	" or 22:00-06:00\n"},
    {"no hours", ACCOUNT("schedule: {every: 5m, hours: 08:00-08:00}"),
	"f:4:103: hours: \"08:00-08:00\" is not two different times like"
	" 08:00-18:00 or 22:00-06:00\n"},
    {"at no time", ACCOUNT("schedule: {at: [\"24:00\", 23:59]}"),
	"f:4:90: at: \"24:00\" is not a time from 00:00 to 23:59\n"},
    {"at outside", ACCOUNT("schedule: {hours: 22:00-06:00, at: 12:00}"),
	"f:4:105: at: 12:00 is outside the window's hours\n"},

    {"two kinds", LOCAL("lmtp: /a, smtp: b"),
	"f:4:16: smtp: \"lmtp\" is set as well; a delivery has only one of"
	" them\n"},
    {"key of another kind", LOCAL("lmtp: /a, create: yes"),
	"f:4:16: create: a delivery of the kind \"lmtp\" has no such key\n"},
    {"lmtp without port", LOCAL("lmtp: localhost"),
	"f:4:12: lmtp: \"localhost\" is not complete: the port is missing, as"
	" in 127.0.0.1:24\n"},
    {"sendmail, arguments in the path", LOCAL("sendmail: /bin/true -x"),
	"f:4:6: sendmail: \"/bin/true -x\" cannot be run: No such file or"
	" directory; correct the path, or put the file there\n"
	"f:4:16: sendmail: arguments are written as a list: [PATH,"
	" ARGUMENT]\n"},
    {"sendmail without path", LOCAL("sendmail: sendmail"),
	"f:4:16: sendmail: the program needs an absolute path, one that begins"
	" with \"/\"\n"},
    {"maildir, placeholder", LOCAL("maildir: \"/home/{usr}/m\""),
	"f:4:15: maildir: \"/home/{usr}/m\" is not a path whose placeholders"
	" are {user} and {domain}, without \"..\"\n"},
    {"maildir, upwards", LOCAL("maildir: \"/home/{user}/..\""),
	"f:4:15: maildir: \"/home/{user}/..\" is not a path whose placeholders"
	" are {user} and {domain}, without \"..\"\n"},
    {"two deliveries, no routes", LOCAL("lmtp: /a") " y: {lmtp: /b}\n",
	"f:2:12: account o: there are several deliveries; name one with"
	" \"deliver\", or write \"routes\" at the top level\n"
	"f:4:2: warning: delivery x: no route and no account delivers to it\n"
	"f:5:2: warning: delivery y: no route and no account delivers to"
	" it\n"},
    {"same delivery twice",
	LOCAL("lmtp: /a") " x: {lmtp: /b}\n"
			  "routes: {deliver: x}\n",
	"f:5:2: delivery x: already there in line 4\n"
	"f:5:2: warning: delivery x: no route and no account delivers to"
	" it\n"},
    {"routes", LOCAL("lmtp: /a") "routes: [{deliver: y}, {recipients: a}]\n",
	"f:4:2: warning: delivery x: no route and no account delivers to it\n"
	"f:5:10: warning: routes: the routes after this one are never used,"
	" because it matches every recipient\n"
	"f:5:11: deliver: there is no delivery \"y\"; choose from: x\n"
	"f:5:24: a route: \"deliver\" is missing\n"},
    {"short hostname", "hostname: mail\n" LOCAL("lmtp: /a"),
	"f:1:1: warning: hostname: \"mail\" has no dot, so that the agent says"
	" its address instead; set \"hostname\" to the full name of this host\n"
	"f:2:1: hostname: already set in line 1\n"},

    {"tab", "accounts:\n\toffice: {}\n",
	"f:2:1: nothing can begin with this character: a tab cannot indent,"
	" and a value that begins with @, ` or % must be quoted\n"},
    {"open quote", "hostname: \"a\n",
	"f:2:1: found unexpected end of stream, while scanning a quoted scalar"
	" that began in line 1; a quotation mark is not closed\n"},
    {"no UTF-8", "hostname: \xff\n",
	"f:1:1: this is no text in UTF-8: invalid leading UTF-8 octet (octet"
	" 11 of the"
	" file)\n"},
    {"control character", "hostname: \x01\n",
	"f:1:1: this is no text in UTF-8: control characters are not allowed"
	" (octet 11 of"
	" the file)\n"},
};

static void
test_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		assert_messages(
		    faults[i].name, faults[i].in, faults[i].expected);
}

static const struct config_account *
only_account(const struct config *config)
{
	assert_int_equal(config->faults, 0);
	assert_int_equal(config->accounts_count, 1);
	return &config->accounts[0];
}

static void
test_defaults_of_the_table(void **state)
{
	(void)state;
	struct config *config =
	    load_text(ACCOUNT("drain: yes"), strlen(ACCOUNT("drain: yes")));
	const struct config_account *account = only_account(config);

	assert_int_equal(config->max_sessions, 4);
	assert_int_equal(config->max_message_size, 100 << 20);
	assert_int_equal(config->bare_newline, RECEIVER_NORMALIZE);
	assert_int_equal(config->log_level, CONFIG_LOG_INFO);
	assert_string_equal(config->spool_dir, config->state_dir);
	assert_string_equal(account->provider.host, "h.example");
	assert_int_equal(account->provider.port, 366);
	assert_string_equal(account->tls_server_name, "h.example");
	assert_int_equal(account->tls, CONFIG_TLS_STARTTLS);
	assert_int_equal(account->every, 300000);
	assert_int_equal(account->jitter, -1);
	assert_int_equal(account->session_timeout, 7200000);
	assert_int_equal(account->delivery, CONFIG_BY_ROUTES);
	assert_int_equal(account->accept.count, 1);
	assert_string_equal(account->accept.items[0], "a.example");
	assert_true(account->enabled);
	assert_int_equal(config->routes_count, 1);
	assert_int_equal(config->routes[0].delivery, 0);
	assert_int_equal(config->routes[0].recipients.count, 0);
	assert_int_equal(config->deliveries[0].kind, CONFIG_LMTP);
	assert_int_equal(config->deliveries[0].timeout, 240000);
	assert_true(config->deliveries[0].sync);
	config_free(config);
}

static const struct {
	const char *in, *host;
	unsigned port; /* 0: a fault */
} providers[] = {
    {"h", "h", 366},
    {"h.example:25", "h.example", 25},
    {"192.0.2.1", "192.0.2.1", 366},
    {"'[2001:db8::1]'", "2001:db8::1", 366},
    {"'[2001:db8::1]:1'", "2001:db8::1", 1},
    {"h:65535", "h", 65535},
    {"h:0", NULL, 0},
    {"h:65536", NULL, 0},
    {"h:99999999999999999999", NULL, 0},
    {"h:-1", NULL, 0},
    {"'h:'", NULL, 0},
    {"':25'", NULL, 0},
    {"2001:db8::1", NULL, 0},
    {"'[h]'", NULL, 0},
    {"'[::1'", NULL, 0},
    {"'[::1]25'", NULL, 0},
    {"h.example.", NULL, 0},
    {"'h@evil.example'", NULL, 0},
    {"'h/evil'", NULL, 0},
    {"'h?a'", NULL, 0},
    {"'h#a'", NULL, 0},
    {"'h example'", NULL, 0},
    {"h..example", NULL, 0},
    {"'.'", NULL, 0},
    {"1.2", NULL, 0},
    {"0x7f000001", NULL, 0},
    {"300.1.1.1", NULL, 0},
    {"bücher.example", NULL, 0},
};

static void
test_providers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof providers / sizeof *providers; i++) {
		char *text = xasprintf(
		    TOP " o: {provider: %s, " REST "}\n", providers[i].in);
		struct config *config = load_text(text, strlen(text));
		if ((config->faults == 0) != (providers[i].port != 0))
			fail_msg(
			    "%s: %zu faults", providers[i].in, config->faults);
		if (config->faults == 0) {
			assert_string_equal(config->accounts[0].provider.host,
			    providers[i].host);
			assert_int_equal(config->accounts[0].provider.port,
			    providers[i].port);
		}
		config_free(config);
		free(text);
	}
}

struct system_name {
	const char *name; /* of the system */
	const char *hostname; /* towards the local side */
	const char *fault; /* in the warning; NULL: there is none */
};

/* A name that no provider can use gives way to the address literal, and the
 * administrator hears of it. */
static void
test_system_names(void **state)
{
	static const struct system_name names[] = {
	    {"mail.example.org", "mail.example.org", NULL},
	    {"1host.example.org", "1host.example.org", NULL},
	    {"x--y.example", "x--y.example", NULL},
	    {"mail", "mail", "\"mail\" has no dot"},
	    {"localhost", "localhost", "\"localhost\" has no dot"},
	    {NULL, "localhost", "\"localhost\" has no dot"},
	    {"", "localhost", "\"localhost\" has no dot"},
	    {"-x", "localhost", "\"-x\" has no dot"},
	    {"my_host.example.org", "localhost",
		"\"my_host.example.org\" is not the name of a host"},
	    {"mail.example.org.", "localhost",
		"\"mail.example.org.\" is not the name of a host"},
	    {".example.org", "localhost",
		"\".example.org\" is not the name of a host"},
	    {"-x.example.org", "localhost",
		"\"-x.example.org\" is not the name of a host"},
	    {"10.0.0.1", "localhost", "\"10.0.0.1\" is an address"},
	    {"10.0.0", "10.0.0", "\"10.0.0\" is not the name of a host"},
	    {"localhost.localdomain", "localhost.localdomain",
		"\"localhost.localdomain\" is a name that every host has"},
	    {"LocalHost.example.org", "LocalHost.example.org",
		"\"LocalHost.example.org\" is a name that every host has"},
	    {"box.localdomain", "box.localdomain",
		"\"box.localdomain\" is a name that every host has"},
	    {"localhostel.example", "localhostel.example", NULL},
	};
	static const char text[] = "deliveries: {x: {lmtp: /run/x}}\n"
				   "accounts:\n o: {provider: h, " REST "}\n";

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const struct system_name *name = &names[i];
		const char *usual = our_name;

		our_name = name->name;
		struct config *config = load_text(text, sizeof text - 1);
		our_name = usual;
		assert_string_equal(config->hostname, name->hostname);
		assert_int_equal(config->faults, 0);
		assert_int_equal(
		    config->messages_count, name->fault == NULL ? 0 : 1);
		if (name->fault != NULL) {
			assert_string_equal(
			    config->hostname_fault, name->fault);
			assert_non_null(
			    strstr(config->messages[0].text, name->fault));
			assert_non_null(strstr(config->messages[0].text,
			    "the agent says its address instead"));
		}
		config_free(config);
	}
}

static void
assert_domains(const char *list, const char *expected)
{
	char *text = xasprintf(ONLY("provider: h, user: u, password: p,"
				    " domains: %s"),
	    list);
	struct config *config = load_text(text, strlen(text));
	char joined[256] = "";
	size_t used = 0;

	assert_int_equal(config->faults, 0);
	const struct config_texts *domains = &config->accounts[0].domains;
	for (size_t i = 0; i < domains->count; i++)
		used += (size_t)snprintf(joined + used, sizeof joined - used,
		    "%s ", domains->items[i]);
	assert_string_equal(joined, expected);
	assert_null(domains->items[domains->count]);
	config_free(config);
	free(text);
}

static void
test_a_domain_is_asked_for_once(void **state)
{
	(void)state;
	assert_domains("[b.c, a.b, B.C, b.c., A.B., x.y]", "b.c a.b x.y ");
	assert_domains("[a.b, a.b]", "a.b ");
	assert_domains("a.b.", "a.b ");
	assert_domains("[b.a, a.b]", "b.a a.b ");
}

static void
test_what_is_inherited(void **state)
{
	static const char text[] =
	    "hostname: a.example\n"
	    "accounts:\n"
	    "  one: {domains: One.Example, password_command: pass, every: 1h}\n"
	    "  two: {domains: [two.example], user: v, jitter: 0, drain:"
	    " FALSE}\n"
	    "deliveries:\n"
	    "  x: {smtp: h}\n"
	    "  y: {maildir: \"/m/{user}\"}\n"
	    "routes: [{recipients: 'a@*', deliver: y}, {deliver: x}]\n"
	    "defaults:\n"
	    "  {provider: h, user: u, password: secret, deliver: y,\n"
	    "   schedule: [{days: fri-mon, hours: 22:00-06:00, every: 1h30m},\n"
	    "              {at: [17:30, 09:00]}]}\n";

	(void)state;
	struct config *config = load_text(text, sizeof text - 1);
	assert_int_equal(config->faults, 0);
	const struct config_account *one = config_find_account(config, "one");
	const struct config_account *two = config_find_account(config, "two");
	assert_non_null(one);
	assert_non_null(two);
	assert_null(config_find_account(config, "three"));
	assert_string_equal(one->domains.items[0], "one.example");
	assert_string_equal(one->user, "u");
	assert_null(one->password.text);
	assert_int_equal(one->every, 3600000);
	assert_int_equal(one->schedule.count, 0);
	assert_int_equal(one->delivery, 1);
	assert_string_equal(two->user, "v");
	assert_string_equal(two->password.text, "secret");
	assert_int_equal(two->jitter, 0);
	assert_false(two->drain);
	assert_int_equal(two->schedule.count, 2);
	const struct config_window *window = two->schedule.windows;
	assert_int_equal(window[0].days, 0x63);
	assert_int_equal(window[0].hours.from, 22 * 60);
	assert_int_equal(window[0].hours.to, 6 * 60);
	assert_int_equal(window[0].every, 5400000);
	assert_int_equal(window[1].days, 0x7f);
	assert_int_equal(window[1].hours.to, 24 * 60);
	assert_int_equal(window[1].every, 0);
	assert_int_equal(window[1].at.count, 2);
	assert_int_equal(window[1].at.minutes[0], 9 * 60);
	assert_int_equal(window[1].at.minutes[1], 17 * 60 + 30);
	assert_int_equal(config->deliveries[0].address.port, 25);
	assert_int_equal(config->routes[0].delivery, 1);
	config_wipe_secrets(config, two);
	assert_string_equal(two->password.text, "secret");
	config_wipe_secrets(config, NULL);
	assert_string_equal(two->password.text, "");
	config_free(config);
}

/* count times piece between head and tail */
static char *
repeat(const char *head, const char *piece, size_t count, const char *tail)
{
	size_t len = strlen(piece), used = strlen(head);
	char *text = xmalloc(used + count * len + strlen(tail) + 1);

	memcpy(text, head, used);
	for (size_t i = 0; i < count; i++, used += len)
		memcpy(text + used, piece, len);
	memcpy(text + used, tail, strlen(tail) + 1);
	return text;
}

static const struct {
	const char *name, *head, *piece;
	size_t count;
	const char *tail, *expected; /* how the last message begins */
} hostile[] = {
    {"levels of lists", "a: ", "[", 5000, "",
	"f:1:19: nothing in a configuration is nested so deeply"},
    {"levels of mappings", "", "{a: ", 5000, "",
	"f:1:65: nothing in a configuration is nested so deeply"},
    {"levels of block lists", "", "- ", 5000, "a\n",
	"f:1:33: nothing in a configuration is nested so deeply"},
    {"levels of keys", "", "? ", 5000, "a\n",
	"f:1:33: nothing in a configuration is nested so deeply"},
    {"anchors", "a: [", "&a x,", 100000, "]",
	"f:1:500: there is more, which is not shown"},
    {"aliases", "a: &a [x]\nb: [", "*a,", 100000, "]",
	"f:2:296: there is more, which is not shown"},
    {"one line", "hostname: ", "a ", 1000000, "\n",
	"f:1:11: hostname: \"a a a"},
    {"one key", "", "k", 1000000, ": a\n", "f:1:1000001: mapping values"},
    {"much too large", "", "#\n", 2200000, "",
	"f: larger than any configuration (4 MiB)"},
    {"marks", "", ":", 1000000, "\n", "f:1:1000000: mapping values"},
};

static void
test_hostile_files_end_soon(void **state)
{
	char line[2048];

	(void)state;
	for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
		char *text = repeat(hostile[i].head, hostile[i].piece,
		    hostile[i].count, hostile[i].tail);
		clock_t start = clock();
		struct config *config = load_text(text, strlen(text));
		/* Ten times what an instrumented build takes. */
		assert_true(clock() - start < 10 * CLOCKS_PER_SEC);
		assert_true(config->messages_count > 0);
		config_message_format(config->path,
		    &config->messages[config->messages_count - 1], line,
		    sizeof line);
		if (strncmp(line, hostile[i].expected,
			strlen(hostile[i].expected)) != 0)
			fail_msg("%s: %s", hostile[i].name, line);
		assert_true(config->messages_count <= 2 * CONFIG_MESSAGES_MAX);
		config_free(config);
		free(text);
	}
}

static void
test_a_thousand_accounts(void **state)
{
	char *text = xstrdup(TOP), name[16];

	(void)state;
	size_t len = strlen(text);
	text = xreallocarray(text, 1000, 200);
	for (int i = 0; i < 1000; i++)
		len += (size_t)snprintf(
		    text + len, 200, " n%d: {provider: h, " REST "}\n", i);
	struct config *config = load_text(text, len);
	assert_int_equal(config->faults, 0);
	assert_int_equal(config->accounts_count, 1000);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "n%d", i);
		assert_ptr_equal(
		    config_find_account(config, name), &config->accounts[i]);
	}
	config_free(config);
	free(text);
}

static void
test_what_cannot_be_read(void **state)
{
	char line[256];

	(void)state;
	struct config *config = config_load("/nonexistent");
	assert_int_equal(config->faults, 1);
	assert_string_equal(config_message_format(config->path,
				config->messages, line, sizeof line),
	    "/nonexistent: No such file or directory; `odmr-agent init` writes"
	    " one, and -c names another file");
	assert_null(config_find_account(config, "a"));
	config_free(config);
	config = config_load("/");
	assert_string_equal(config_message_format(config->path,
				config->messages, line, sizeof line),
	    "/: Is a directory");
	config_free(config);
}

static void
test_the_file_of_a_password_is_private(void **state)
{
	static const char text[] = ACCOUNT("drain: no");
	char path[] = "/tmp/config_test.XXXXXX";

	(void)state;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
	assert_int_equal(fchmod(fd, 0640), 0);
	struct config *config = config_load(path);
	assert_int_equal(config->faults, 0);
	assert_int_equal(config->messages_count, 1);
	assert_string_equal(config->messages[0].text,
	    "the file contains a password but is readable by group or"
	    " others (chmod 600)");
	config_free(config);
	assert_int_equal(fchmod(fd, 0600), 0);
	config = config_load(path);
	assert_int_equal(config->messages_count, 0);
	config_free(config);
	close(fd);
	unlink(path);
}

/* The one message that a configuration with this folder and file mode has. */
static void
assert_others(const char *folder, mode_t file_mode, mode_t folder_mode,
    const char *expected)
{
	char text[512], path[64];

	snprintf(text, sizeof text,
	    "hostname: a.example\nstate_dir: %s\n"
	    "deliveries: {x: {lmtp: %s/socket},"
	    " y: {maildir: '%s/{user}'}}\nroutes: [{deliver: y,"
	    " recipients: [a@a.example]}, {deliver: x}]\n"
	    "accounts: {o: {provider: h.example, user: u, domains: a.example,"
	    " password_command: /bin/true}}\n",
	    folder_mode == 0750 ? "/nowhere" : folder, folder, folder);
	snprintf(path, sizeof path, "%s/odmr-agent.yaml", folder);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, file_mode), 0);
	assert_int_equal(chmod(folder, folder_mode), 0);
	struct config *config = config_load(path);
	char *messages = messages_of(config);
	assert_int_equal(config->faults, 0);
	if (expected == NULL)
		assert_string_equal(messages, "");
	else if (strstr(messages, expected) == NULL)
		fail_msg("%s", messages);
	free(messages);
	config_free(config);
	close(fd);
	assert_int_equal(unlink(path), 0);
}

/* Commands of the configuration, what is recorded as delivered, and who gets
 * the mail while a server is down. */
static void
test_what_every_user_can_change(void **state)
{
	char folder[] = "/tmp/config_test.XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_others(folder, 0600, 0750, NULL);
	assert_others(folder, 0664, 0750, NULL);
	assert_others(folder, 0602, 0750, "change this file, and so run");
	assert_others(folder, 0600, 0757, "2:1: warning: state_dir: every");
	assert_others(folder, 0600, 01777, "3:18: warning: lmtp: every user");
	assert_others(folder, 0600, 01777, ": warning: maildir: every user");
	assert_int_equal(rmdir(folder), 0);
}

/* Root's "check" looks at a file of the user that the service has. */
static void
test_whose_the_file_is(void **state)
{
	char folder[] = "/tmp/config_test.XXXXXX", path[64], text[256];
	const uid_t service = 12345;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/odmr-agent.yaml", folder);
	snprintf(text, sizeof text, "state_dir: %s\n%s", folder,
	    ACCOUNT("drain: no"));
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchown(fd, service, service), 0);
	for (int known = 0; known < 2; known++) {
		assert_int_equal(chown(folder, known ? service : 0, 0), 0);
		struct config *config = config_load(path);
		char *messages = messages_of(config);
		assert_int_equal(
		    strstr(messages, "belongs to another user") == NULL, known);
		free(messages);
		config_free(config);
	}
	close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

/* systemd makes them 0440, or 0400 with an access list. */
static void
test_a_credential_by_its_path_is_private(void **state)
{
	char folder[] = "/tmp/config_test.XXXXXX", path[64], text[512];
	struct config *config;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/odmr", folder);
	snprintf(text, sizeof text,
	    TOP " o: {provider: h, user: u, domains: a.example,"
		" password_file: %s}\n",
	    path);
	for (int known = 0; known < 2; known++) {
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, "secret", 6), 6);
		assert_int_equal(fchmod(fd, 0440), 0);
		assert_int_equal(
		    known ? setenv("CREDENTIALS_DIRECTORY", folder, 1)
			  : unsetenv("CREDENTIALS_DIRECTORY"),
		    0);
		config = load_text(text, strlen(text));
		assert_int_equal(config->messages_count, known ? 0 : 1);
		config_free(config);
		assert_int_equal(fchmod(fd, 0444), 0);
		config = load_text(text, strlen(text));
		assert_int_equal(config->messages_count, 1);
		config_free(config);
		close(fd);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	assert_int_equal(rmdir(folder), 0);
}

static const struct {
	const char *content, *secret; /* NULL: a failure */
} password_files[] = {
    {"secret", "secret"},
    {"secret\nmore\n", "secret"},
    {" with blanks \r\n", " with blanks "},
    {"s\xc3\xa9"
     "cret\n",
	"s\xc3\xa9"
	"cret"},
    {"", NULL},
    {"\nsecret\n", NULL},
    {"\xef\xbb\xbfsecret\r\n", "secret"},
    {"\xef\xbb\xbf\n", NULL},
    {"\xff\xfes\r", NULL},
    {"\xfe\xff\r\n", NULL},
};

static void
test_password_files(void **state)
{
	struct deadline deadline = deadline_in(10000, 0);
	struct secret secret = {NULL, 0};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof password_files / sizeof *password_files;
	     i++) {
		char path[] = "/tmp/config_test.XXXXXX";
		struct config_account account = {.password_file = path};
		const char *content = password_files[i].content;
		int fd = mkstemp(path);
		assert_true(fd >= 0);
		assert_int_equal(
		    write(fd, content, strlen(content)), strlen(content));
		bool good =
		    config_read_secret(&account, &secret, &deadline, &err);
		assert_int_equal(good, password_files[i].secret != NULL);
		if (good)
			assert_string_equal(
			    secret.text, password_files[i].secret);
		else
			assert_int_equal(err.class, ERROR_SECRET);
		close(fd);
		unlink(path);
	}
	secret_clear(&secret);
}

static void
test_credentials_of_the_service_manager(void **state)
{
	struct config_account account = {.password_file = "odmr"};
	struct deadline deadline = deadline_in(10000, 0);
	char folder[] = "/tmp/config_test.XXXXXX", path[64];
	struct secret secret = {NULL, 0};
	struct error err = {0};

	(void)state;
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	assert_false(config_read_secret(&account, &secret, &deadline, &err));
	assert_non_null(strstr(err.text, "CREDENTIALS_DIRECTORY"));
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/odmr", folder);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs("secret\n", file);
	fclose(file);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
	assert_true(config_read_secret(&account, &secret, &deadline, &err));
	assert_string_equal(secret.text, "secret");
	secret_clear(&secret);
	unlink(path);
	rmdir(folder);
	unsetenv("CREDENTIALS_DIRECTORY");
}

static const struct {
	const char *command, *secret, *error; /* error: a part of it */
} commands[] = {
    {"echo secret; echo more", "secret", NULL},
    {"printf secret", "secret", NULL},
    {"exit 3", NULL, "status 3"},
    {"echo secret; echo 'it is locked' >&2; exit 1", NULL, "it is locked"},
    {"true", NULL, "the first line is empty"},
    {"kill -9 $$", NULL, "password_command"},
};

static void
test_password_commands(void **state)
{
	struct deadline deadline = deadline_in(20000, 0);
	struct secret secret = {NULL, 0};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		struct config_account account = {
		    .password_command = commands[i].command};
		bool good =
		    config_read_secret(&account, &secret, &deadline, &err);
		assert_int_equal(good, commands[i].secret != NULL);
		if (good) {
			assert_string_equal(secret.text, commands[i].secret);
			continue;
		}
		assert_int_equal(err.class, ERROR_SECRET);
		if (strstr(err.text, commands[i].error) == NULL)
			fail_msg("%s: %s", commands[i].command, err.text);
		assert_null(strstr(err.text, "secret"));
	}
	secret_clear(&secret);
}

static const struct {
	const char *command, *token, *error; /* error: a part of it */
} token_commands[] = {
    {"echo ya29.a0-_~+/=; echo more", "ya29.a0-_~+/=", NULL},
    {"echo Please log in", NULL, "token_command: the first line is no token"},
    {"printf 'a\\303\\244b'", NULL, "no token"},
    {"exit 4", NULL, "token_command: the command exited with status 4"},
    {"echo", NULL, "token_command: the first line is empty"},
};

static void
test_token_commands(void **state)
{
	struct deadline deadline = deadline_in(20000, 0);
	struct config_account account = {.password_file = "/nowhere"};
	struct secret token = {NULL, 0};
	struct error err = {0};

	(void)state;
	assert_true(config_read_token(&account, &token, &deadline, &err));
	assert_int_equal(token.len, 0);
	for (size_t i = 0; i < sizeof token_commands / sizeof *token_commands;
	     i++) {
		account.token_command = token_commands[i].command;
		bool good =
		    config_read_token(&account, &token, &deadline, &err);
		assert_int_equal(good, token_commands[i].token != NULL);
		if (good) {
			assert_string_equal(
			    token.text, token_commands[i].token);
			continue;
		}
		assert_int_equal(err.class, ERROR_SECRET);
		if (strstr(err.text, token_commands[i].error) == NULL)
			fail_msg("%s: %s", account.token_command, err.text);
		assert_null(strstr(err.text, "Please"));
	}
	secret_clear(&token);
}

static void
test_fingerprints(void **state)
{
	/* The first two are the same account, written differently. */
	static const char *const texts[] = {ACCOUNT("every: 5m"),
	    ACCOUNT("drain: yes"), ACCOUNT("drain: no"),
	    ACCOUNT("accept: [a.example, b.example]"),
	    ACCOUNT("accept: [a.example, c.example]"),
	    ACCOUNT("schedule: {every: 5m}"), ACCOUNT("schedule: {at: 09:00}"),
	    ACCOUNT("proxy: 'http://h:1'")};
	char prints[9][CONFIG_FINGERPRINT_SIZE], other[CONFIG_FINGERPRINT_SIZE];
	struct secret secret = {NULL, 0};

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		struct config *config = load_text(texts[i], strlen(texts[i]));
		const struct config_account *account = only_account(config);
		config_fingerprint(
		    config, account, &secret, "key", 3, prints[i]);
		assert_int_equal(strlen(prints[i]), 64);
		if (i == 0) {
			config_fingerprint(
			    config, account, &secret, "yek", 3, other);
			assert_string_not_equal(prints[0], other);
			secret_set(&secret, "new", 3);
			config_fingerprint(
			    config, account, &secret, "key", 3, prints[8]);
			secret_clear(&secret);
		}
		config_free(config);
	}
	assert_string_equal(prints[0], prints[1]);
	for (size_t i = 1; i < 9; i++)
		for (size_t j = i + 1; j < 9; j++)
			assert_string_not_equal(prints[i], prints[j]);
}

/* Of the top level, whatever a provider hears or sees of us; not what it is
 * none of. */
static void
test_fingerprints_see_what_the_provider_does(void **state)
{
	static const struct {
		const char *line;
		bool seen;
	} lines[] = {
	    {"hostname: mail.a.example\n", true},
	    {"hostname: other.a.example\n", true},
	    {"max_message_size: 1M\n", true},
	    {"bare_newline: reject\n", true},
	    {"log_level: debug\n", false},
	    {"max_sessions: 7\n", false},
	    {"metrics_file: /run/m.prom\n", false},
	};
	enum { LINES = sizeof lines / sizeof *lines };
	char prints[LINES + 1][CONFIG_FINGERPRINT_SIZE];
	const struct secret none = {.text = NULL};

	(void)state;
	for (size_t i = 0; i <= LINES; i++) {
		char *text = xasprintf(
		    "%saccounts: {o: {provider: h.example, " REST "}}\n"
		    "deliveries: {x: {lmtp: /run/x}}\n",
		    i < LINES ? lines[i].line : "");
		struct config *config = load_text(text, strlen(text));
		config_fingerprint(
		    config, only_account(config), &none, "key", 3, prints[i]);
		config_free(config);
		free(text);
	}
	for (size_t i = 0; i < LINES; i++)
		for (size_t j = i + 1; j <= LINES; j++)
			assert_int_equal(strcmp(prints[i], prints[j]) != 0,
			    lines[i].seen || (j < LINES && lines[j].seen));
}

/* A hold for a refused certificate ends when a new one is put in its place. */
static void
test_fingerprints_see_a_new_certificate(void **state)
{
	char path[] = "/tmp/odmr-config-test-XXXXXX";
	struct config_account account = {.name = "o", .tls_cert_file = path};
	const struct secret none = {.text = NULL};
	const struct config config = {.accounts = &account};
	char prints[4][CONFIG_FINGERPRINT_SIZE];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	config_fingerprint(&config, &account, &none, "key", 3, prints[0]);
	config_fingerprint(&config, &account, &none, "key", 3, prints[1]);
	assert_int_equal(write(fd, "new", 3), 3);
	config_fingerprint(&config, &account, &none, "key", 3, prints[2]);
	close(fd);
	unlink(path);
	config_fingerprint(&config, &account, &none, "key", 3, prints[3]);
	assert_string_equal(prints[0], prints[1]);
	assert_string_not_equal(prints[1], prints[2]);
	assert_string_not_equal(prints[2], prints[3]);
}

/* The example with its keys in force: "#key" becomes "key". */
static char *
read_example(bool in_force)
{
	FILE *file = fopen("odmr-agent.yaml.example", "r");
	char line[256], *all = xstrdup("\n");

	assert_non_null(file);
	while (fgets(line, sizeof line, file) != NULL) {
		char *mark = line + strspn(line, " ");
		if (in_force && mark[0] == '#' && !isspace(mark[1]))
			memmove(mark, mark + 1, strlen(mark));
		char *more = xasprintf("%s%s", all, line);
		free(all);
		all = more;
	}
	fclose(file);
	return all;
}

/* "key: value", as it stands on a line of its own or within one. */
static bool
has_key(const char *text, const struct config_key *key)
{
	char *wanted =
	    xasprintf("%s:%s%s", key->name, key->value != NULL ? " " : "",
		key->value != NULL ? key->value : "");
	size_t len = strlen(wanted);
	bool found = false;

	for (const char *at = text; (at = strstr(at, wanted)) != NULL; at++)
		if ((isspace(at[-1]) || at[-1] == '{') &&
		    strchr(key->value != NULL ? "\n" : " \n", at[len]) != NULL)
			found = true;
	free(wanted);
	return found;
}

static void
test_the_example_has_every_key_and_its_default(void **state)
{
	const struct config_table *const tables[] = {&config_top_table,
	    &config_account_table, &config_delivery_table, &config_route_table,
	    &config_window_table};
	char *text = read_example(true);

	(void)state;
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		for (size_t j = 0; j < tables[i]->count; j++)
			if (!has_key(text, &tables[i]->keys[j]))
				fail_msg("%s: not in the example as it is",
				    tables[i]->keys[j].name);
	free(text);
}

static void
test_the_example_loads(void **state)
{
	(void)state;
	for (int in_force = 0; in_force < 2; in_force++) {
		char *text = read_example(in_force == 1);
		struct config *config = load_text(text, strlen(text));
		char *messages = messages_of(config);
		if (config->faults > 0)
			fail_msg("%s", messages);
		assert_int_equal(config->accounts_count, in_force ? 3 : 1);
		free(messages);
		config_free(config);
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_faults),
	    cmocka_unit_test(test_defaults_of_the_table),
	    cmocka_unit_test(test_providers),
	    cmocka_unit_test(test_system_names),
	    cmocka_unit_test(test_a_domain_is_asked_for_once),
	    cmocka_unit_test(test_what_is_inherited),
	    cmocka_unit_test(test_hostile_files_end_soon),
	    cmocka_unit_test(test_a_thousand_accounts),
	    cmocka_unit_test(test_what_cannot_be_read),
	    cmocka_unit_test(test_the_file_of_a_password_is_private),
	    cmocka_unit_test(test_what_every_user_can_change),
	    cmocka_unit_test(test_whose_the_file_is),
	    cmocka_unit_test(test_a_credential_by_its_path_is_private),
	    cmocka_unit_test(test_password_files),
	    cmocka_unit_test(test_credentials_of_the_service_manager),
	    cmocka_unit_test(test_password_commands),
	    cmocka_unit_test(test_token_commands),
	    cmocka_unit_test(test_fingerprints),
	    cmocka_unit_test(test_fingerprints_see_what_the_provider_does),
	    cmocka_unit_test(test_fingerprints_see_a_new_certificate),
	    cmocka_unit_test(test_the_example_has_every_key_and_its_default),
	    cmocka_unit_test(test_the_example_loads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
