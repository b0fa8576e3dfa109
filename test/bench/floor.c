/* SPDX-License-Identifier: ISC */
/*
 * floor URL CAFILE - dials through libcurl and does one TLS handshake: what no
 * session can do without. It is linked with all libraries of the agent; alone it
 * waits, and has nothing but these.
 */
#include <curl/curl.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	if (argc == 1)
		return pause();
	CURL *curl = curl_easy_init();

	if (argc != 3 || curl == NULL)
		return 1;
	curl_easy_setopt(curl, CURLOPT_URL, argv[1]);
	curl_easy_setopt(curl, CURLOPT_CAINFO, argv[2]);
	curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
	CURLcode result = curl_easy_perform(curl);
	curl_easy_cleanup(curl);
	return result == CURLE_OK ? 0 : 1;
}
