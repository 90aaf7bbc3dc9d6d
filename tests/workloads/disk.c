// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Known numbers of requests to a disk, past the page cache.
 *
 *   disk DEVICE
 *
 * Prints its pid; per call its name, how often it was made and its bytes; and
 * what /proc/diskstats counted meanwhile: reads, writes (with their units of
 * 512 bytes) and flushes.
 */
#define _GNU_SOURCE
#include "clock.h"
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* All primes. */
#define WRITES 211
#define READS 103
#define SYNCS 7

#define WRITE_BYTES 4096
#define READ_BYTES 8192

struct counts {
	unsigned long reads, read_sectors, writes, written_sectors, flushes;
};

static struct counts counted(const char *device)
{
	const char *name = strrchr(device, '/') + 1;
	struct counts now = {0};
	char line[512], found[64];
	FILE *stats = fopen("/proc/diskstats", "r");

	must(stats != NULL, "/proc/diskstats");
	while (fgets(line, sizeof(line), stats)) {
		struct counts row = {0};
		int fields = sscanf(line,
				    "%*u %*u %63s %lu %*u %lu %*u %lu %*u %lu "
				    "%*u %*u %*u %*u %*u %*u %*u %*u %lu",
				    found, &row.reads, &row.read_sectors,
				    &row.writes, &row.written_sectors,
				    &row.flushes);

		if (fields == 6 && !strcmp(found, name))
			now = row;
	}
	fclose(stats);
	return now;
}

int main(int argc, char **argv)
{
	struct counts before, after;
	void *buffer = NULL;
	int disk;

	must(argc == 2, "usage: disk DEVICE");
	disk = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
	must(disk >= 0, argv[1]);
	must(!posix_memalign(&buffer, 4096, READ_BYTES), "posix_memalign");
	memset(buffer, 'x', READ_BYTES);
	before = counted(argv[1]);
	for (long i = 0; i < WRITES; i++) {
		must(pwrite(disk, buffer, WRITE_BYTES, i * 5 * WRITE_BYTES) ==
			 WRITE_BYTES,
		     "pwrite");
		if (i % 31 == 30 || i == WRITES - 1)
			must(!fsync(disk), "fsync");
	}
	for (long i = 0; i < READS; i++)
		must(pread(disk, buffer, READ_BYTES, i * 3 * READ_BYTES) ==
			 READ_BYTES,
		     "pread");
	after = counted(argv[1]);
	printf("pid %d\n", getpid());
	printf("pwrite64 %d %d\n", WRITES, WRITES * WRITE_BYTES);
	printf("pread64 %d %d\n", READS, READS * READ_BYTES);
	printf("fsync %d 0\n", SYNCS);
	printf("kernel %lu %lu %lu %lu %lu\n", after.reads - before.reads,
	       after.read_sectors - before.read_sectors,
	       after.writes - before.writes,
	       after.written_sectors - before.written_sectors,
	       after.flushes - before.flushes);
	return 0;
}
