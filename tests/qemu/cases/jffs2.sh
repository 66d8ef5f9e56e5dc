#!/bin/sh
# what: the flash of a small router, jffs2: full, read-only, and as it is in the very moment after a decision's command
# programs: glacic
# machines: x86_64-newer mipsel mips
# modules: mtdram jffs2 overlay
# checks: 47
# seconds: 400
# shellcheck disable=SC2154 # set by flash.sh and openwrt.sh
. /lib.sh
. /openwrt.sh
. /flash.sh

CUTS=10

mounted() {
	must mount -t jffs2 mtd0 /overlay
	mkdir -p /overlay/upper /overlay/work
	must mount -t overlay overlay -o lowerdir=/etc,upperdir=/overlay/upper,workdir=/overlay/work /etc
}

# cut: the flash stays as it is now, as by a cut of the power, and the router is turned on again.
cut() {
	must kill -STOP "$daemon"
	must dd if=/dev/mtd0 of=/run/image bs=64k 2>/dev/null
	kill -9 "$daemon"
	wait "$daemon" 2>/dev/null
	must umount /etc
	must umount /overlay
	must dd if=/run/image of=/dev/mtd0 bs=64k 2>/dev/null
	mounted
	must launch
}

mkdir -p /overlay
check "the flash is one" grep -q mtd0 /proc/mtd
mounted
check "its file system is a router's" grep -q "/overlay jffs2" /proc/mounts
house
configure "option learning_mode '0'"
must launch

flash_is_full
port=$_port
cut
check "after a cut: what was decided before the flash was full" state_is 5001 allowed
check "after a cut: what could not be kept at once" state_is "$port" denied
check "after a cut: what was decided meanwhile" state_is 5002 allowed

for number in $(seq "$CUTS"); do
	check "decision $number is taken" decide deny "$((6000 + number))"
	cut
	check "cut $number: it is known" state_is "$((6000 + number))" denied
done
check "and so is the first of them" state_is 6001 denied
refuse "nothing was moved aside" test -e /etc/glacic/flows.db.damaged-1
flash_is_read_only
