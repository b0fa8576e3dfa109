/* SPDX-License-Identifier: ISC */
/*
 * Compiled by the Makefile to learn whether relative relocations may be packed
 * (DT_RELR). A linker can know that before the C library that it links with: what
 * glibc before 2.36 starts would jump to addresses that nobody relocated. musl does
 * not tell its version; OpenWrt sets the linker's flag itself.
 */
#include <features.h>

#if !__GLIBC_PREREQ(2, 36)
#error "glibc does not know DT_RELR"
#endif

int
main(void)
{
	return 0;
}
