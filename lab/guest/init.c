/* SPDX-License-Identifier: Apache-2.0
 *
 * The lab guest's only process.  It fills most of the guest's memory with a
 * pattern that no other boot has, mounts its disk, and then proves, a line
 * at a time on the console, that both are still there:
 *
 *   BOOT boot_id=<uuid> kernel=<release> cpus=<list> nodes=<list>
 *   NODE id=<n> total_kib=<n>                    one for each guest cell
 *   FILL pattern_mib=<n> total_mib=<n>
 *   TICK n=<n> passes=<n> bad=<words> sum=<hex> disk=<ok|what> records=<n>
 *        boot_id=<uuid>[ more=<disk>:<hex>,...]    (one line, 2 a second)
 *   POWEROFF
 *
 * Each tick runs on the next vCPU, so that the counter stops with any of
 * them, and verifies one slice of the pattern; SLICES ticks are one pass,
 * which is when "sum" and the disk are read anew, and so are the disks that
 * "more" is about (see drives.c).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "drives.h"

/* Each character on the console leaves the guest, which is slow where the
 * host is emulated: few lines, and short ones. */
enum { TICK_MS = 500, SLICES = 4, MAX_BUTTONS = 8, MAX_VIRTIO = 16 };

/* Share of the available memory that the pattern takes; a node that is full
 * to the brim makes the kernel give up. */
static const size_t FILL_PERCENT = 85;

static char boot_id[40];

static void read_line(const char *path, char *text, size_t size)
{
    int file = open(path, O_RDONLY);
    ssize_t length = file < 0 ? 0 : read(file, text, size - 1);

    text[length > 0 ? length : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    if (file >= 0)
        close(file);
}

static void mount_kernel_trees(void)
{
    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    mkdir("/dev", 0755);
    mkdir("/disk", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("sysfs", "/sys", "sysfs", 0, NULL);
    mount("dev", "/dev", "devtmpfs", 0, NULL);
}

/* Whether there is a virtio device of the kind that a directory of drivers
 * is for; that of all guests is called "base". */
static bool is_wanted(const char *kind)
{
    char path[64], id[16];

    for (int i = 0; i < MAX_VIRTIO; i++) {
        snprintf(path, sizeof path, "/sys/bus/virtio/devices/virtio%d/device",
                 i);
        read_line(path, id, sizeof id);
        if (*id && strtol(id, NULL, 16) == strtol(kind, NULL, 10))
            return true;
    }
    return !strcmp(kind, "base");
}

static void load_module(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (syscall(SYS_finit_module, file, "", 0) && errno != EEXIST)
        printf("MODULE %s: %s\n", path, strerror(errno));
    close(file);
}

/* Load what is wanted of /modules in the order of the names; all is
 * deleted, since the initramfs is memory too. */
static void load_modules(const char *kind)
{
    struct dirent **names;
    char path[600];
    bool wanted = is_wanted(kind);

    snprintf(path, sizeof path, "/modules/%s", kind);
    int count = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        if (names[i]->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/modules/%s/%s", kind,
                 names[i]->d_name);
        if (wanted)
            load_module(path);
        unlink(path);
    }
}

static void load_drivers(void)
{
    struct dirent **kinds;
    int count = scandir("/modules", &kinds, NULL, alphasort);

    for (int i = 0; i < count; i++)
        if (kinds[i]->d_name[0] != '.')
            load_modules(kinds[i]->d_name);
}

static size_t meminfo_kib(const char *key)
{
    char line[128], format[64];
    size_t value = 0;
    FILE *file = fopen("/proc/meminfo", "r");

    snprintf(format, sizeof format, "%s: %%zu", key);
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, format, &value) == 1)
            break;
    if (file)
        fclose(file);
    return value;
}

static void print_boot(void)
{
    struct utsname name;
    char cpus[64], nodes[64], path[80], line[128];
    size_t total;

    uname(&name);
    read_line("/proc/sys/kernel/random/boot_id", boot_id, sizeof boot_id);
    read_line("/sys/devices/system/cpu/online", cpus, sizeof cpus);
    read_line("/sys/devices/system/node/online", nodes, sizeof nodes);
    printf("BOOT boot_id=%s kernel=%s cpus=%s nodes=%s\n", boot_id,
           name.release, cpus, nodes);
    for (int node = 0; node < 8; node++) {
        snprintf(path, sizeof path,
                 "/sys/devices/system/node/node%d/meminfo", node);
        read_line(path, line, sizeof line);
        if (sscanf(line, "Node %*d MemTotal: %zu", &total) == 1)
            printf("NODE id=%d total_kib=%zu\n", node, total);
    }
}

/* --- the pattern ------------------------------------------------------ */

static uint64_t *pattern;
static size_t words;
static uint64_t seed;

static uint64_t word_at(size_t i)
{
    return (i + 1) * STRIDE ^ seed;
}

/* The boot id is random, so a rebooted guest cannot show the same sum. */
static void fill_pattern(void)
{
    size_t size = meminfo_kib("MemAvailable") * FILL_PERCENT / 100
                  >> 10 << 20;

    for (const char *c = boot_id; *c; c++)
        seed = (seed ^ (uint64_t)*c) * FNV;
    pattern = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    words = size / sizeof *pattern;
    for (size_t i = 0; i < words; i++)
        pattern[i] = word_at(i);
    printf("FILL pattern_mib=%zu total_mib=%zu\n", size >> 20,
           meminfo_kib("MemTotal") >> 10);
}

