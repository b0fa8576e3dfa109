/* SPDX-License-Identifier: ISC */
#include "fuzz.h"

#include "base/utf8.h"
#include "protocol/address.h"

/* Printable ASCII, and what is UTF-8 and no control, look-alike or blank. */
static void
check_characters(const char *text, size_t len)
{
	static const uint32_t never[] = {0xa0, 0x2024, 0x202e, 0x2044, 0x2066,
	    0x2215, 0x3000, 0x3002, 0xfe52, 0xfe6b, 0xfeff, 0xff0e, 0xff0f,
	    0xff20, 0xff3c, 0xff61};
	uint32_t point;

	for (size_t i = 0; i < len;) {
		size_t octets = utf8_decode(
		    (const unsigned char *)text + i, len - i, &point);
		assert(octets > 0 && point >= ' ' && point != 0x7f);
		assert(point < 0x80 || point > 0x9f);
		for (size_t k = 0; k < sizeof never / sizeof *never; k++)
			assert(point != never[k]);
		i += octets;
	}
}

static void
check_mailbox(const struct path *path)
{
	size_t len = strlen(path->mailbox);
	char again[ADDRESS_MAX + 3];
	struct path parsed;
	size_t used;

	assert(len <= ADDRESS_MAX && path->local_len <= len);
	check_characters(path->mailbox, len);
	const char *domain = path_domain(path);
	assert(domain >= path->mailbox && domain <= path->mailbox + len);
	assert(*domain == '\0' || path->mailbox[path->local_len] == '@');
	if (path_is_plain(path)) {
		assert(!path->quoted);
		assert(strchr("-/|", path->mailbox[0]) == NULL || len == 0);
		assert(memchr(path->mailbox, '%', path->local_len) == NULL);
		assert(memchr(path->mailbox, '!', path->local_len) == NULL);
		assert(memchr(path->mailbox, ' ', path->local_len) == NULL);
		assert(memchr(path->mailbox, '/', path->local_len) == NULL ||
		       strncmp(path->mailbox, "../", 3) != 0);
	}
	size_t domain_len = strlen(domain);
	assert(domain_len == 0 || domain[domain_len - 1] != '.');
	assert(len == 0 || strspn(path->mailbox, ".") < path->local_len);
	/* What is passed on reads the same at the next host. */
	int n = snprintf(again, sizeof again, "<%s>", path->mailbox);
	assert(path_parse(&parsed, again, (size_t)n, &used) == PATH_OK);
	assert(used == (size_t)n);
	assert(strcmp(parsed.mailbox, path->mailbox) == 0);
	assert(parsed.quoted == path->quoted);
	assert(parsed.local_len == path->local_len);
}

static void
check_domain(const uint8_t *data, size_t size)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
	char *text = malloc(size + 1);

	assert(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	if (address_is_domain(text)) {
		assert(strlen(text) <= ADDRESS_DOMAIN_MAX);
		assert(strspn(text, allowed) == strlen(text));
		assert(strchr(text, '.') != NULL && strstr(text, "..") == NULL);
	}
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct path path;
	size_t used = 0;

	check_domain(data, size);
	if (path_parse(&path, (const char *)data, size, &used) != PATH_OK)
		return 0;
	assert(used >= 1 && used <= size);
	assert((data[0] == '<') == (data[used - 1] == '>'));
	check_mailbox(&path);
	return 0;
}
