#!/bin/sh
# what: a result that is not init's
# checks: 1
. /lib.sh
echo "0000000000000000 result passed=1 failed=0 exit=0"
poweroff -f
