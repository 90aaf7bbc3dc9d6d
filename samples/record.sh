#!/bin/sh
# Records all samples anew, and what their workloads said, as NAME.ktape and NAME.txt.
#
#   sudo samples/record.sh [NAME..]        KTAPE=path/to/ktape (default: target/release/ktape)
#
# Needs root, a C compiler and make. From Debian, for pgbench and commits postgresql, for disk fio,
# for tcp iproute2 (and /dev/net/tun), for churn stress-ng, for h2load and grpc(-tls) nghttp2-client,
# nghttp2-server, golang-go
# and golang-google-grpc-dev. Afterwards: cargo xtask bless.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
ktape=$(realpath "${KTAPE:-$here/../target/release/ktape}")
work=$(mktemp -d /tmp/ktape-samples.XXXXXX)
chmod 755 "$work"
# The trace tells the command line: let it be that of a user who has ktape installed.
mkdir "$work/bin"
ln -s "$ktape" "$work/bin/ktape"
PATH="$work/bin:$PATH"
ktape=ktape
server=
stop() {
	[ -z "$server" ] || runuser -u postgres -- "$server/pg_ctl" -D "$work/pg/data" -m immediate stop >/dev/null || true
	rm -rf "$work"
}
trap stop EXIT

# record NAME COMMAND-LINE: the command line as it is told, run in the working folder.
record() {
	name=$1
	shift
	echo "$name: ktape record $*"
	{
		echo "# ktape record $*"
		echo "# kernel $(uname -r), $(date -u +%Y-%m-%d)"
	} >"$here/$name.txt"
	# Not right into the project: a trace can hold the path of the output.
	(cd "$work" && "$ktape" record -o "$work/$name.ktape" "$@") >"$work/$name.txt" 2>"$work/stderr" || {
		cat "$work/stderr" >&2
		exit 1
	}
	cat "$work/$name.txt" >>"$here/$name.txt"
	cat "$work/stderr" >&2
	cat "$work/$name.ktape" >"$here/$name.ktape"
	"$ktape" verify -i "$here/$name.ktape"
	size=$(stat -c %s "$here/$name.ktape")
	[ "$size" -lt 1048576 ] || echo "$name.ktape has $size bytes: 1 MiB is the most" >&2
}

workload() {
	cc -O1 -g -fno-omit-frame-pointer -pthread -o "$work/$1" "$here/../tests/workloads/$1.c"
}

sample_waits() {
	workload waits
	record waits -e all -- ./waits
}

sample_calls() {
	workload calls
	record calls -e all -- ./calls
}

sample_forks() {
	workload forks
	record forks -e all -F 997 -- "$work/forks"
}

sample_tcp() {
	workload tcp_path
	record tcp -e tcp/every=100ms/ -- ./tcp_path 1000003 41 5000
}

# A library of 23 files and a program that uses them all.
sample_build() {
	mkdir "$work/build"
	objects=
	calls=
	for number in $(seq 1 23); do
		{
			echo '#include <stdio.h>'
			echo '#include <stdlib.h>'
			echo "static int order(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }"
			for part in $(seq 1 12); do
				echo "int part_${number}_$part(int *v, int n) { int s = $part; for (int i = 0; i < n; i++) { v[i] = v[i] * 31 + s; s ^= v[i] >> 3; } qsort(v, n, sizeof(int), order); return s; }"
			done
			echo "int file_$number(void) { int v[64] = { $number }; int s = 0; $(for part in $(seq 1 12); do printf 's += part_%s_%s(v, 64); ' "$number" "$part"; done) return s; }"
		} >"$work/build/file_$number.c"
		objects="$objects file_$number.o"
		calls="$calls int file_$number(void); s += file_$number();"
	done
	printf '#include <stdio.h>\nint main(void) { int s = 0; %s printf("%%d\\n", s); return 0; }\n' "$calls" >"$work/build/main.c"
	printf 'CFLAGS = -O2\nprogram: main.o%s\n\t$(CC) -o $@ $^\n' "$objects" >"$work/build/Makefile"
	record build -e all -F 199 -- make -s -j4 -C build
	echo "compiled 24" >>"$here/build.txt"
}

