#!/bin/sh
# what: enough passed and one failed
# checks: 1
. /lib.sh
check "fine" true
check "not fine" false
exit 0
