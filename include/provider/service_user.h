/*
 * service_user - the user that odmr-provider runs as (the key `user`), and what
 * root does on its behalf.
 *
 * What root makes for the service belongs to root and to the group of that
 * user, so that the service can read its keys and passwords, also at a reload,
 * and can change neither. All of it does nothing where the program was not
 * started by root.
 */
#ifndef ODMR_PROVIDER_SERVICE_USER_H
#define ODMR_PROVIDER_SERVICE_USER_H

#include <stdbool.h>

struct error;
struct provider_config;

/* For good, with the groups of the user. Errors: ERROR_CONFIG, there is no such
 * user; ERROR_SYSTEM. */
bool service_user_become(const struct provider_config *config,
    struct error *err) __attribute__((warn_unused_result));
/* Makes run_dir, where it is missing, for that user; systemd does it for its
 * service. A failure is told when the first file is written there. */
void service_user_make_run_dir(const struct provider_config *config);
/* Files that are made from here on are for the service to read. */
void service_user_share_files(const struct provider_config *config);
/* From here on files are opened as the service would open them, with postdrop
 * among its groups; until service_user_return(). */
void service_user_try(const struct provider_config *config);
void service_user_return(void);

#endif
