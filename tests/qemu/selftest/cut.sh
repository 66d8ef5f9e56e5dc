#!/bin/sh
# what: the power is cut, and the next boot finds what was synchronised
# disk: 8
# boots: 2
# clock: 1970-01-01
# checks: 5
. /lib.sh
must mount -t ext4 /dev/vda /root
if [ "$(boot)" = 1 ]; then
	check "the clock says 1970" [ "$(date +%Y)" = 1970 ]
	echo one >/root/synchronised
	sync
	echo two >/root/forgotten
	keep three
	cut_power 0
	sleep 60
fi
check "it is another boot" [ "$(boot)" = 2 ]
check "what was synchronised is there" [ "$(cat /root/synchronised)" = one ]
refuse "what was not is lost" test -s /root/forgotten
check "what the host was told is there" [ "$(cat /case/kept)" = three ]
