#!/bin/sh
# what: every combination of settings gives a ruleset that loads twice and leaves one copy, queue included
# rulesets: firewall::tests::golden
# checks: 2 a file
# seconds: 900
. /lib.sh

listed() { nft list table inet glacic; }

again_is_the_same() {
	listed >/tmp/once
	nft -f "$1" && listed >/tmp/twice && cmp /tmp/once /tmp/twice
}

for file in /files/*.nft; do
	name=$(basename "$file" .nft)
	check "$name loads" nft -f "$file"
	check "$name loads again and leaves one copy" again_is_the_same "$file"
	nft flush ruleset
done
