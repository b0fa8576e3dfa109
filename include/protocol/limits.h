/*
 * limits - every limit of the reversed connection, with its reason.
 */
#ifndef ODMR_PROTOCOL_LIMITS_H
#define ODMR_PROTOCOL_LIMITS_H

enum {
	/* RFC 5321 4.5.3.1.4 asks 512; AUTH=, ORCPT= and others add to it. */
	LIMIT_COMMAND = 4096,
	/* One read; below 64 KiB system calls and TLS records cost more. */
	LIMIT_INPUT = 65536,
	/* Replies that are not written yet before the input waits. */
	LIMIT_OUTPUT = 65536,
	/* RFC 5321 4.5.3.1.8 asks 100; a thousand bound an envelope to 1 MB of
	 * paths, and half of that of ORCPTs */
	LIMIT_RCPTS = 1000,
	/* Commands in a row that make no sense: no SMTP client is there. */
	LIMIT_ERRORS = 20,
	/* Refusals in a row of what honest providers send as well (addresses
	 * and parameters that we do not know, and what was pipelined behind a
	 * refused MAIL): ten times the largest group. More is a flood. */
	LIMIT_EXCUSED = 10 * LIMIT_RCPTS,
	/* RFC 5321 6.3 */
	LIMIT_RECEIVED = 100,
	/* Times that one message came through this agent: a loop, not a list */
	LIMIT_RECEIVED_OWN = 5,
	/* EHLO name; RFC 5321 4.5.3.1.2 */
	LIMIT_PEER_NAME = 255,
};

#endif
