#!/bin/sh
# what: twenty cuts of the power, within a second after a decision or at random under load; no confirmed decision is lost
# programs: glacic
# modules: overlay
# disk: 16
# boots: 21
# checks: 61
# seconds: 600
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

# all_found: the daemon knows every confirmed decision; what it does not is printed.
all_found() {
	decided >/run/decided
	awk '
		FILENAME == ARGV[1] { found[$1] = $2; next }
		$1 == "will" { open[$2] = 1 }
		$1 == "is" { state[$2] = $3; delete open[$2] }
		END {
			for (port in state) if (!(port in open) && found[port] != state[port]) {
				print "lost: " port " " state[port] ", found: " found[port]
				lost = 1
			}
			exit lost
		}
	' /run/decided /case/kept
}
confirmed() { grep -c "^is " /case/kept; }

flash
boot=$(boot)
# Traffic is needed under load only.
if [ "$boot" -lt "$LOAD" ]; then ip link add br-lan type bridge; else house; fi
configure "option learning_mode '1'"
launch || must false
if [ "$boot" -gt 1 ]; then
	check "boot $boot: none of $(confirmed) confirmed decisions is lost" all_found
	refuse "boot $boot: nothing was moved aside" test -e /etc/glacic/flows.db.damaged-1
	check "boot $boot: the database can be written" not grep -q -i "in memory" /run/daemon.log
	# More cuts would only bury what is left of it.
	[ ! -s /run/failed ] || exit 1
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

for lane in 0 1 2 3 4; do datagrams $((20000 + port + 200 * lane)) 60 & done
decide allow "$port"
cut_power 4000
for number in $(seq 100 900); do
	decide deny $((port + number))
	[ $((number % 5)) -gt 0 ] || decide allow $((port + number - 3))
done
