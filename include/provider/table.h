/*
 * table - whether Postfix' table of domains is that of the configuration.
 *
 * Postfix finds a customer by his inner address, and nothing behind it reads
 * whose mail comes: where the configuration was changed and the table was not
 * made again, mail for a domain goes to the customer who had it before. He would
 * read what is not his, and his server bounce it.
 */
#ifndef ODMR_PROVIDER_TABLE_H
#define ODMR_PROVIDER_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

struct provider_config;

/* All zero at first: nothing is known. */
struct table {
	bool *astray; /* of each account */
	struct stat as_read; /* what was read; all zero: there was no table */
};

/*
 * Reads the table, for a configuration that is new. What leads astray is
 * logged. Where it cannot be read it is not ours, and nothing is said of it.
 */
void table_read(struct table *table, const struct provider_config *config);
void table_clear(struct table *table);
/*
 * Mail of others may come by this account's inner address: the table sends a
 * domain there that is another account's. A table that was made again meanwhile is
 * read again.
 */
bool table_leads_astray(
    struct table *table, const struct provider_config *config, size_t account);

#endif
