/*
 * route - a delivery over several deliveries, the recipients shared out.
 *
 * Each leg sees a message of its own recipients alone. The legs that are ready
 * are finished, whatever became of the others, so that a delivery that defers
 * for days keeps the message from nobody else. Its recipients get its replies;
 * where these differ from the others' the ledger takes them apart.
 */
#ifndef ODMR_DELIVER_ROUTE_H
#define ODMR_DELIVER_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/address.h"

struct delivery;

/* The first rule whose pattern fits a recipient says its leg. */
struct route_rule {
	const char *pattern; /* NULL: every recipient; borrowed */
	size_t leg;
};

/*
 * Both arrays are copied, the legs themselves are borrowed and outlive the
 * route. A recipient that no rule takes is answered 550 5.1.1.
 */
struct delivery *route_new(struct delivery *const *legs, size_t leg_count,
    const struct route_rule *rules, size_t rule_count);
/*
 * A pattern with '@' is matched against the whole address, one without against
 * the domain; '*' is any run of characters, case does not count.
 */
bool route_matches(const char *pattern, const struct path *path);
/* The first rule that takes the recipient; NULL: none does. */
const struct route_rule *route_find(
    const struct route_rule *rules, size_t count, const struct path *path);

#endif
