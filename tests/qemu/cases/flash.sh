#!/bin/sh
# what: a flash that is full, one that can only be read, and what is left after the power was gone
# programs: glacic
# modules: overlay
# disk: 8
# boots: 2
# checks: 23
# seconds: 300
# shellcheck disable=SC2154 # set by flash.sh
. /lib.sh
. /openwrt.sh
. /flash.sh

flash
house
configure "option learning_mode '0'"
must launch
if [ "$(boot)" = 1 ]; then
	flash_is_full
	keep "$_port"
	cut_power 0
	sleep 60
fi

port=$(cat /case/kept)
check "after a cut of the power: what was decided before the flash was full" state_is 5001 allowed
check "after a cut of the power: what could not be kept at once" state_is "$port" denied
check "after a cut of the power: what was decided meanwhile" state_is 5002 allowed
flash_is_read_only
