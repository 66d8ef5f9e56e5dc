#!/bin/sh
# what: a hang
# checks: 1
# seconds: 5
. /lib.sh
check "fine" true
sleep 1000
