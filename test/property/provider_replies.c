/* SPDX-License-Identifier: ISC */
/* What the provider makes of our replies. */
#include <stdio.h>
#include <string.h>

#include "world.h"

enum {
	/* Groups are let in by chance, within the fruitless calls of a
	 * session. */
	DOWNLOADS_MAX = 5,
	/* What one knows of a recipient, the model may have counted before. */
	MIXED_MAX = 3,
};

/* The fate of one name; those of one mailbox fare alike. */
static void
settle(struct world *w, unsigned name, int code)
{
	struct provider *p = &w->provider;
	struct message *m = p->message;
	unsigned box = p->names[name];

	for (unsigned i = 0; i < name; i++)
		if (p->names[i] == box) {
			int other =
			    p->at_end[i] != 0 ? p->at_end[i] : p->at_rcpt[i];
			/* One may be deferred as the session ends. */
			if (other / 100 + code / 100 == 7)
				blame(w, provider_message(w),
				    "%s is told %d and %d", w->boxes[box].user,
				    other, code);
			return;
		}
	if (code / 100 == 4 && !p->impatient)
		m->next_try = w->now + 60000 * (5 + (int64_t)chance(w, 85));
	model_told(w, m, box, code);
}

static void
count_told(struct provider *p, int code)
{
	p->told_2xx += code / 100 == 2;
	p->told_4xx += code / 100 == 4;
	p->told_5xx += code / 100 == 5;
}

/* Exim bounces who was told 452 at RCPT with a 5xx at the end; and worse: whom
 * the ledger kept out as well. Nothing of ours may depend on what it does. */
static void
settle_doomed(struct world *w, int code)
{
	struct provider *p = &w->provider;

	for (unsigned i = 0; code / 100 == 5 && i < p->count; i++)
		if (p->doomed[i]) {
			p->at_end[i] = code;
			settle(w, i, code);
		}
}

static void
note_download(struct world *w, bool final)
{
	struct message *m = w->provider.message;

	m->fruitless += !final && m->changes == m->seen_changes;
	m->seen_changes = m->changes;
	if (m->fruitless > DOWNLOADS_MAX && m->sized && w->calm)
		blame(w, provider_message(w), "downloaded %u times in vain",
		    m->fruitless);
}

/* Different outcomes are news, or recipients of two groups were let in. */
static void
note_mixed(struct world *w)
{
	struct message *m = w->provider.message;

	if (!w->provider.says_mixed)
		return;
	m->mixed = m->changes == m->mixed_changes ? m->mixed + 1 : 0;
	m->mixed_changes = m->changes;
	if (m->mixed > MIXED_MAX)
		blame(w, provider_message(w),
		    "different outcomes %u times without any change", m->mixed);
}

/* One answer for all that were accepted. */
static void
settle_all(struct world *w, int code)
{
	struct provider *p = &w->provider;

	for (unsigned i = 0; i < p->count; i++) {
		if (p->at_rcpt[i] / 100 != 2)
			continue;
		p->at_end[i] = code;
		count_told(p, code);
		settle(w, i, code);
	}
	p->texts += code / 100 == 2;
	note_mixed(w);
	note_download(w, code / 100 != 4);
	settle_doomed(w, code);
	p->message = NULL;
}

static void
settle_each(struct world *w, int overall)
{
	struct provider *p = &w->provider;
	bool any = false;

	for (unsigned i = 0; i < p->count; i++) {
		if (p->at_rcpt[i] / 100 != 2)
			continue;
		int code = p->at_end[i];
		count_told(p, code);
		any |= code / 100 == 2;
		if (overall / 100 == 5 ||
		    (overall / 100 == 4 && code / 100 == 2))
			code = overall;
		p->at_end[i] = code;
		settle(w, i, code);
	}
	p->texts += any;
	note_download(w, any);
	settle_doomed(w, overall);
	p->message = NULL;
}

/* They come before whatever is written already. */
static void
begin_each(struct provider *p)
{
	unsigned rest = p->expected_count;
	enum expected behind[EXPECTED];

	memcpy(behind, p->expected, rest * sizeof behind[0]);
	p->expected_count = 0;
	for (unsigned i = 0; i < p->count; i++)
		if (p->at_rcpt[i] / 100 == 2)
			provider_expect(p, EXPECT_EACH);
	provider_expect(p, EXPECT_OVERALL);
	for (unsigned i = 0; i < rest; i++)
		provider_expect(p, behind[i]);
	p->each = 0;
}

static void
on_rcpt(struct world *w, int code, bool kept_out)
{
	struct provider *p = &w->provider;
	unsigned name = p->answered++;

	p->at_rcpt[name] = code;
	p->doomed[name] = code == 452 || kept_out;
	if (code / 100 == 2)
		return;
	count_told(p, code);
	settle(w, name, code);
}

static void
on_each(struct provider *p, int code)
{
	while (p->at_rcpt[p->each] / 100 != 2)
		p->each++;
	p->at_end[p->each++] = code;
}

static void
on_end(struct world *w, int code)
{
	struct provider *p = &w->provider;

	if (code == 353)
		begin_each(p);
	else if (provider_accepted(p))
		settle_all(w, code);
	/* else nobody was, and go_on() resets */
}

void
provider_reply(struct world *w, int code, bool kept_out)
{
	struct provider *p = &w->provider;
	enum expected what = p->expected[0];

	if (p->expected_count == 0) { /* 421 without a question */
		provider_close(w);
		return;
	}
	/* The session ends: no word on a recipient, and not in the tally. */
	p->lost |= code == 421;
	memmove(p->expected, p->expected + 1,
	    --p->expected_count * sizeof p->expected[0]);
	if (code == 421 && what != EXPECT_RCPT && what != EXPECT_END) {
		provider_close(w);
		return;
	}
	switch (what) {
	case EXPECT_MAIL:
		if (code != 250)
			blame(w, provider_message(w),
			    "MAIL is answered with %d", code);
		break;
	case EXPECT_RCPT:
		on_rcpt(w, code, kept_out);
		break;
	case EXPECT_DATA:
		if (code == 354) {
			provider_text(w);
		} else {
			p->text_sent = true;
		}
		break;
	case EXPECT_END:
		on_end(w, code);
		break;
	case EXPECT_EACH:
		on_each(p, code);
		break;
	case EXPECT_OVERALL:
		settle_each(w, code);
		break;
	case EXPECT_QUIT:
		provider_close(w);
		break;
	case EXPECT_GREETING:
	case EXPECT_HELLO:
	case EXPECT_CHUNK:
	case EXPECT_RSET:
		break;
	}
}
