/*
 * maildir - a delivery that writes into Maildirs, where there is no MTA.
 *
 * Each Maildir gets one file, with Return-Path, and Delivered-To for each of its
 * accepted recipients. The files are complete and, with sync, on the disk before
 * the first is renamed from tmp/ into new/, so that a crash at any point leaves
 * a whole message in new/ or none. Each rename comes with its result.
 */
#ifndef ODMR_DELIVER_MAILDIR_H
#define ODMR_DELIVER_MAILDIR_H

#include <stdbool.h>

struct delivery;

/* What it points to is borrowed for the life of the delivery. */
struct maildir_options {
	const char *name; /* as in the configuration */
	const char *path; /* absolute, with {user} and {domain} */
	bool create; /* a Maildir that is missing is made */
	bool sync; /* fsync of files and folders before the outcome */
	const char *hostname; /* the last part of each file's name */
};

struct delivery *maildir_new(const struct maildir_options *options);

#endif
