#!/bin/sh
# what: a module that not every kernel has
# machines: x86_64 mipsel
# modules: jffs2
# checks: 1
. /lib.sh
check "the kernel has jffs2" grep -q jffs2 /proc/filesystems
