/*
 * gate - `odmr-provider run`: who comes in, and who has an account's place.
 *
 * Listens for customers and for Postfix, and gives each customer a process of
 * its own (desk). Of the calls of an account the newest wins: at once where the
 * old one is only held, after ten seconds of silence where it is turned. It
 * neither speaks TLS nor SMTP, but for a 421.
 */
#ifndef ODMR_PROVIDER_GATE_H
#define ODMR_PROVIDER_GATE_H

struct provider_config;

enum {
	/* Of Postfix' connections, so many wait for a customer's next call; each
	 * takes one of the processes that Postfix starts for its transport: a
	 * hundred where nobody changed it. */
	GATE_EARLY_MAX = 50,
};

struct gate_options {
	/* Owned by the gate from here on; replaced at SIGHUP. */
	struct provider_config *config;
	const char *config_path;
};

/* Until SIGTERM or SIGINT. The exit status of the program. */
int gate_run(const struct gate_options *options);

#endif
