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
/*
 * The answer to a recipient whom the service is not asked about: 550 or 553
 * 5.6.7 where SMTPUTF8 is needed and not listed (smtputf8); else he is one more
 * than it takes in a transaction, and the provider sends to him in another (RFC
 * 5321 4.5.3.1.10).
 */
void refuse_rcpt(const struct envelope *envelope, size_t rcpt, bool smtputf8,
    struct status *status);

#endif
