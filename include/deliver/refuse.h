/*
 * refuse - which recipients an SMTP or LMTP service is not asked about.
 */
#ifndef ODMR_DELIVER_REFUSE_H
#define ODMR_DELIVER_REFUSE_H

#include <stdbool.h>
#include <stddef.h>

struct envelope;
struct path;
struct sender;
struct status;

/* What SMTP servers of the local side are known to read a relay into. */
bool refuse_relay(const struct path *rcpt, struct status *status);
/*
 * The service lists what this recipient needs: SMTPUTF8 where he or the sender is
 * beyond ASCII (RFC 6531 3.2; where only the header is, any service will do), and
 * DSN where a report of success was promised by our offer and is the service's to
 * write. Where no reply to EHLO came, neither is known to be missing.
 */
bool refuse_is_able(
    const struct sender *sender, const struct envelope *envelope, size_t rcpt);
/*
 * The answer to a recipient whom the service is not asked about: 550 or 553
 * 5.6.7 where SMTPUTF8 is missing, 451 where DSN is; else he is one more than it
 * takes in a transaction, and the provider sends to him in another (RFC 5321
 * 4.5.3.1.10).
 */
void refuse_rcpt(const struct sender *sender, const struct envelope *envelope,
    size_t rcpt, struct status *status);

#endif
