/* SPDX-License-Identifier: ISC */
/*
 * TLS and the login of a customer.
 */
#include "desk_private.h"

#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "net/tls_server.h"
#include "provider/note.h"
#include "provider/place.h"
#include "tell/log.h"

enum {
	/* A wrong password costs a guesser more than a customer, and nobody
	 * writes lines into the log as fast as he can: each login that fails has
	 * one. Counted from the response, so that the time tells nothing of what
	 * was computed. */
	BAD_LOGIN_MS = 2000,
	EXCHANGE_MAX = PROVIDER_RESPONSE_MAX,
};

bool
desk_start_tls(struct desk *desk)
{
	struct error err;

	if (!tls_server_start(
		desk->options->tls, desk->stream, &desk->deadline, &err)) {
		desk_lose(desk, &err);
		return false;
	}
	tls_info(desk->stream, &desk->info);
	bool bound = tls_binding(desk->stream, &desk->binding);
	struct verify_options options = {
	    .config = desk->config,
	    .binding = bound ? &desk->binding : NULL,
	    .pin = desk->info.pin,
	    .peer_addr = desk->options->peer_addr,
	    .local_addr = desk->options->local_addr,
	    .limit = &desk->deadline,
	};
	desk->verify = verify_new(&options);
	return true;
}

/* At what time it is answered that the login failed, if it fails; NULL: it is not
 * going on. */
static void
note_wait(struct desk *desk, const struct deadline *pause)
{
	atomic_store(
	    &desk->options->place->waits_until, pause != NULL ? pause->at : 0);
}

/* What EHLO lists must be known before it is asked. */
void
desk_find_mechanisms(struct desk *desk)
{
	struct deadline pause = deadline_in(BAD_LOGIN_MS, 0);
	struct error err;

	if (verify_mechanisms(desk->verify, desk->mechanisms, &err))
		return;
	log_say(CONFIG_LOG_ERROR, NULL, "login-unavailable", "%s", err.text);
	note_wait(desk, &pause);
	(void)deadline_wait(&pause, -1, 0);
	desk_stop_with(desk, "4.3.0", "logins cannot be checked now");
}

/*
 * login-failed is for fail2ban: only what a guesser does. Whoever comes while
 * the passwords cannot be read, or with a mechanism that his hash does not
 * serve, must not be locked out.
 */
static void
log_login(struct desk *desk, enum provider_login login, const struct error *err)
{
	static const struct {
		enum config_log_level level;
		const char *event;
	} rows[] = {
	    [PROVIDER_LOGIN_GOOD] = {CONFIG_LOG_INFO, "login"},
	    [PROVIDER_LOGIN_BAD] = {CONFIG_LOG_WARNING, "login-failed"},
	    [PROVIDER_LOGIN_LATER] = {CONFIG_LOG_ERROR, "login-unavailable"},
	    [PROVIDER_LOGIN_UNABLE] = {CONFIG_LOG_DEBUG, "login-mechanism"},
	    [PROVIDER_LOGIN_MALFORMED] = {CONFIG_LOG_WARNING, "login-failed"},
	};
	struct log_line line;

	log_begin(&line, rows[login].level, desk_account_name(desk),
	    rows[login].event);
	if (login == PROVIDER_LOGIN_LATER)
		log_sentence(&line, "%s", err->text);
	log_text(&line, "user", verify_user(desk->verify));
	log_text(&line, "address", desk->options->peer_addr);
	log_text(&line, "version",
	    login == PROVIDER_LOGIN_GOOD ? desk->info.version : NULL);
	log_end(&line);
}

static void
end_login(struct desk *desk, enum provider_login login,
    const struct deadline *pause, const struct error *err)
{
	const char *user = verify_user(desk->verify);

	if (login == PROVIDER_LOGIN_GOOD) {
		desk->account = provider_config_user(desk->config, user);
		/* Dovecot knows more users than have an account here. */
		if (desk->account == NULL)
			login = PROVIDER_LOGIN_BAD;
	}
	log_login(desk, login, err);
	if (login == PROVIDER_LOGIN_BAD || login == PROVIDER_LOGIN_MALFORMED)
		atomic_fetch_add(&desk->options->place->failed_logins, 1);
	/* 504 has no line, and the customer tries another mechanism at once. */
	if (login != PROVIDER_LOGIN_GOOD && login != PROVIDER_LOGIN_UNABLE)
		(void)deadline_wait(pause, -1, 0);
	provider_logged_in(desk->engine, login);
	if (desk->account != NULL)
		note_send(desk->options->gate, NOTE_LOGGED_IN,
		    (uint32_t)(desk->account - desk->config->accounts), -1);
}

void
desk_on_login(struct desk *desk, const struct provider_event *event)
{
	struct deadline pause = deadline_in(BAD_LOGIN_MS, 0);
	enum provider_login login = PROVIDER_LOGIN_LATER;
	struct error err = {.class = ERROR_NONE};
	const char *response = event->response;
	enum verify_result result;
	struct buf out;

	buf_init(&out, EXCHANGE_MAX);
	/* Dovecot itself waits before it says that a password is wrong. */
	note_wait(desk, &pause);
	if (event->type == PROVIDER_AUTH)
		result = verify_begin(desk->verify, event->mechanism,
		    event->initial ? response : NULL, event->response_len, &out,
		    &login, &err);
	else
		result = verify_respond(desk->verify, response,
		    event->response_len, &out, &login, &err);
	if (result == VERIFY_CHALLENGE)
		provider_challenge(desk->engine, buf_data(&out), buf_len(&out));
	else
		end_login(desk, login, &pause, &err);
	note_wait(desk, NULL);
	buf_clear(&out);
}