static void verify_slice(size_t slice, uint64_t *sum, unsigned long *bad)
{
    size_t from = words * slice / SLICES, to = words * (slice + 1) / SLICES;

    for (size_t i = from; i < to; i++) {
        *sum = (*sum ^ pattern[i]) * FNV;
        *bad += pattern[i] != word_at(i);
    }
}

/* --- the disk --------------------------------------------------------- */

static int records_file = -1;
static unsigned long records;

/* O_DIRECT, so that the disk is read and not the memory that came along. */
static const char *check_known_file(void)
{
    static char block[BLOCK] __attribute__((aligned(BLOCK)));
    int file = open("/disk/known", O_RDONLY | O_DIRECT | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, block, BLOCK);

    if (file >= 0)
        close(file);
    if (length != BLOCK)
        return "unreadable";
    for (int i = 0; i < BLOCK; i++)
        if (block[i] != "0123456789abcdef"[i % 16])
            return "changed";
    return "ok";
}

/* One more record, flushed; the file must hold exactly what was written. */
static const char *write_record(void)
{
    char record[64];
    struct stat state;

    snprintf(record, sizeof record, "%-36s %10lu", boot_id, records + 1);
    record[47] = '\n';
    if (records_file < 0 || write(records_file, record, 48) != 48)
        return "unwritable";
    if (fsync(records_file) || fstat(records_file, &state))
        return "unflushable";
    records++;
    return state.st_size == (off_t)(48 * records) ? "ok" : "lost-records";
}

static void mount_disk(void)
{
    struct stat state;

    for (int i = 0; i < 50 && access("/dev/vda", F_OK); i++)
        usleep(100 * 1000);
    if (mount("/dev/vda", "/disk", "ext4", MS_NOATIME, NULL))
        printf("DISK mount: %s\n", strerror(errno));
    records_file = open("/disk/records",
                        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (records_file >= 0 && !fstat(records_file, &state))
        records = (unsigned long)state.st_size / 48;
}

static const char *check_disk(void)
{
    const char *answer = check_known_file();

    if (!strcmp(answer, "ok"))
        answer = write_record();
    return strcmp(answer, "ok") ? answer : check_drives(seed);
}

/* --- the network ------------------------------------------------------ */

/* Of 10.89.0.0/24, ending as its hardware address does: it answers pings
 * there. */
static void set_address(void)
{
    int file = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "eth0"};
    struct sockaddr_in *address = (struct sockaddr_in *)&request.ifr_addr;

    if (!ioctl(file, SIOCGIFHWADDR, &request)) {
        uint8_t last = (uint8_t)request.ifr_hwaddr.sa_data[5];
        *address = (struct sockaddr_in){
            .sin_family = AF_INET,
            .sin_addr.s_addr = htonl(0x0A590000U | last),
        };
        ioctl(file, SIOCSIFADDR, &request);
        address->sin_addr.s_addr = htonl(0xFFFFFF00U);
        ioctl(file, SIOCSIFNETMASK, &request);
        request.ifr_flags = IFF_UP | IFF_RUNNING;
        if (ioctl(file, SIOCSIFFLAGS, &request))
            printf("NETWORK eth0: %s\n", strerror(errno));
    }
    close(file);
}

/* --- the power button ------------------------------------------------- */

static struct pollfd buttons[MAX_BUTTONS];
static nfds_t button_count;

static void open_buttons(void)
{
    char path[40];

    for (int i = 0; i < MAX_BUTTONS; i++) {
        snprintf(path, sizeof path, "/dev/input/event%d", i);
        int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (file >= 0)
            buttons[button_count++] =
                (struct pollfd){.fd = file, .events = POLLIN};
    }
}

static void power_off(void)
{
    printf("POWEROFF\n");
    close(records_file);
    umount("/disk");
    sync();
    reboot(RB_POWER_OFF);
}

static void wait_tick(void)
{
    struct input_event event;

    if (poll(buttons, button_count, TICK_MS) <= 0)
        return;
    for (nfds_t i = 0; i < button_count; i++)
        while (read(buttons[i].fd, &event, sizeof event) == sizeof event)
            if (event.type == EV_KEY && event.code == KEY_POWER)
                power_off();
}

/* ---------------------------------------------------------------------- */

static void use_vcpu(unsigned long tick)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(tick % (unsigned long)sysconf(_SC_NPROCESSORS_ONLN), &one);
    sched_setaffinity(0, sizeof one, &one);
}

static void count_for_ever(void)
{
    unsigned long bad = 0, passes = 0;
    uint64_t sum = FNV, last_sum = 0;
    const char *disk = check_disk();

    for (unsigned long tick = 1;; tick++) {
        use_vcpu(tick);
        verify_slice((tick - 1) % SLICES, &sum, &bad);
        if (tick % SLICES == 0) {
            passes++;
            last_sum = sum;
            sum = FNV;
            disk = check_disk();
        }
        printf("TICK n=%lu passes=%lu bad=%lu sum=%016llx disk=%s "
               "records=%lu boot_id=%s%s\n", tick, passes, bad,
               (unsigned long long)last_sum, disk, records, boot_id,
               drive_sums());
        wait_tick();
    }
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    mount_kernel_trees();
    load_drivers();
    print_boot();
    mount_disk();
    set_address();
    open_buttons();
    fill_pattern();
    count_for_ever();
}
