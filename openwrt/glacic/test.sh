#!/bin/sh
# Run by the feed's CI in a root with the package installed: name and version are its arguments.

case "$1" in
glacic)
	glacic --version | grep -F "$2" || exit 1
	glacic check /etc/config/glacic || exit 1
	glacic rules --config /etc/config/glacic | grep -q 'table inet glacic' || exit 1
	;;
esac
