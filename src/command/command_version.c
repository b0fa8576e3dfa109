/* SPDX-License-Identifier: ISC */
#include "command/command.h"

#include <stdio.h>
#include <sysexits.h>

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <yaml.h>

#include "config/config.h"
#include "protocol/sasl.h"

int
command_version(struct command_context *context, int argc, char **argv)
{
	const struct sasl_mechanism *mechanism;

	(void)context;
	(void)argc;
	(void)argv;
	printf("odmr-agent %s\n", ODMR_VERSION);
	printf("Libraries: OpenSSL %s, libcurl %s, libyaml %s\n",
	    OpenSSL_version(OPENSSL_VERSION_STRING),
	    curl_version_info(CURLVERSION_NOW)->version,
	    yaml_get_version_string());
	printf("AUTH:");
	for (size_t i = 0; (mechanism = sasl_mechanism_at(i)) != NULL; i++)
		printf(" %s", sasl_mechanism_name(mechanism));
	printf("\nDeliveries:");
	for (size_t i = 0; i < CONFIG_KINDS; i++)
		printf(" %s", config_kinds[i].name);
	putchar('\n');
	return EX_OK;
}
