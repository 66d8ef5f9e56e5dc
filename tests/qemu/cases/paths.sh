#!/bin/sh
# what: plain interfaces, VLANs, masquerading, redirects, software flow offload, SCTP, and packets larger than a wire's
# cargo-test: namespace --include-ignored paths
# modules: sctp 8021q
# checks: listed
# programs: glacic
# memory: 512
# seconds: 900
. /lib.sh

export GLACIC_QUEUE=native GLACIC_BIN=/bin/glacic
cargo_test
