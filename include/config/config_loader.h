/*
 * config_loader - a configuration while it is being read; inside config only.
 *
 * YAML events are taken one by one, so that neither aliases nor nesting can
 * cost more than their own length. A reader is called with its value's first
 * event as the current one, and leaves the one behind the value as current. A
 * value that does not suit is told as a fault and leaves its member empty.
 */
#ifndef ODMR_CONFIG_CONFIG_LOADER_H
#define ODMR_CONFIG_CONFIG_LOADER_H

#include <yaml.h>

#include "base/array.h"
#include "config/config.h"

enum {
	/* Ten thousand accounts of 400 octets each; what is much larger is
	 * no configuration but a wrong path. */
	CONFIG_FILE_MAX = 4 << 20,
	/* Two orders beyond what a user of the agent was heard of. */
	CONFIG_ACCOUNTS_MAX = 10000,
	CONFIG_DELIVERIES_MAX = 1000,
	CONFIG_ROUTES_MAX = 10000,
	/* Top, accounts, account, schedule, window, days: 6. */
	CONFIG_DEPTH_MAX = 16,
	/* Faults, and warnings, that are shown; reading ends at the former. */
	CONFIG_MESSAGES_MAX = 100,
	CONFIG_KEYS_MAX = 40,
	/* As much of a value as a message repeats. */
	CONFIG_EXCERPT_SIZE = 64,
};

struct config_loader;
struct config_key;

/* A place in the file, from 1; line 0: none. */
struct config_mark {
	unsigned line, column;
	bool slip; /* of a key: its value has a fault, which was told */
};

/* Where each key of a table was set; line 0: it was not. */
struct config_marks {
	struct config_mark here; /* of the mapping itself */
	struct config_mark of[CONFIG_KEYS_MAX];
};

/* A scalar; the text lives until the next event. */
struct config_scalar {
	const char *text;
	size_t len;
	struct config_mark mark;
	bool cut; /* " #" behind it, so that the rest is a comment */
};

typedef void config_read_fn(
    struct config_loader *loader, const struct config_key *key, void *field);
/* false: a fault was told. */
typedef bool config_convert_fn(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key,
    void *field);

/* What a member of a struct is, for copying and for the fingerprint. */
enum config_field {
	CONFIG_FIELD_PLAIN, /* a number, an enum, a bool */
	CONFIG_FIELD_TEXT, /* const char * */
	CONFIG_FIELD_TEXTS,
	CONFIG_FIELD_ADDRESS,
	CONFIG_FIELD_SCHEDULE,
	CONFIG_FIELD_SECRET,
};

/*
 * One key: a row of a table. A new key is a row, a member of the struct, a line
 * in odmr-agent.yaml.example, and a check in config_check where one key depends
 * on another.
 */
struct config_key {
	const char *name;
	config_read_fn *read; /* reads the whole value */
	config_convert_fn *convert; /* reads one scalar of it */
	const char *value; /* the default as one would write it, or NULL */
	const char *const *choices; /* of an enum in its order, NULL at end */
	uint64_t min, max; /* of a number, a size; a duration in ms */
	enum config_field field;
	uint16_t offset, size; /* of the member */
	/* Keys of one group replace each other: where an account sets one, it
	 * inherits none of them. 0: none. */
	unsigned char group;
	unsigned char
	    kinds; /* bits of the kinds of delivery it suits; 0: all */
	unsigned char access; /* of a path, or of a command's program: R_OK or
			       * X_OK, without which there is a partial fault;
			       * 0: not looked at */
	bool names_kind; /* it names the kind of the delivery */
	bool required;
	/* Of the top level: what a provider hears or sees of us depends on it,
	 * so that a hold ends when it changes. All keys of an account count. */
	bool towards_provider;
};

struct config_table {
	const char *what; /* "an account" */
	const struct config_key *keys;
	size_t count;
};

extern const struct config_table config_top_table;
extern const struct config_table config_account_table;
extern const struct config_table config_delivery_table;
extern const struct config_table config_route_table;
extern const struct config_table config_window_table;

/* What is read is any program's: its first table says which keys there are, and
 * what they fill in. */
/* Where a line goes on with blanks and a '#', which ends a plain value. */
struct config_comments {
	struct array places; /* struct config_mark, in the order of the file */
	/* Of the octet that comes next, from 1; blanks is the column of the
	 * first of the blanks just before it, or 0. */
	unsigned line, column, blanks;
};

