#!/bin/sh
# what: a panic
# checks: 1
. /lib.sh
check "fine" true
echo 1 >/proc/sys/kernel/sysrq
echo c >/proc/sysrq-trigger
