"""The machines that can be emulated. Another one is another entry in the table.

`-accel tcg` is given always: a host that offers KVM to a virtual machine may well hang in it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """One kind of router: how QEMU makes it and what Debian calls its parts."""

    name: str
    """As in `--machine`; the first word of Rust's target triples, too."""
    debian: str
    """Debian's name of the architecture."""
    kernel: str
    """The meta package that names the current kernel."""
    qemu: tuple[str, ...]
    """Program, machine type and CPU."""
    console: str


MACHINES = {
    machine.name: machine
    for machine in (
        # `max` has RDRAND; with the default CPU a guest waits for entropy.
        Machine("x86_64", "amd64", "linux-image-cloud-amd64", ("qemu-system-x86_64", "-M", "pc", "-cpu", "max"), "ttyS0"),
        Machine("aarch64", "arm64", "linux-image-cloud-arm64",
                ("qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53"), "ttyAMA0"),
        Machine("armv7", "armhf", "linux-image-armmp", ("qemu-system-arm", "-M", "virt", "-cpu", "cortex-a7"), "ttyAMA0"),
        Machine("mipsel", "mipsel", "linux-image-4kc-malta",
                ("qemu-system-mipsel", "-M", "malta", "-cpu", "24Kc"), "ttyS0"),
    )
}

SUITE = "bookworm"
"""The Debian release of kernels and tools: 6.1, close to what routers run."""

TOOLS = {"busybox-static": "bin/busybox", "nftables": "usr/sbin/nft", "iproute2": "bin/ip", "conntrack": "usr/sbin/conntrack"}
"""Debian packages whose programs every guest has, each with its program's path."""

MODULES = (
    # What the ruleset stands on.
    "nf_tables", "nft_ct", "nft_limit", "nft_log", "nft_queue", "nft_reject_inet", "nft_fib_inet", "nft_masq", "nft_nat",
    "nft_redir", "nft_chain_nat", "nft_objref", "nft_flow_offload", "nf_flow_table_inet", "nf_reject_ipv4", "nf_reject_ipv6",
    # How it talks to user space.
    "nfnetlink", "nfnetlink_queue", "nfnetlink_log", "nf_conntrack_netlink", "nf_nat",
    # The network around it.
    "veth", "bridge", "dummy", "tun", "8021q",
    # Protocols that tests send.
    "sctp", "dccp", "dccp_ipv4", "dccp_ipv6",
)
"""Modules every guest loads, with what they depend on. One that is missing or fails is the end of the run."""
