# Stands in for OpenWrt's /lib/functions.sh: the words that the package's scripts use, and nothing else. A configuration
# is read by sourcing it, as UCI's syntax was once meant to be.

. /lib/config.sh

# $1 is the script that calls (PACKAGE.postinst), unless pkgname says which package it is.
package_list() {
	pkgname=${pkgname:-$(basename "${1%.*}")}
	for filelist in "/usr/lib/opkg/info/$pkgname.list" "/lib/apk/packages/$pkgname.list"; do
		[ -f "$filelist" ] && return
	done
}

user_exists() { grep -q "^$1:" /etc/passwd; }

group_add_next() {
	grep -q "^$1:" /etc/group || echo "$1:x:32768:" >>/etc/group
	sed -n "s/^$1:x:\([0-9]*\):.*/\1/p" /etc/group
}

user_add() { echo "$1:x:${2:-32768}:$3:$1:/var/run/$1:/bin/false" >>/etc/passwd; }

# Users without numbers, as the package asks for them: NAME:GROUP.
add_group_and_user() {
	users=$(sed -n 's/^Require-User: //p' "/usr/lib/opkg/info/$pkgname.control" "/lib/apk/packages/$pkgname.rusers" 2>/dev/null)
	[ -f "/lib/apk/packages/$pkgname.rusers" ] && users=$(cat "/lib/apk/packages/$pkgname.rusers")
	for user in $users; do
		user_exists "${user%%:*}" || user_add "${user%%:*}" "" "$(group_add_next "${user#*:}")"
	done
}

default_postinst() {
	package_list "$1"
	add_group_and_user
	for i in $(grep -s "^/etc/uci-defaults/" "$filelist"); do
		([ -f "$i" ] && cd "$(dirname "$i")" && . "$i") && rm -f "$i"
	done
	if [ -f "/usr/lib/opkg/info/$pkgname.postinst-pkg" ]; then
		(. "/usr/lib/opkg/info/$pkgname.postinst-pkg")
	fi
	for i in $(grep -s "^/etc/init.d/" "$filelist"); do
		[ "$PKG_UPGRADE" = 1 ] || "$i" enable
		"$i" start
	done
}

default_prerm() {
	package_list "$1"
	if [ -f "/usr/lib/opkg/info/$pkgname.prerm-pkg" ]; then
		(. "/usr/lib/opkg/info/$pkgname.prerm-pkg")
	fi
	for i in $(grep -s "^/etc/init.d/" "$filelist"); do
		[ "$PKG_UPGRADE" = 1 ] || "$i" disable
		"$i" stop
	done
}
