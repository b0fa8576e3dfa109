/* SPDX-License-Identifier: ISC */
/*
 * The file of a configuration, as octets for the parser of YAML.
 */
#include "config/config_loader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* A yaml_read_handler_t; 0 ends the parser with a reader error. */
static int
read_config_file(void *context, unsigned char *buffer, size_t size, size_t *got)
{
	struct config_loader *loader = context;
	ssize_t n;

	do
		n = read(loader->fd, buffer, size);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		loader->trouble = strerror(errno);
		return 0;
	}
	loader->octets += (size_t)n;
	if (loader->octets > CONFIG_FILE_MAX) {
		loader->trouble = "larger than any configuration (4 MiB)";
		return 0;
	}
	config_note_comments(&loader->comments, buffer, (size_t)n);
	*got = (size_t)n;
	return 1;
}

/* The parser's own buffers hold the text of the file, passwords too. */
static void
delete_parser(yaml_parser_t *parser)
{
	if (parser->raw_buffer.start != NULL)
		explicit_bzero(parser->raw_buffer.start,
		    (size_t)(parser->raw_buffer.end -
			     parser->raw_buffer.start));
	if (parser->buffer.start != NULL)
		explicit_bzero(parser->buffer.start,
		    (size_t)(parser->buffer.end - parser->buffer.start));
	yaml_parser_delete(parser);
}

void
config_read_file(struct config_loader *loader, int fd)
{
	loader->fd = fd;
	loader->comments = (struct config_comments){
	    .places.each = sizeof(struct config_mark), .line = 1, .column = 1};
	if (yaml_parser_initialize(&loader->parser) == 0)
		mem_exhausted();
	yaml_parser_set_input(&loader->parser, read_config_file, loader);
	config_parse(loader);
	yaml_event_delete(&loader->event);
	free(loader->comments.places.items);
	delete_parser(&loader->parser);
}