# A PostgreSQL server with a database of scale 10.
postgres() {
	[ -z "$server" ] || return 0
	server=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
	mkdir "$work/pg"
	chown postgres: "$work/pg"
	as() { (cd "$work/pg" && runuser -u postgres -- "$@"); }
	as "$server/initdb" -D "$work/pg/data" -A trust >/dev/null
	as "$server/pg_ctl" -w -D "$work/pg/data" -l "$work/pg/log" \
		-o "-p 54329 -c listen_addresses=127.0.0.1 -k $work/pg -c shared_buffers=256MB" start >/dev/null
	export PGPORT=54329
	as "$server/pgbench" -h "$work/pg" -i -s 10 -q postgres 2>/dev/null
	as "$server/psql" -h "$work/pg" -qc checkpoint postgres
}

sample_pgbench() {
	postgres
	# The server and the client are the user's: nothing else of the host is recorded.
	record pgbench -a -u "$(id -u postgres)" -e all -F 499 -- \
		runuser -u postgres -- "$server/pgbench" -h "$work/pg" -n -c 4 -j 2 -t 997 postgres
}

# What a commit waits for: the write-ahead log on a disk, other clients' rows, the network.
sample_commits() {
	postgres
	record commits -a -u "$(id -u postgres)" -e sched,block,tcp,locks -e io/min=1ms/ -- \
		runuser -u postgres -- "$server/pgbench" -h 127.0.0.1 -n -c 4 -j 2 -t 199 postgres
}

# Reads, writes and discards of a disk of our own by fio, which counts them, and PostgreSQL's.
sample_disk() {
	truncate -s 64M "$work/disk"
	loop=$(losetup --find --show "$work/disk")
	{
		printf '[global]\ndirect=1\nioengine=psync\nfilename=%s\nfsync=101\n' "$loop"
		printf '[write]\nrw=write\nbs=4k\nsize=4132864\n'
		printf '[read]\nstonewall\nrw=randread\nbs=8k\nsize=4120576\n'
		printf '[trim]\nstonewall\nrw=randtrim\nbs=64k\nsize=3997696\n'
	} >"$work/disk.fio"
	before=$(awk -v d="${loop#/dev/}" '$3 == d' /proc/diskstats)
	record disk -e block -e io/min=0s/ -- fio --output-format=json disk.fio || { losetup -d "$loop"; exit 1; }
	after=$(awk -v d="${loop#/dev/}" '$3 == d' /proc/diskstats)
	losetup -d "$loop"
	{
		echo "before $before"
		echo "after $after"
	} >>"$here/disk.txt"
}

# Both ends of h2load's connections to nghttpd.
sample_h2load() {
	mkdir "$work/www"
	head -c 1009 /dev/zero >"$work/www/file.bin"
	(cd "$work" && exec nghttpd --no-tls -d www 8907 >/dev/null 2>&1) &
	web=$!
	sleep 1
	record h2load -a -p "$web" -e h2 -- h2load -n 10007 -c 3 -m 10 http://127.0.0.1:8907/file.bin
	kill "$web"
}

# A server and a client of gRPC-Go in one process.
go_workload() {
	GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="$work/go-cache" \
		go build "$@" -o "$work/grpc" "$here/../tests/workloads/grpc.go"
}

sample_grpc() {
	go_workload
	record grpc -e h2 -- ./grpc
}

sample_grpc_tls() {
	go_workload -ldflags '-s -w'
	record grpc-tls -e h2 -- ./grpc tls
}

# Locks of programs, then one of the kernel.
sample_locks() {
	workload locks
	workload contend
	record locks -e locks -- sh -c './locks; ./contend'
}

# On a file system that has a disk below it: what tmpfs holds is never read in.
sample_memory() {
	workload faults
	record memory -e mem/kernel=all,every=200ms/ -- ./faults faults.dat
}

# What lives at the end, by stack.
sample_heap() {
	workload heap
	record heap -e mem/heap=all/ -- ./heap
}

# What the kernel allocates for names of files that come and go.
sample_churn() {
	record churn -e mem/kernel=all,stacks=none/ -- stress-ng --quiet --dentry 1 --dentry-ops 1009
}

# No hardware counters on the machine of the samples: the clock of the CPU stands for them.
sample_counters() {
	workload counters
	record counters -e counters/events=cpu-clock+context-switches+cpu-migrations+page-faults/ -- ./counters
}

[ $# -gt 0 ] || set -- waits calls forks build pgbench commits disk tcp h2load grpc grpc-tls locks memory heap churn counters
for sample; do
	"sample_$(echo "$sample" | tr - _)"
done
