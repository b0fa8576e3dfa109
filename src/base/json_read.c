/* SPDX-License-Identifier: ISC */
#include "base/json_read.h"

#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/digest.h"
#include "base/escape.h"
#include "base/mem.h"
#include "base/timestamp.h"

struct json {
	char *text; /* a copy; texts are decoded in place */
	struct json_value *values;
	size_t used, size;
};

struct parser {
	struct json *json;
	char *at, *end;
	unsigned depth;
};

/* Each value but the first stands behind one of these, outside of texts. */
static size_t
count_values(const char *text, size_t len)
{
	size_t count = 1;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (c == '"')
			quoted = !quoted;
		else if (quoted && c == '\\')
			i++;
		else if (!quoted && (c == ',' || c == '[' || c == '{'))
			count++;
	}
	return count;
}

static void
skip_space(struct parser *parser)
{
	while (parser->at < parser->end && *parser->at != '\0' &&
	       strchr(" \t\r\n", *parser->at) != NULL)
		parser->at++;
}

/* Takes c, with white space before it. */
static bool
take_octet(struct parser *parser, char c)
{
	skip_space(parser);
	if (parser->at == parser->end || *parser->at != c)
		return false;
	parser->at++;
	return true;
}

static bool
take_word(struct parser *parser, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(parser->end - parser->at) < len ||
	    memcmp(parser->at, word, len) != 0)
		return false;
	parser->at += len;
	return true;
}

static bool
take_hex4(struct parser *parser, uint32_t *unit)
{
	uint64_t number;

	if (parser->end - parser->at < 4 ||
	    !digest_hex_number(parser->at, 4, &number))
		return false;
	*unit = (uint32_t)number;
	parser->at += 4;
	return true;
}

/* Behind "\u". A NUL is refused: our texts end with one. */
static bool
take_point(struct parser *parser, uint32_t *point)
{
	uint32_t low;

	if (!take_hex4(parser, point) || *point == 0)
		return false;
	if (*point < 0xd800 || *point > 0xdfff)
		return true;
	if (*point > 0xdbff || !take_word(parser, "\\u") ||
	    !take_hex4(parser, &low) || low < 0xdc00 || low > 0xdfff)
		return false;
	*point = 0x10000 + ((*point - 0xd800) << 10) + (low - 0xdc00);
	return true;
}

/* Writes point as UTF-8, which is never longer than its escape. */
static char *
put_utf8(char *out, uint32_t point)
{
	static const struct {
		uint32_t below;
		unsigned char lead;
	} forms[] = {
	    {0x80, 0}, {0x800, 0xc0}, {0x10000, 0xe0}, {0x110000, 0xf0}};
	unsigned more = 0;

	while (point >= forms[more].below)
		more++;
	*out++ = (char)(forms[more].lead | point >> (6 * more));
	while (more-- > 0)
		*out++ = (char)(0x80 | (point >> (6 * more) & 0x3f));
	return out;
}

/* Behind a backslash; NULL where it is no escape. */
static char *
take_escape(struct parser *parser, char *out)
{
	static const char names[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
	uint32_t point;

	if (parser->at == parser->end || *parser->at == '\0')
		return NULL;
	char c = *parser->at++;
	if (c == 'u')
		return take_point(parser, &point) ? put_utf8(out, point) : NULL;
	const char *name = strchr(names, c);
	if (name == NULL)
		return NULL;
	*out++ = means[name - names];
	return out;
}

/* NULL: it is no text. The result is in place, NUL-terminated. */
static char *
take_text(struct parser *parser)
{
	if (!take_octet(parser, '"'))
		return NULL;
	char *start = parser->at, *out = start;
	while (parser->at < parser->end) {
		char c = *parser->at++;
		if (c == '"') {
			*out = '\0';
			return start;
		}
		if (!escape_is_printable(c))
			return NULL;
		if (c != '\\')
			*out++ = c;
		else if ((out = take_escape(parser, out)) == NULL)
			return NULL;
	}
	return NULL;
}

static size_t
take_digits(struct parser *parser)
{
	char *start = parser->at;

	while (parser->at < parser->end && *parser->at >= '0' &&
	       *parser->at <= '9')
		parser->at++;
	return (size_t)(parser->at - start);
}

static bool
take_json_number(struct parser *parser, struct json_value *value)
{
	value->type = JSON_NUMBER;
	value->text = parser->at;
	(void)take_word(parser, "-");
	const char *first = parser->at;
	size_t digits = take_digits(parser);
	if (digits == 0 || (digits > 1 && *first == '0'))
		return false;
	if (take_word(parser, ".") && take_digits(parser) == 0)
		return false;
	if (take_word(parser, "e") || take_word(parser, "E")) {
		if (!take_word(parser, "+"))
			(void)take_word(parser, "-");
		if (take_digits(parser) == 0)
			return false;
	}
	value->len = (size_t)(parser->at - value->text);
	return true;
}

static struct json_value *take_value(struct parser *parser);

static bool
known(const struct json_value *first, const char *key)
{
	for (; first != NULL; first = first->next)
		if (strcmp(first->key, key) == 0)
			return true;
	return false;
}

static bool
take_members(struct parser *parser, struct json_value *parent)
{
	bool object = parent->type == JSON_OBJECT;
	char close = object ? '}' : ']';
	struct json_value **link = &parent->child;

	if (take_octet(parser, close))
		return true;
	do {
		const char *key = NULL;
		if (object) {
			key = take_text(parser);
			if (key == NULL || !take_octet(parser, ':') ||
			    known(parent->child, key))
				return false;
		}
		struct json_value *value = take_value(parser);
		if (value == NULL)
			return false;
		value->key = key;
		*link = value;
		link = &value->next;
	} while (take_octet(parser, ','));
	return take_octet(parser, close);
}

static bool
take_composite(
    struct parser *parser, struct json_value *value, enum json_type type)
{
	value->type = type;
	parser->at++;
	if (parser->depth == JSON_DEPTH_MAX)
		return false;
	parser->depth++;
	bool taken = take_members(parser, value);
	parser->depth--;
	return taken;
}

static bool
take_into(struct parser *parser, struct json_value *value)
{
	static const struct {
		const char *word;
		enum json_type type;
	} words[] = {
	    {"null", JSON_NULL}, {"false", JSON_FALSE}, {"true", JSON_TRUE}};

	if (*parser->at == '{')
		return take_composite(parser, value, JSON_OBJECT);
	if (*parser->at == '[')
		return take_composite(parser, value, JSON_ARRAY);
	if (*parser->at == '"') {
		value->type = JSON_TEXT;
		value->text = take_text(parser);
		return value->text != NULL;
	}
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (take_word(parser, words[i].word)) {
			value->type = words[i].type;
			return true;
		}
	}
	return take_json_number(parser, value);
}

