/* SPDX-License-Identifier: Apache-2.0
 *
 * The guest's disks beside its first, and what the sums of all parts are
 * made with.
 */
#ifndef DRIVES_H
#define DRIVES_H

#include <stdint.h>

enum { BLOCK = 4096 };

static const uint64_t STRIDE = 0x9E3779B97F4A7C15ULL;
static const uint64_t FNV = 0x100000001B3ULL;

/* Read all there are, those that have come since too, and write to them.
 * "ok", or what is wrong with which: "stale:vdb". */
const char *check_drives(uint64_t seed);

/* What they held at the last check: " more=vdb:<hex>,sr0:<hex>", or nothing
 * where there is none. */
const char *drive_sums(void);

#endif
