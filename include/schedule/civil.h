/*
 * civil - the clock on the wall, across changes of its offset.
 *
 * Unix time is in ms, as everywhere. A civil time is the ms that Unix time
 * would have if the clock on the wall showed UTC. The zone is that of TZ or
 * /etc/localtime, as tzset(3) last read it.
 */
#ifndef ODMR_SCHEDULE_CIVIL_H
#define ODMR_SCHEDULE_CIVIL_H

#include <stdint.h>

enum { CIVIL_MINUTE = 60 * 1000, CIVIL_DAY = 24 * 60 * CIVIL_MINUTE };

int64_t civil_of(int64_t unix_ms);
/* 0 is Sunday, as tm_wday. */
int civil_weekday(int64_t civil);
/* The first moment of that day, itself a civil time. */
int64_t civil_midnight(int64_t civil);
/*
 * The first moment at which the wall shows this time or a later one: of two
 * such hours in autumn the first, and for one that spring leaves out the
 * moment of the change.
 */
int64_t civil_to_unix(int64_t civil);
/* The first moment after `after` and not after `until` at which the offset is
 * another than at `after`; `until` where there is none. At most a day apart. */
int64_t civil_change(int64_t after, int64_t until);

#endif
