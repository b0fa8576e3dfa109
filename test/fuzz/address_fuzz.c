/* SPDX-License-Identifier: ISC */
#include "fuzz.h"

#include "protocol/address.h"

static void
check_mailbox(const struct path *path)
{
	size_t len = strlen(path->mailbox);
	char again[ADDRESS_MAX + 3];
	struct path parsed;
	size_t used;

	assert(len <= ADDRESS_MAX && path->local_len <= len);
	for (size_t i = 0; i < len; i++)
		assert(path->mailbox[i] >= ' ' && path->mailbox[i] <= '~');
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
