#!/bin/sh
# what: the guest's kernel has the queue expression: without a reader, bypass passes and its absence drops
# machines: all
# checks: 9
. /lib.sh

# A router between two hosts, as far as a packet can tell.
must ip netns add lan
must ip netns add wan
must ip link add lan0 type veth peer name eth0 netns lan
must ip link add wan0 type veth peer name eth0 netns wan
must ip addr add 192.0.2.1/24 dev lan0
must ip addr add 198.51.100.1/24 dev wan0
must ip link set lan0 up
must ip link set wan0 up
must ip -n lan link set lo up
must ip -n wan link set lo up
must ip -n lan addr add 192.0.2.2/24 dev eth0
must ip -n wan addr add 198.51.100.2/24 dev eth0
must ip -n lan link set eth0 up
must ip -n wan link set eth0 up
must ip -n lan route add default via 192.0.2.1
must ip -n wan route add default via 198.51.100.1
must sysctl -q -w net.ipv4.ip_forward=1

pings() { ip netns exec lan ping -c 1 -W 1 -q 198.51.100.2 >/dev/null; }
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

check "without a rule a ping crosses the router" until_true 5 pings
check "a queue rule with bypass loads" rules "queue flags bypass to 100"
check "with bypass and without a reader the ping crosses" pings
check "it went through the rule" counted
check "a queue rule without bypass loads" rules "queue to 100"
refuse "without bypass and without a reader the ping is lost" pings
check "it went through the rule, too" counted
check "the kernel has a queue to show" test -e /proc/net/netfilter/nfnetlink_queue
check "the kernel has a log group to show" test -e /proc/net/netfilter/nfnetlink_log
