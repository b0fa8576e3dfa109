/* SPDX-License-Identifier: ISC */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("config", MFD_CLOEXEC);
	char line[2048];

	assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	assert(lseek(fd, 0, SEEK_SET) == 0);
	struct config *config = config_read(fd, "fuzz.yaml");
	close(fd);
	assert(config->faults <= config->messages_count);
	for (size_t i = 0; i < config->messages_count; i++) {
		const struct config_message *message = &config->messages[i];
		config_message_format(config->path, message, line, sizeof line);
		assert(strchr(line, '\n') == NULL);
	}
	/* What has no fault can be used. */
	for (size_t i = 0; config->faults == 0 && i < config->accounts_count;
	     i++) {
		const struct config_account *account = &config->accounts[i];
		assert(config_find_account(config, account->name) == account);
		assert(account->provider.host != NULL);
		assert(account->accept.count > 0);
	}
	config_free(config);
	return 0;
}
