#!/bin/sh
# what: twenty cuts of the power, within a second after a decision or at random under load; no confirmed decision is lost
# programs: glacic
# modules: overlay
# disk: 16
# boots: 21
# checks: 61
. /lib.sh
. /openwrt.sh

LAST=21
# From this boot on the cut comes while flows are learned and decided.
LOAD=11

# A decision is announced before it is made and confirmed when its command has returned. In between, either is right.
decide() {
	keep "will $2"
	glacic "$1" --device camera --proto tcp --port "$2" >/dev/null || return
	case "$1" in allow) keep "is $2 allowed" ;; deny) keep "is $2 denied" ;; esac
}

# lost: the confirmed decisions that the daemon does not know.
lost() {
	decided >/run/decided
	awk '
		NR == FNR { found[$1] = $2; next }
		$1 == "will" { open[$2] = 1 }
		$1 == "is" { state[$2] = $3; delete open[$2] }
		END { for (port in state) if (!(port in open) && found[port] != state[port]) print port, state[port], found[port] }
	' /run/decided /case/kept >/run/lost
	cat /run/lost
	[ -s /run/lost ]
}
confirmed() { grep -c "^is " /case/kept; }

flash
boot=$(boot)
# Traffic is needed under load only.
if [ "$boot" -lt "$LOAD" ]; then ip link add br-lan type bridge; else house; fi
configure "option learning_mode '1'"
launch || must false
if [ "$boot" -gt 1 ]; then
	refuse "boot $boot: none of $(confirmed) confirmed decisions is lost" lost
	refuse "boot $boot: nothing was moved aside" test -e /etc/glacic/flows.db.damaged-1
	check "boot $boot: the database can be written" not grep -q -i "in memory" /run/daemon.log
fi
if [ "$boot" = "$LAST" ]; then
	check "a decision and more was confirmed before each cut" [ "$(confirmed)" -ge 20 ]
	exit 0
fi

port=$((1000 * boot))
if [ "$boot" -lt "$LOAD" ]; then
	# One lone decision that is new, or one that takes back the one of the boot before.
	case $((boot % 2)) in
	1) decide allow "$port" ;;
	0) decide deny $((port - 1000)) ;;
	esac
	cut_power 1000
	sleep 60
fi

while :; do datagrams "$port" 50; done &
decide allow "$port"
cut_power 4000
for number in $(seq 100 900); do
	decide deny $((port + number))
	[ $((number % 5)) -gt 0 ] || decide allow $((port + number - 3))
done