struct config_loader {
	/* All of the program, NULL after the last; the first is that of the
	 * top level. */
	const struct config_table *const *tables;
	void *top; /* what it fills in */
	void *context; /* the program's own, for readers and checks of it */
	/* Of the program's configuration, for what outlives the loader. */
	struct pool *pool;
	size_t *faults;
	int fd;
	size_t octets; /* read so far */
	struct config_comments comments;
	const char *trouble; /* why reading the file ended, or NULL */
	yaml_parser_t parser;
	yaml_event_t event; /* YAML_NO_EVENT once ended */
	unsigned depth;
	unsigned bracket; /* line in which a bracket lacks its quotes, or 0 */
	bool full; /* of faults: no more are told */
	bool ended; /* a fault that nothing can be read after */
	size_t warnings;
	struct array messages;

	struct config_marks marks; /* of the top level */
};

/* What the agent's readers collect: the context of its loader. */
struct config_sections {
	struct config *config;
	struct config_account defaults;
	struct config_marks defaults_marks;
	/* Of each account, delivery and route, its marks beside it. */
	struct array accounts, accounts_marks;
	struct array deliveries, deliveries_marks;
	struct array routes, routes_marks;
};

struct config_sections *config_sections_of(const struct config_loader *loader);

/* Messages: collected, each once, up to CONFIG_MESSAGES_MAX. */
void config_fault(struct config_loader *loader, struct config_mark mark,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
void config_warn(struct config_loader *loader, struct config_mark mark,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* For what a key names and cannot be used (struct config_message). */
void config_partial_fault(struct config_loader *loader, struct config_mark mark,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* As much of the text as a message may repeat, escaped, in out. */
char *config_excerpt(
    char out[static CONFIG_EXCERPT_SIZE], const char *text, size_t len);
/* "KEY: "VALUE" is not WANTED" is a fault there; returns false. */
bool config_refuse_value(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key,
    const char *wanted);

/* The events of the file (config_yaml); after the end nothing comes. */
void config_next(struct config_loader *loader);
/* The current event is that, or there are no more. */
bool config_at(const struct config_loader *loader, yaml_event_type_t type);
struct config_mark config_here(const struct config_loader *loader);
/* Passes over one value, whatever it is. */
void config_skip(struct config_loader *loader);
/* The same, and tells that it must be something else. */
void config_refuse(
    struct config_loader *loader, const char *name, const char *wanted);
/* The current scalar, if it is one line of text; else tells why not. */
bool config_get_scalar(struct config_loader *loader, const char *name,
    struct config_scalar *scalar);
/* The next octets of the file: UTF-8, whose characters the parser counts as
 * columns. */
void config_note_comments(
    struct config_comments *at, const unsigned char *text, size_t len);
/* A plain scalar, the current one, ends where a comment begins. */
bool config_is_cut(const struct config_loader *loader);
/* No more is read; a fault was told. */
void config_end(struct config_loader *loader);

/* By line and column, those of the whole file first. */
void config_sort_messages(struct config_loader *loader);

/* Reads the file from fd, its one document, into top. What is wrong with it is
 * among the messages (config_file). */
void config_read_file(struct config_loader *loader, int fd);
/* The document, once its parser is set up (config_parse). */
void config_parse(struct config_loader *loader);

/* Readers of whole values, for the tables. */
config_read_fn config_read_scalar;
config_read_fn config_read_texts;
config_read_fn config_read_program;
config_read_fn config_read_domains;
config_read_fn config_read_schedule;
config_read_fn config_read_days;
config_read_fn config_read_times;
config_read_fn config_read_defaults;
config_read_fn config_read_accounts;
config_read_fn config_read_deliveries;
config_read_fn config_read_routes;

/* How everything that has a name begins. */
struct config_named {
	const char *name;
	unsigned line, column;
};
/* A mapping of names, each of a mapping by this table; items and their marks
 * are added to the arrays, of items that begin as struct config_named. */
void config_read_named(struct config_loader *loader,
    const struct config_key *key, const struct config_table *table,
    struct array *array, struct array *marks, size_t max);
/* false: there are more than anybody has, and reading ends. */
bool config_has_room(struct config_loader *loader, const struct config_key *key,
    const struct array *array, size_t max);
/* For readers: each scalar of a list, or the one that stands for it. */
void config_each_scalar(struct config_loader *loader,
    const struct config_key *key, config_convert_fn *item, void *context);
/* Each mapping of a list, or the one that stands for it. */
void config_each_mapping(struct config_loader *loader,
    const struct config_key *key, config_read_fn *item, void *context);
void config_read_mapping(struct config_loader *loader,
    const struct config_table *table, void *into, struct config_marks *marks);

/* false: it is not, and a fault was told. */
bool config_is_ascii(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key);
/* A name or address as people mean it; resolvers take "1.2" for one. */
bool config_is_host(const char *host);
/* Splits HOST, HOST:PORT, [IPV6] and [IPV6]:PORT in place; false: neither. port
 * stays as it is where there is none. */
bool config_split_address(char *text, char **host, unsigned long *port);
/* Converters of one scalar, for the tables. */
config_convert_fn config_to_bool;
config_convert_fn config_to_choice;
config_convert_fn config_to_number;
config_convert_fn config_to_size;
config_convert_fn config_to_duration;
config_convert_fn config_to_text;
config_convert_fn config_to_secret;
config_convert_fn config_to_password;
config_convert_fn config_to_path;
config_convert_fn config_to_credential;
config_convert_fn config_to_hostname;
config_convert_fn config_to_host;
config_convert_fn config_to_provider;
config_convert_fn config_to_lmtp;
config_convert_fn config_to_smtp;
config_convert_fn config_to_proxy;
config_convert_fn config_to_url;
config_convert_fn config_to_argument;
config_convert_fn config_to_maildir;
config_convert_fn config_to_pin;
config_convert_fn config_to_mechanism;
config_convert_fn config_to_domain;
/* The same, or one with U-labels, as mail with SMTPUTF8 has it. */
config_convert_fn config_to_mail_domain;
config_convert_fn config_to_domain_or_any;
config_convert_fn config_to_pattern;
config_convert_fn config_to_hours;

/* The index of a key in its table; the key must be there. */
size_t config_key_index(const struct config_table *table, const char *name);
/* What the table says for the keys that nobody set. */
void config_apply_table(struct config_loader *loader,
    const struct config_table *table, const struct config_marks *marks,
    void *into);
/* Gives each account what it did not set: of `defaults`, or of the table. */
void config_apply_defaults(struct config_loader *loader);
/* Those of all accounts are moved to one place, where config_wipe_secrets()
 * looks for them. */
void config_gather_secrets(struct config *config);
/* Our name, where the file has none, and what is to be said of it. */
void config_complete_hostname(struct config *config);

/* One mapping of the file, for the checks that come after reading. */
struct config_section {
	struct config_loader *loader;
	const struct config_table *table;
	const struct config_marks *marks;
	struct config_mark mark; /* for what is missing in it */
	const char *kind, *name; /* "account", "office" */
};

/* "KEY: ..." at the place of the key, which must be one of the table; where it is
 * not set, of the whole file. */
void config_key_fault(const struct config_section *section, const char *key,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
void config_key_warn(const struct config_section *section, const char *key,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The key must be one of the table. */
struct config_mark config_mark_of(
    const struct config_section *section, const char *key);
bool config_is_set(const struct config_section *section, const char *key);
/* It is set, and to something wrong: what follows from that is not told, too. */
bool config_has_slip(const struct config_section *section, const char *key);
void config_check_required(const struct config_section *section);
/* Warnings of what other users of the host can change: the file itself, which is
 * still open, where the owner of state_dir (NULL: there is none) is no other;
 * that and state_dir; the folder of a Unix socket or of Maildirs. */
void config_check_file(struct config_loader *loader, const char *state_dir);
void config_check_others(const struct config_section *top);
void config_check_place(const struct config_section *section,
    const struct config_delivery *delivery);
/* A partial fault where the path of key i is not there or not permitted. */
void config_check_access(
    const struct config_section *section, size_t i, const char *path);
/* The index of the delivery; CONFIG_BY_ROUTES for NULL, or after a fault. */
size_t config_find_delivery_index(
    const struct config_section *section, const char *name);
void config_check_account(
    const struct config_section *section, struct config_account *account);
/* Warns where accept has a domain in one form of two, ASCII and UTF-8. */
void config_check_labels(
    const struct config_section *section, const struct config_account *account);
/* What one key asks of another; all that needs the whole file. */
void config_check(struct config_loader *loader);

#endif
