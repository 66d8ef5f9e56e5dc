#!/bin/sh
# what: the package on a router with procd: installed, switched on, killed again and again, reloaded, rebooted, stopped
# package: glacic
# files: tests/package/openwrt/functions.sh tests/package/openwrt/config.sh tests/package/openwrt/rc.common tests/qemu/demo/fw4 tests/qemu/demo/fw4.nft
# modules: overlay
# clock: 1970-01-01
# disk: 16
# boots: 2
# checks: 37
# seconds: 900
. /lib.sh
. /openwrt.sh

service=/etc/init.d/glacic
decide() { glacic "$1" --device camera --proto udp --port "$2" >/dev/null; }
enable_option() { sed -i "s/option enabled '0'/option enabled '1'/" /etc/config/glacic; }
pid() { cat /run/procd/glacic/pid; }
ours() { nft list table inet glacic >/dev/null 2>&1; }
guards() { glacic status --json | grep -q "\"interfaces\":\[\"$1\"\]"; }
# What the flash has besides what was there before the daemon's first start.
files_on_flash() { find /overlay/upper -type f | sort; }
more_than_a_database() { files_on_flash | grep -vxF -f /overlay/before | grep -v '^/overlay/upper/glacic/flows\.db'; }
# another PID: a daemon that is not this one guards.
another() { [ "$(pid)" != "$1" ] && guarded; }

flash
system
house
must fw4 reload
# As OpenWrt's default has it.
mkdir -p /etc/forwardings
echo 'oifname "wan" accept' >/etc/forwardings/lan-wan.nft
must fw4 reload

if [ "$(boot)" = 1 ]; then
	check "the router boots in 1970" [ "$(date -u +%Y)" = 1970 ]
	check "the package is configured" sh /usr/lib/opkg/info/glacic.postinst configure
	check "it starts with every boot" test -L /etc/rc.d/S21glacic
	refuse "it guards nothing before its owner wants it" ours
	must enable_option
	files_on_flash >/overlay/before
	check "the service starts" $service reload
	check "its ruleset is in the kernel" until_true 60 guarded
	check "it guards the bridge of zone lan" guards br-lan
	check "its settings are in order" glacic check
	must name_camera
	check "a flow is allowed" decide allow 5001
	check "another is denied" decide deny 5002

	for time in 1 2 3 4 5 6; do
		before=$(pid)
		kill -9 "$before"
		check "killed, it leaves its decisions in force ($time)" stays 5002
		check "procd starts it again ($time)" until_true 60 another "$before"
	done

	before=$(pid)
	sed -i "s/option learning_mode '1'/option learning_mode 'maybe'/" /etc/config/glacic
	refuse "a bad setting is refused" $service reload
	check "and the daemon goes on" [ "$(pid) $(field learning)" = "$before true" ]
	# What an owner writes into a file is his own to keep; decisions keep themselves.
	sync
	cut_power 0
	sleep 60
fi

refuse "after a boot the configuration is as it was" glacic check
sed -i "s/option learning_mode 'maybe'/option learning_mode '0'/" /etc/config/glacic
check "the service starts with the router" "$(readlink -f /etc/rc.d/S21glacic)" boot
check "its ruleset is in the kernel" until_true 60 guarded
check "what was allowed passes" passes 5001
check "what was denied does not" stays 5002
check "what is unknown does not" stays 5003
before=$(pid)
sed -i "s/option learning_mode '0'/option learning_mode '1'/" /etc/config/glacic
check "a good setting is taken" $service reload
learns() { [ "$(field learning)" = true ]; }
check "and applied" until_true 30 learns
check "by the same daemon" [ "$(pid)" = "$before" ]
check "the service stops" $service stop
check "and nothing of it is left, as fail_mode open has it" until_true 30 not ours
check "its database is on the flash" test -s /overlay/upper/glacic/flows.db
refuse "and it wrote nothing else there" more_than_a_database
