#!/bin/sh
# what: the main job, told step by step: learn in both modes, enforce, decide, and let the kernel answer
# files: tests/qemu/demo/fw4 tests/qemu/demo/fw4.nft
# programs: glacic
# checks: 14
# seconds: 120
. /lib.sh

say() { printf '\n%s\n' "$*"; }
row() { printf '%-10s %-11s %-8s %-10s %-10s %s\n' "$@" >>/run/table; }

# ---- the house: a camera behind br-lan, a server behind wan, a firewall like OpenWrt's between them

house() {
	for name in camera server; do
		must ip netns add "$name"
		must ip -n "$name" link set lo up
	done
	must ip link add br-lan type bridge
	must ip link add lan1 type veth peer name eth0 netns camera
	must ip link add wan type veth peer name eth0 netns server
	must ip link set lan1 master br-lan
	must ip -n camera link set eth0 address 02:00:00:00:00:01
	must ip addr add 192.168.1.1/24 dev br-lan
	must ip addr add 203.0.113.1/24 dev wan
	must ip -n camera addr add 192.168.1.10/24 dev eth0
	must ip -n server addr add 203.0.113.10/24 dev eth0
	for link in br-lan lan1 wan; do must ip link set "$link" up; done
	for name in camera server; do must ip -n "$name" link set eth0 up; done
	must ip -n camera route add default via 192.168.1.1
	must ip -n server route add default via 203.0.113.1
	must sysctl -q -w net.ipv4.ip_forward=1

	must cp /files/tests/qemu/demo/fw4.nft /etc/fw4.nft
	must cp /files/tests/qemu/demo/fw4 /sbin/fw4
	must chmod 755 /sbin/fw4
	mkdir -p /etc/config /etc/glacic /etc/forwardings /usr/share/nftables.d/chain-post/forward /var/run/glacic
	# What the package brings: a place in fw4 for what glacic publishes.
	echo 'include "/var/run/glacic/forward/*.nft"' >/usr/share/nftables.d/chain-post/forward/50-glacic.nft
	must fw4 reload
	# The server counts what reaches it, and answers nothing.
	must ip netns exec server nft -f - <<-END
		table inet counts {
			set arrived { type inet_service; flags dynamic; counter; }
			chain input { type filter hook input priority filter; policy accept;
				meta l4proto udp update @arrived { udp dport } drop
			}
		}
	END
	must until_true 10 ip netns exec camera ping -c 1 -W 1 -q 192.168.1.1 >/dev/null
}

# datagram PORT: the camera sends one, from a source port of its own each time. traceroute counts up from its base port.
datagram() { ip netns exec camera traceroute -n -q 1 -f 9 -m 9 -w 1 -p "$(($1 - 1))" 203.0.113.10 >/dev/null 2>&1; }

# arrived PORT: how many have reached the server.
arrived() {
	_count=$(ip netns exec server nft list set inet counts arrived | sed -n "s/.*[ ,{]$1 counter packets \([0-9]*\).*/\1/p")
	echo "${_count:-0}"
}
has_arrived() { [ "$(arrived "$1")" = "$2" ]; }

# word BEFORE AFTER: what became of a datagram.
word() { if [ "$2" -gt "$1" ]; then echo arrived; else echo lost; fi; }

# How many packets the kernel has handed over to be judged.
queued() { while read -r _ _ _ _ _ _ _ number _; do echo "$number"; done </proc/net/netfilter/nfnetlink_queue; }

# ---- glacic

# configure PLACEMENT INLINE LEARNING
configure() {
	cat >/etc/config/glacic <<-END
		config rule_learning 'main'
			option enabled '1'
			option placement '$1'
			option inline_mode '$2'
			option learning_mode '$3'
			list interface 'br-lan'
	END
}

daemon=
start() {
	glacic daemon >/run/daemon.log 2>&1 &
	daemon=$!
	# It answers before its ruleset is in the kernel, and what is sent in between is nobody's.
	must until_true 60 sh -c 'glacic status --json 2>/dev/null | grep -q "\"ruleset\":true"'
}
stop() {
	kill "$daemon"
	wait "$daemon"
}

known() { glacic flows --state "$1" --port "$2" --json | grep -q "\"port\": *$2"; }
id_of() { glacic flows --port "$1" --json | sed 's/[,{]/\n/g' | sed -n 's/^ *"id": *\([0-9]*\).*/\1/p' | head -n 1; }

# learn MODE PORT FIRST: one unknown flow while learning, in the fallback placement; FIRST is what its first datagram must meet.
learn() {
	datagram "$2"
	first=$(word 0 "$(arrived "$2")")
	check "$1 mode: the first datagram is $3" [ "$first" = "$3" ]
	check "$1 mode: the flow is learned" until_true 10 known allowed "$2"
	before=$(arrived "$2")
	datagram "$2"
	second=$(word "$before" "$(arrived "$2")")
	check "$1 mode: the second datagram arrives" [ "$second" = arrived ]
	row fallback learning "$1" "$first" "$second" "$4"
}

house
row PLACEMENT "" MODE FIRST SECOND "ANSWERED BY"

say "The firewall refuses everything. glacic stands behind it and opens what it has learned (placement fallback)."
say "== Log mode: glacic sees a copy. By the time it has learned, the first datagram is gone."
configure fallback 0 1
start
learn log 9001 lost "the kernel's set"
stop

say "== Queue mode: the kernel holds the datagram until glacic has answered."
configure fallback 1 1
start
learn queue 9002 arrived "the kernel's set"
say "What it has learned:"
glacic flows
stop

say "== Guard: the firewall now lets the LAN out, and glacic takes away what is new."
echo 'oifname "wan" accept' >/etc/forwardings/lan-wan.nft
must fw4 reload
configure guard 1 1
start
check "learning ends" glacic learn off
datagram 9002
check "what was learned goes on" [ "$(arrived 9002)" = 3 ]
datagram 9003
first=$(word 0 "$(arrived 9003)")
check "a new flow does not pass" [ "$first" = lost ]
check "it waits for the owner" until_true 10 known pending 9003
glacic flows --state pending
say "The owner allows it: glacic allow $(id_of 9003)"
check "the owner's word is taken" glacic allow "$(id_of 9003)"
before=$(queued)
datagram 9003
second=$(word 0 "$(arrived 9003)")
check "from then on it passes" [ "$second" = arrived ]
check "the kernel answered alone: nothing was queued" [ "$(queued)" = "$before" ]
row guard enforcing queue "$first" "$second, once allowed" "the kernel's set"
nft list set inet glacic allowed | grep -F . | grep 9003
check "the daemon leaves when told" stop

say "What became of a new flow's datagrams:"
cat /run/table
