#!/bin/sh
# what: a router that boots in 1970, learns the time, jumps to 2033 and back: nothing is lost, nothing stays in the future
# programs: glacic
# modules: overlay
# clock: 1970-01-01
# disk: 8
# checks: 21
# seconds: 900
. /lib.sh
. /openwrt.sh

NOW=2026-11-26
# year PORT WHICH: of first_seen or last_seen of a flow.
year() {
	_seconds=$(glacic flows --port "$1" --json | sed -n "s/.*\"$2\":\([0-9]*\).*/\1/p")
	[ -n "$_seconds" ] && date -u -d "@$_seconds" +%Y
}
year_is() { [ "$(year "$1" "$2")" = "$3" ]; }
set_clock() { must date -u -s "$1 12:00:00" >/dev/null; }
seen() { datagrams "$1" 1 && until_true 20 state_is "$1" "$2"; }
clock_is_set() { [ "$(field clock_set)" = true ]; }
restarted() { quit && launch; }

check "the router boots in 1970" [ "$(date -u +%Y)" = 1970 ]
flash
house
configure "option learning_mode '1'
			option retention_days '1'"
must launch
check "it says that its clock is not set" [ "$(field clock_set)" = false ]
check "a flow is learned in 1970" seen 6001 allowed
must glacic learn off >/dev/null
check "a flow waits in 1970" seen 6002 pending
check "a decision is taken in 1970" glacic deny --device camera --proto udp --port 6003 >/dev/null

set_clock "$NOW"
check "it notices that the clock is set" until_true 30 clock_is_set
check "a time from before is mended" until_true 30 year_is 6001 first_seen 2026
check "of what waits, too" year_is 6002 first_seen 2026
check "and of what was decided" year_is 6003 first_seen 2026
check "a flow waits" seen 6004 pending

set_clock 2033-05-18
check "in 2033 a flow waits" seen 6005 pending
check "a decision is taken" glacic allow --device camera --proto udp --port 6006 >/dev/null
check "after a restart in 2033 what was learned is there" restarted
check "what waits has not outlived its retention of a day" state_is 6002 pending
check "what was learned has not either" state_is 6001 allowed

set_clock "$NOW"
check "after a restart in 2026 all of it is there" restarted
check "what was learned in 1970" state_is 6001 allowed
check "what was decided in 1970" state_is 6003 denied
check "what was decided in 2033" state_is 6006 allowed
check "what waits from 2033 waits on" seen 6005 pending
check "and has left the future with its next packet" until_true 30 year_is 6005 last_seen 2026
