#!/bin/busybox sh
# The first and only process of a machine of `cargo xtask kernel-test`.
#
# Makes every run that /runs/order names, and sends what came of it through the second serial port:
# `@ NAME LENGTH`, a line end, so many bytes, a line end. Its own complaints go where the kernel's log goes.
/bin/busybox --install -s /bin
export PATH=/bin HOME=/
mount -t devtmpfs none /dev
mount -t proc none /proc
mount -t sysfs none /sys
mount -t tracefs none /sys/kernel/tracing
mount -t debugfs none /sys/kernel/debug
mount -t bpf none /sys/fs/bpf
mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs none /tmp
ip link set lo up
while read -r module; do
	case $module in
	*.xz) xz -dc "/modules/$module" >/tmp/module.ko ;;
	*) cp "/modules/$module" /tmp/module.ko ;;
	esac
	insmod /tmp/module.ko || echo "insmod $module failed"
done </modules/order
mke2fs /dev/vdb >/dev/null && mount -t ext4 /dev/vdb /disk
stty -F /dev/ttyS1 raw -echo
exec 3>/dev/ttyS1

# send NAME FILE: unless there is none.
send() {
	[ -f "$2" ] || return
	printf '@ %s %s\n' "$1" "$(stat -c %s "$2")" >&3
	cat "$2" >&3
	echo >&3
}

# step NAME COMMAND..: runs a step of a run, and notes its exit status.
step() {
	name=$1
	shift
	"$@" >>steps.txt 2>&1 </dev/null
	echo "$name $?" >>status
}

cd /tmp || poweroff -f
: >empty
send begun empty
ktape probes >probes 2>&1
send probes probes
while read -r run; do
	echo "$(cut -d ' ' -f 1 /proc/uptime) s: $run" >>/tmp/times
	mkdir "/tmp/$run"
	cd "/tmp/$run" || continue
	: >empty
	send "$run/begun" empty
	timeout 60 sh "/runs/$run" >said 2>complaint </dev/null
	echo "record $?" >status
	if [ -f trace ]; then
		step verify ktape verify -i trace
		# All of the header, and seven eighths of what follows it: see FORMAT.md, 2.1.
		header=$((24 + $(od -A n -t u4 -j 12 -N 4 trace)))
		head -c $((header + ($(stat -c %s trace) - header) * 7 / 8)) trace >cut
		step verify-cut ktape verify -i cut
		step recover ktape recover -i cut -o recovered
		step verify-recovered ktape verify -i recovered
		send "$run/trace" trace
		send "$run/recovered" recovered
		send "$run/steps" steps.txt
	fi
	for file in said complaint status; do
		send "$run/$file" "$file"
	done
	cd /tmp || break
	rm -r "/tmp/$run"
done </runs/order
send times times
send end empty
sync
poweroff -f
