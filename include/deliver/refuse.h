/*
 * refuse - which recipients an SMTP or LMTP service is not asked about.
 */
#ifndef ODMR_DELIVER_REFUSE_H
#define ODMR_DELIVER_REFUSE_H

#include <stdbool.h>
#include <stddef.h>

struct envelope;
struct path;
struct status;

/* What SMTP servers of the local side are known to read a relay into. */
bool refuse_relay(const struct path *rcpt, struct status *status);
/* The sender or this recipient is beyond ASCII: the service must list SMTPUTF8
 * (RFC 6531 3.2). Where only the header is, any service will do. */
bool refuse_needs_smtputf8(const struct envelope *envelope, size_t rcpt);
/* The answer to such a recipient where the service does not. */
void refuse_international(
    const struct envelope *envelope, size_t rcpt, struct status *status);

#endif
