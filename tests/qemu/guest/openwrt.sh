# An OpenWrt router, as far as glacic can tell: `. /openwrt.sh` after `. /lib.sh`. Only /etc outlives the power, on a
# small flash; /var is in RAM. A camera is behind br-lan, a server behind wan, and a firewall like OpenWrt's between them.
# shellcheck shell=sh

camera=b8:27:eb:00:00:01
server=203.0.113.10

# flash: from now on /etc is an overlay whose upper layer is the disk, as / is on a router.
flash() {
	mkdir -p /overlay
	must mount -t ext4 "${1:-/dev/vda}" /overlay
	mkdir -p /overlay/upper /overlay/work
	must mount -t overlay overlay -o lowerdir=/etc,upperdir=/overlay/upper,workdir=/overlay/work /etc
}

# house: who is there, and how they reach each other.
house() {
	for name in camera server; do
		must ip netns add "$name"
		must ip -n "$name" link set lo up
	done
	must ip link add br-lan type bridge
	must ip link add lan1 type veth peer name eth0 netns camera
	must ip link add wan type veth peer name eth0 netns server
	must ip link set lan1 master br-lan
	must ip -n camera link set eth0 address "$camera"
	must ip addr add 192.168.1.1/24 dev br-lan
	must ip addr add 203.0.113.1/24 dev wan
	must ip -n camera addr add 192.168.1.10/24 dev eth0
	must ip -n server addr add "$server/24" dev eth0
	for link in br-lan lan1 wan; do must ip link set "$link" up; done
	for name in camera server; do must ip -n "$name" link set eth0 up; done
	must ip -n camera route add default via 192.168.1.1
	must ip -n server route add default via 203.0.113.1
	must sysctl -q -w net.ipv4.ip_forward=1
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

# datagrams PORT COUNT: the camera sends one datagram to each of so many ports, one a second, and gets no answer.
# traceroute counts up from the port before the first.
datagrams() {
	ip netns exec camera traceroute -n -q 1 -w 1 -f 9 -m "$((8 + $2))" -p "$(($1 - 1))" "$server" >/dev/null 2>&1
}

# arrived PORT: how many datagrams have reached the server there.
arrived() {
	_count=$(ip netns exec server nft list set inet counts arrived | sed -n "s/.*[ ,{]$1 counter packets \([0-9]*\).*/\1/p")
	echo "${_count:-0}"
}

# passes PORT, stays PORT: whether a datagram from the camera reaches the server, and does not.
passes() {
	_before=$(arrived "$1")
	datagrams "$1" 1
	until_true "${2:-5}" _more "$1" "$_before"
}
# A count only grows, so to look once, at the end of the window, is enough; to ask nft ten times is what takes an emulated
# processor's time. traceroute has waited a second already.
stays() {
	_before=$(arrived "$1")
	datagrams "$1" 1
	sleep 1
	not _more "$1" "$_before"
}
_more() { [ "$(arrived "$1")" -gt "$2" ]; }

# system: what the package relies on, for cases with `package: glacic`: stand-ins for OpenWrt's own scripts, and for procd.
system() {
	mkdir -p /etc/rc.d /lib/functions /usr/share/nftables.d/chain-post/forward /tmp/run
	for _file in lib/functions.sh lib/config.sh etc/rc.common; do
		must cp "/files/tests/package/openwrt/${_file##*/}" "/$_file"
	done
	must cp /procd.sh /lib/functions/procd.sh
	must cp /files/tests/qemu/demo/fw4.nft /etc/fw4.nft
	must cp /files/tests/qemu/demo/fw4 /sbin/fw4
	# busybox of OpenWrt has it, Debian's does not. What the init script waits for is the end of a daemon.
	printf '#!/bin/sh\n! pidof glacic >/dev/null\n' >/sbin/flock
	chmod 755 /etc/rc.common /sbin/fw4 /sbin/flock
}

name_camera() { glacic device "$camera" --name camera >/dev/null; }

# configure LINES: the main section, with what is the same everywhere and LINES besides.
configure() {
	mkdir -p /etc/config /etc/glacic
	cat >/etc/config/glacic <<-END
		config rule_learning 'main'
			option enabled '1'
			list interface 'br-lan'
			$1

		config device
			option mac '$camera'
			option name 'camera'
	END
}

# launch: starts the daemon as the init script has it, under a user of its own, and waits until its ruleset is in the kernel.
launch() {
	glacic daemon --foreground --user nobody >>/run/daemon.log 2>&1 &
	daemon=$!
	until_true 60 guarded && return
	cat /run/daemon.log
	return 1
}
# quit: ends the daemon in good order.
quit() { kill "$daemon" && wait "$daemon"; }
guarded() { glacic status --json | grep -q '"ruleset":true'; }

# field NAME: what the daemon says of itself there, a word or a number.
field() { glacic status --json | sed -n "s/.*\"$1\":\"*\([a-z0-9_]*\).*/\1/p"; }

# decided: every flow and its state, a line `PORT STATE` each.
decided() { glacic flows --all | awk 'NR > 1 { split($4, service, "/"); print service[2], $2 }'; }
state_is() { [ "$(state_of "$1")" = "$2" ]; }
state_of() { decided | awk -v port="$1" '$1 == port { print $2 }'; }
