#!/bin/sh
# what: on a real OpenWrt, glacic as its owner has it: installed, switched on, reloaded, beside fw4, removed
# machines: openwrt
# checks: 17
# seconds: 600
. /lib.sh

ours() { nft list table inet glacic >/dev/null 2>&1; }
theirs() { nft list table inet fw4 >/dev/null 2>&1; }
answers() { glacic status --json | grep -q '"ruleset":true'; }
setting() { uci set "glacic.main.$1=$2" && uci commit glacic; }

check "the firewall is fw4" theirs
check "the package has brought its settings" uci -q get glacic.main
refuse "nothing runs before the owner has said so" answers
check "there is nothing to complain about" glacic check

check "the owner switches it on" setting enabled 1
check "the service starts" /etc/init.d/glacic start
check "its ruleset comes" until_true 60 answers
check "the service is enabled, for the next boot" /etc/init.d/glacic enabled

check "fw4 reloads" fw4 reload
check "and the table has outlived it" ours
check "the firewall is stopped" /etc/init.d/firewall stop
check "and the table comes back by itself" until_true 60 ours
check "the firewall starts again, with what is published in it" /etc/init.d/firewall start
check "fw4 is whole" theirs

# By its whole name: beside it runs the process that reloads fw4, glacic-steward.
pid=$(pgrep -x glacic)
kill -9 "$pid"
another() { _now=$(pgrep -x glacic) && [ "$_now" != "$pid" ] && answers; }
check "killed, it is started again by procd" until_true 60 another

check "the service stops" /etc/init.d/glacic stop
gone() { ! ours; }
check "and nothing of it is left, as fail_mode open has it" until_true 60 gone