static struct json_value *
take_value(struct parser *parser)
{
	struct json *json = parser->json;

	skip_space(parser);
	if (parser->at == parser->end || json->used == json->size)
		return NULL;
	struct json_value *value = &json->values[json->used++];
	return take_into(parser, value) ? value : NULL;
}

struct json *
json_parse(const char *text, size_t len)
{
	struct json *json = xcalloc(1, sizeof *json);

	json->text = xmalloc(len + 1);
	memcpy(json->text, text, len);
	json->text[len] = '\0';
	json->size = count_values(text, len);
	if (json->size <= JSON_VALUES_MAX) {
		struct parser parser = {
		    .json = json, .at = json->text, .end = json->text + len};
		json->values = xcalloc(json->size, sizeof *json->values);
		if (take_value(&parser) != NULL) {
			skip_space(&parser);
			if (parser.at == parser.end)
				return json;
		}
	}
	json_free(json);
	return NULL;
}

void
json_free(struct json *json)
{
	if (json == NULL)
		return;
	free(json->values);
	free(json->text);
	free(json);
}

const struct json_value *
json_root(const struct json *json)
{
	return json->values;
}

const struct json_value *
json_member(const struct json_value *object, const char *key)
{
	if (object == NULL || object->type != JSON_OBJECT)
		return NULL;
	for (const struct json_value *v = object->child; v != NULL; v = v->next)
		if (strcmp(v->key, key) == 0)
			return v;
	return NULL;
}

const char *
json_get_text(
    const struct json_value *object, const char *key, const char *fallback)
{
	const struct json_value *value = json_member(object, key);

	return value != NULL && value->type == JSON_TEXT ? value->text
							 : fallback;
}

bool
json_get_bool(const struct json_value *object, const char *key, bool fallback)
{
	const struct json_value *value = json_member(object, key);

	if (value == NULL)
		return fallback;
	if (value->type == JSON_TRUE)
		return true;
	return value->type == JSON_FALSE ? false : fallback;
}

/* What stands behind the digits of a whole number; NULL: it is none. */
static const char *
whole_number(const struct json_value *value, uint64_t max, int64_t *number)
{
	uint64_t read;

	if (value == NULL || value->type != JSON_NUMBER)
		return NULL;
	size_t digits = decimal_digits(value->text, value->len, &read);
	*number = (int64_t)read;
	return digits > 0 && read <= max ? value->text + digits : NULL;
}

int64_t
json_get_number(
    const struct json_value *object, const char *key, int64_t fallback)
{
	int64_t number;
	const struct json_value *value = json_member(object, key);
	const char *rest = whole_number(value, INT64_MAX, &number);

	return rest != NULL && rest == value->text + value->len ? number
								: fallback;
}

uint64_t
json_get_count(const struct json_value *object, const char *key)
{
	int64_t count = json_get_number(object, key, 0);

	return count > 0 ? (uint64_t)count : 0;
}

int64_t
json_get_seconds(
    const struct json_value *object, const char *key, int64_t fallback)
{
	int64_t ms;
	const struct json_value *value = json_member(object, key);
	const char *rest = whole_number(value, INT64_MAX / 1000 - 1, &ms);

	if (rest == NULL)
		return fallback;
	const char *end = value->text + value->len;
	ms *= 1000;
	if (rest < end && *rest == '.')
		rest++;
	for (int64_t unit = 100; rest < end && *rest >= '0' && *rest <= '9';
	     rest++, unit /= 10)
		ms += (*rest - '0') * unit;
	return rest == end ? ms : fallback;
}

int64_t
json_get_time(const struct json_value *object, const char *key)
{
	int64_t ms;
	const char *text = json_get_text(object, key, NULL);

	return text != NULL && timestamp_parse_utc(text, &ms) ? ms : 0;
}

bool
json_read_id(const struct json_value *value, uint64_t *id)
{
	return value != NULL && value->type == JSON_TEXT &&
	       strlen(value->text) == DIGEST_NUMBER_DIGITS &&
	       digest_hex_number(value->text, DIGEST_NUMBER_DIGITS, id);
}
