#!/bin/sh
# what: ten thousand flows on a router with as little memory left as one of 48 MB has beside OpenWrt
# cargo-test: namespace many
# checks: 2
# programs: glacic
# memory: 192
# seconds: 900
. /lib.sh

LEFT=26

available() { awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo; }

# A kernel for every machine there is takes more than all of 48 MB. What remains is made as scarce as it is there: there
# is no swap, so what lies in this file system stays in memory. To run out of it ends the case: the kernel says so.
must mkdir /ballast
must mount -t tmpfs -o size=100% ballast /ballast
while [ "$(available)" -gt "$LEFT" ]; do
	must dd if=/dev/zero of="/ballast/$(available)" bs=1M count=1 2>/dev/null
done
check "there are $LEFT MB left" [ "$(available)" -ge $((LEFT - 4)) ]

export GLACIC_QUEUE=native GLACIC_BIN=/bin/glacic
cargo_test
