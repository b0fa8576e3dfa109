/* SPDX-License-Identifier: ISC */
#include "protocol/offer.h"

#include <stddef.h>
#include <string.h>

#include "protocol/reply.h"

/* The next word of text; NULL and *len 0 behind the last. */
static const char *
next_offer_word(const char **text, size_t *len)
{
	const char *word = *text + strspn(*text, " ");

	*len = strcspn(word, " ");
	*text = word + *len;
	return *len > 0 ? word : NULL;
}

static void
copy_printable(char *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = text[i] > ' ' && text[i] <= '~' ? text[i] : '?';
	out[len] = '\0';
}

static bool
has_mechanism(const struct offer *offer, const char *name, size_t name_len)
{
	const char *text = offer->mechanisms;
	const char *word;
	size_t len;

	while ((word = next_offer_word(&text, &len)) != NULL)
		if (len == name_len && strncasecmp(word, name, len) == 0)
			return true;
	return false;
}

static void
add_mechanisms(struct offer *offer, const char *list)
{
	const char *word;
	size_t len;

	while ((word = next_offer_word(&list, &len)) != NULL) {
		size_t used = strlen(offer->mechanisms);

		if (has_mechanism(offer, word, len) ||
		    used + 1 + len >= sizeof offer->mechanisms)
			continue;
		if (used > 0)
			offer->mechanisms[used++] = ' ';
		copy_printable(offer->mechanisms + used, word, len);
	}
}

static void
parse_keyword(struct offer *offer, const char *line)
{
	const char *rest = line;
	size_t len;
	const char *word = next_offer_word(&rest, &len);

	if (word == NULL)
		return;
	if (len == 8 && strncasecmp(word, "STARTTLS", len) == 0)
		offer->starttls = true;
	else if (len == 4 && strncasecmp(word, "ATRN", len) == 0)
		offer->atrn = true;
	else if (len == 4 && strncasecmp(word, "AUTH", len) == 0)
		add_mechanisms(offer, rest);
	/* The form before RFC 2554, which old servers still add. */
	else if (len >= 5 && strncasecmp(word, "AUTH=", 5) == 0)
		add_mechanisms(offer, word + 5);
}

void
offer_parse(struct offer *offer, const struct reply *reply)
{
	const char *line = reply_line(reply, 0);
	size_t len;
	const char *name = next_offer_word(&line, &len);

	*offer = (struct offer){.starttls = false};
	if (name != NULL)
		copy_printable(offer->provider, name,
		    len < OFFER_NAME_MAX ? len : OFFER_NAME_MAX);
	for (size_t i = 1; i < reply->lines; i++)
		parse_keyword(offer, reply_line(reply, i));
}

bool
offer_has_mechanism(const struct offer *offer, const char *name)
{
	return has_mechanism(offer, name, strlen(name));
}

bool
offer_has_plus(const struct offer *offer)
{
	static const char plus[] = "-PLUS";
	const char *text = offer->mechanisms;
	const char *word;
	size_t len;

	while ((word = next_offer_word(&text, &len)) != NULL)
		if (len >= sizeof plus &&
		    strncasecmp(word + len - (sizeof plus - 1), plus,
			sizeof plus - 1) == 0)
			return true;
	return false;
}
