#!/bin/sh
# what: a case on a router that was not made here
# machines: openwrt
# files: tests/qemu/selftest/image.sh
# checks: 4
. /lib.sh

check "the package is installed" [ "$(glacic)" = "glacic of a test" ]
check "where the cases look for it" [ "$(readlink /bin/glacic)" = /usr/sbin/glacic ]
check "the case's files are there" test -s /files/tests/qemu/selftest/image.sh
check "the router was booted from its disk" grep -q " / ext4 " /proc/mounts
