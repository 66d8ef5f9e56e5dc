#!/bin/sh
# what: a flash that is full, one that can only be read, and what is left after the power was gone
# programs: glacic
# modules: overlay
# disk: 8
# boots: 2
# checks: 23
# seconds: 900
. /lib.sh
. /openwrt.sh

decide() { glacic "$1" --device camera --proto udp --port "$2" >/run/said 2>&1; }
said() { grep -q "$1" /run/said; }
trouble() { glacic status --json | grep -q '"trouble":"'; }

full() {
	dd if=/dev/zero of=/overlay/filler bs=4k >/dev/null 2>&1
	dd if=/dev/zero bs=1 >>/overlay/filler 2>/dev/null
	[ "$(df /overlay | awk 'END { print $4 }')" = 0 ]
}

# The log of the database has room for some more; then a decision cannot be kept.
decide_until_refused() {
	for _port in $(seq 5100 5199); do
		decide deny "$_port" || return 0
	done
	return 1
}

flash
house
configure "option learning_mode '0'"
must launch
if [ "$(boot)" = 1 ]; then
	check "a decision is taken" decide allow 5001
	check "what is allowed passes" passes 5001
	check "what is unknown does not" stays 5002

	check "the flash is full" full
	check "a decision that cannot be kept is told so" decide_until_refused
	check "it says how long it holds" said "until the next restart"
	port=$_port
	check "what cannot be kept can be seen in the status" trouble
	check "it is in force nevertheless" state_is "$port" denied
	refuse "so is another" decide allow 5002
	check "what it allows passes" passes 5002
	rm /overlay/filler
	check "when there is room again, all of it is written" until_true 120 not trouble
	keep "$port"
	cut_power 0
	sleep 60
fi

port=$(cat /case/kept)
check "after a cut of the power: what was decided before the flash was full" state_is 5001 allowed
check "after a cut of the power: what could not be kept at once" state_is "$port" denied
check "after a cut of the power: what was decided meanwhile" state_is 5002 allowed

must quit
must mount -o remount,ro /overlay
check "with a flash that can only be read the daemon starts" launch
check "it knows what was decided" state_is 5001 allowed
check "what is allowed passes" passes 5001
check "what is unknown does not" stays 5004
check "it says so in the status" trouble
refuse "a decision that cannot be kept is told so" decide allow 5004
check "it says how long it holds" said "until the next restart"
check "it is in force nevertheless" passes 5004
must mount -o remount,rw /overlay
check "when it can be written again, all of it is" until_true 120 not trouble
