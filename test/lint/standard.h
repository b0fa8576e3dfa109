/* SPDX-License-Identifier: ISC */
/*
 * standard - every name that C and POSIX declare, before a source is read.
 *
 * A file-scope name of ours that one of them has is an error as soon as a
 * newer C library declares it in a header that we include: C23 moved
 * call_once() to <stdlib.h>. Left out: <complex.h>, <iso646.h> and <tgmath.h>,
 * whose macros nobody sees who does not ask for them. And what cmocka 2 has, of
 * the unit tests, where we would have a name for it.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include <aio.h>
#include <assert.h>
#include <cpio.h>
#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <float.h>
#include <fmtmsg.h>
#include <fnmatch.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <iconv.h>
#include <inttypes.h>
#include <langinfo.h>
#include <libgen.h>
#include <libintl.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <monetary.h>
#include <mqueue.h>
#include <netdb.h>
#include <nl_types.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <regex.h>
#include <sched.h>
#include <search.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>
#include <tar.h>
#include <termios.h>
#include <threads.h>
#include <time.h>
#include <uchar.h>
#include <ulimit.h>
#include <unistd.h>
#include <utmpx.h>
#include <wchar.h>
#include <wctype.h>
#include <wordexp.h>

/* C23 and POSIX.1-2024; the C library at hand may be older. */
const char *getlocalename_l(int, locale_t);
int sig2str(int, char *);
int str2sig(const char *, int *);
int tcsetwinsize(int, const struct winsize *);
int tcgetwinsize(int, struct winsize *);
int timespec_getres(struct timespec *, int);
size_t memalignment(const void *);
size_t strlcat(char *, const char *, size_t);
size_t strlcpy(char *, const char *, size_t);
size_t wcslcat(wchar_t *, const wchar_t *, size_t);
size_t wcslcpy(wchar_t *, const wchar_t *, size_t);
ssize_t posix_getdents(int, void *, size_t, int);
void *memset_explicit(void *, int, size_t);
void free_aligned_sized(void *, size_t, size_t);
void free_sized(void *, size_t);
/* cmocka 2, where it is a macro. */
void stop(void);
