/*
 * postfix - asks Postfix' own programs, and has them change its configuration.
 *
 * postconf, postmap and postqueue of postfix_programs, for the instance whose
 * configuration is postfix_config. Nothing is parsed that they can say.
 */
#ifndef ODMR_PROVIDER_POSTFIX_H
#define ODMR_PROVIDER_POSTFIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct error;
struct provider_config;

enum {
	POSTFIX_WORDS_MAX = 12, /* of a command line, the program among them */
	POSTFIX_OUTPUT_MAX = 64 << 20, /* postqueue -j of 100,000 messages */
};

/*
 * Runs PROGRAM -c FOLDER with these words (NULL at the end). Its output is
 * added to out, which may be NULL. false: it could not be run or ended with
 * another status than 0; err has what it said. Errors: ERROR_LOCAL,
 * ERROR_STOPPED.
 */
bool postfix_run(const struct provider_config *config, const char *program,
    const char *const *words, struct buf *out, struct error *err)
    __attribute__((warn_unused_result));
/*
 * Has Postfix send what it holds for a domain, now (`postqueue -s`). Says
 * nothing of whether there is mail: Postfix' connection does. Takes seconds at
 * most. Errors: ERROR_LOCAL, ERROR_STOPPED.
 */
bool postfix_flush(const struct provider_config *config, const char *domain,
    struct error *err) __attribute__((warn_unused_result));
/* Its master process is there. Only root can tell. */
bool postfix_is_running(const struct provider_config *config);
/*
 * The value of a parameter of main.cf, as it is written or with what it refers
 * to, without its line end; owned by the caller. NULL: it could not be read.
 * Errors: ERROR_LOCAL, ERROR_STOPPED.
 */
char *postfix_parameter(const struct provider_config *config, const char *name,
    bool expanded, struct error *err) __attribute__((warn_unused_result));
/* The service of master.cf that has the way to the customers. */
#define POSTFIX_SERVICE "odmr/unix"
/*
 * What postconf prints for a flag and a name, "" for nothing, without blanks
 * at its end; owned by the caller. NULL: it could not be run. Errors:
 * ERROR_LOCAL, ERROR_STOPPED.
 */
char *postfix_ask(const struct provider_config *config, const char *flag,
    const char *name, struct error *err) __attribute__((warn_unused_result));
/*
 * How many processes of POSTFIX_SERVICE may run at a time (maxproc); 0: no
 * limit, or no such service. false: Postfix cannot be asked. Errors:
 * ERROR_LOCAL, ERROR_STOPPED.
 */
bool postfix_process_limit(const struct provider_config *config,
    uint64_t *limit, struct error *err) __attribute__((warn_unused_result));
/*
 * Whether a list of main.cf (relay_domains, transport_maps) has the table, and
 * whatever else stands in it.
 */
bool postfix_list_has(const char *list, const char *item);

/* The file in postfix_config. */
#define POSTFIX_TABLE "odmr_domains"
/* The table of domains, as this configuration makes it: "texthash:" and the
 * path of the file, and its content. */
char *postfix_table_name(const struct provider_config *config);
char *postfix_table_path(const struct provider_config *config);
void postfix_table_content(
    const struct provider_config *config, struct buf *out);

#endif
