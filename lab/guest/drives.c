/* SPDX-License-Identifier: Apache-2.0
 *
 * Whatever disks the guest has beside its first: swap, ephemeral disks,
 * volumes, a config drive.  The last MiB of each that can be written to
 * holds, in its first block, the number of the last check, and a pattern
 * that no other boot has.  So a disk that is older or newer than the memory
 * that came with it shows, and so does one that was made anew.  Of a disk
 * that can only be read it is the first MiB that must not change.
 */
#define _GNU_SOURCE
#include "drives.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { AREA = 1 << 20 };

struct drive {
    const char *name;
    bool present, writable;
    int file;
    off_t at;
    ssize_t length;
    unsigned long checks;
    uint64_t sum;
};

static struct drive drives[] = {
    {.name = "vdb"}, {.name = "vdc"}, {.name = "vdd"}, {.name = "sr0"},
};
enum { DRIVES = sizeof drives / sizeof *drives };

/* O_DIRECT asks for an aligned buffer; one is enough for all. */
static union {
    uint64_t words[AREA / sizeof(uint64_t)];
    char record[BLOCK];
} area __attribute__((aligned(BLOCK)));

static void put_record(const struct drive *drive)
{
    memset(area.record, 0, BLOCK);
    snprintf(area.record, BLOCK, "%s %lu", drive->name, drive->checks);
}

static bool write_area(const struct drive *drive, ssize_t length)
{
    put_record(drive);
    return pwrite(drive->file, &area, (size_t)length, drive->at) == length
           && !fsync(drive->file);
}

static void open_drive(struct drive *drive, uint64_t seed)
{
    char path[16];

    snprintf(path, sizeof path, "/dev/%s", drive->name);
    drive->file = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
    drive->writable = drive->file >= 0;
    if (!drive->writable)
        drive->file = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (drive->file < 0)
        return;
    off_t blocks = lseek(drive->file, 0, SEEK_END) / BLOCK;
    drive->length = blocks * BLOCK < AREA ? blocks * BLOCK : AREA;
    if (drive->writable) {
        drive->at = blocks * BLOCK - drive->length;
        for (size_t i = 0; i < AREA / sizeof(uint64_t); i++)
            area.words[i] = (i + 1) * STRIDE ^ seed;
    }
    drive->present = !drive->writable || write_area(drive, drive->length);
}

static uint64_t sum_of(const struct drive *drive)
{
    uint64_t sum = FNV;
    size_t first = drive->writable ? BLOCK : 0;

    for (size_t i = first; i < (size_t)drive->length; i += sizeof(uint64_t))
        sum = (sum ^ area.words[i / sizeof(uint64_t)]) * FNV;
    return sum;
}

static const char *check_drive(struct drive *drive)
{
    char expected[32];

    snprintf(expected, sizeof expected, "%s %lu", drive->name,
             drive->checks);
    if (pread(drive->file, &area, (size_t)drive->length, drive->at)
        != drive->length)
        return "unreadable";
    if (drive->writable && strncmp(area.record, expected, sizeof expected))
        return "stale";
    uint64_t sum = sum_of(drive);
    if (drive->sum && sum != drive->sum)
        return "changed";
    drive->sum = sum;
    drive->checks++;
    if (drive->writable && !write_area(drive, BLOCK))
        return "unwritable";
    return "ok";
}

const char *check_drives(uint64_t seed)
{
    static char what[32];

    for (int i = 0; i < DRIVES; i++) {
        if (!drives[i].present)
            open_drive(&drives[i], seed);
        if (!drives[i].present)
            continue;
        const char *answer = check_drive(&drives[i]);
        if (strcmp(answer, "ok")) {
            snprintf(what, sizeof what, "%s:%s", answer, drives[i].name);
            return what;
        }
    }
    return "ok";
}

const char *drive_sums(void)
{
    static char text[128];
    size_t length = 0;

    text[0] = '\0';
    for (int i = 0; i < DRIVES; i++)
        if (drives[i].present)
            length += (size_t)snprintf(
                text + length, sizeof text - length, "%s%s:%08x",
                length ? "," : " more=", drives[i].name,
                (unsigned)drives[i].sum);
    return text;
}
