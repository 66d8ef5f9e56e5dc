#!/bin/sh
# what: first packets that nobody answers: the kernel's queue by itself, then glacic's with no daemon, one that hangs, one that dies
# machines: aarch64 armv7 mipsel mips openwrt
# programs: glacic
# checks: 39
# seconds: 300
# shellcheck disable=SC2154 # set by openwrt.sh
. /lib.sh
. /openwrt.sh

pings() { ip netns exec camera ping -c 1 -W 1 -q "$server" >/dev/null; }
rules() {
	nft -f - <<-END
		table inet smoke
		delete table inet smoke
		table inet smoke {
			chain forward { type filter hook forward priority filter - 10; policy accept;
				ip protocol icmp counter $1
			}
		}
	END
}
counted() { nft list table inet smoke | grep -q "counter packets [1-9]"; }

house
check "without a rule a ping crosses the router" until_true 5 pings
check "a queue rule with bypass loads" rules "queue flags bypass to 100"
check "with bypass and without a reader the ping crosses" pings
check "it went through the rule" counted
check "a queue rule without bypass loads" rules "queue to 100"
refuse "without bypass and without a reader the ping is lost" pings
check "it went through the rule, too" counted
check "the kernel has a queue to show" test -e /proc/net/netfilter/nfnetlink_queue
check "the kernel has a log group to show" test -e /proc/net/netfilter/nfnetlink_log
must nft delete table inet smoke

# held: packets that wait for a verdict, by the kernel's own count.
held() { awk '$1 == 100 { print $3 }' /proc/net/netfilter/nfnetlink_queue; }
held_is() { [ "$(held)" = "$1" ]; }
came() { [ "$(arrived "$1")" -ge 1 ]; }
load() { glacic rules >/run/rules && nft -f /run/rules; }
decide() { glacic "$1" --device camera --proto udp --port "$2" >/dev/null; }
# undecided TEXT PORT: what becomes of the first packet of a new flow where nobody is there to ask.
undecided() {
	case "$mode" in
	open) check "$mode: $1 it passes" passes "$2" ;;
	closed) check "$mode: $1 it does not" stays "$2" ;;
	esac
}

port=5000
for mode in open closed; do
	configure "option inline_mode '1'
		option fail_mode '$mode'
		option learning_mode '1'"
	check "$mode: the rules load by hand" load
	undecided "nobody ever read the queue:" "$((port + 1))"
	must nft delete table inet glacic

	must launch
	check "$mode: it reads the queue" [ "$(field mode)" = queue ]
	check "$mode: one flow is allowed" decide allow "$((port + 2))"
	check "$mode: another is denied" decide deny "$((port + 3))"
	must kill -STOP "$daemon"
	check "$mode: while it hangs, what is allowed passes" passes "$((port + 2))"
	check "$mode: what is denied does not" stays "$((port + 3))"
	check "$mode: what is new does not" stays "$((port + 4))"
	check "$mode: it waits in the kernel" held_is 1
	must kill -CONT "$daemon"
	check "$mode: and arrives when the daemon goes on" until_true 10 came "$((port + 4))"

	kill -9 "$daemon"
	wait "$daemon"
	check "$mode: after a kill, what is allowed passes" passes "$((port + 2))"
	check "$mode: what is denied does not" stays "$((port + 3))"
	undecided "what is new:" "$((port + 5))"
	must launch
	check "$mode: when it is back, what is new passes" passes "$((port + 6))"
	check "$mode: and what is denied does not" stays "$((port + 3))"
	must quit
	port=6000
done
