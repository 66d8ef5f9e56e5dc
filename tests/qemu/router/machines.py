"""The machines that can be emulated. Another one is another entry in the table.

`-accel tcg` is given always: a host that offers KVM to a virtual machine may well hang in it."""

from dataclasses import dataclass, field

SUITE = "bookworm"
"""The Debian release of kernels and tools: 6.1, close to what routers run."""

NEWER_SUITE = "bookworm-backports"
"""Where the newer kernel comes from: 6.12, as in OpenWrt 25.12."""


@dataclass(frozen=True)
class Machine:
    """One kind of router: how QEMU makes it and what Debian calls its parts."""

    name: str
    """As in `--machine`."""
    target: str
    """What its programs are built for, as cross/targets names it."""
    debian: str
    """Debian's name of the architecture that its tools come from, if they come from there."""
    kernel: str
    """The meta package that names the current kernel, or the package of its source (see source.py)."""
    qemu: tuple[str, ...]
    """Program, machine type and CPU."""
    console: str
    kernel_suite: str = SUITE
    from_source: bool = False
    """Debian has neither kernel nor tools for it: they are built, once."""
    nightly: bool = False
    """Not among `--all`."""
    merged: tuple[str, ...] = ()
    """Modules that are a part of others in this kernel."""
    lacks: dict[str, str] = field(default_factory=dict, hash=False)
    """What this machine cannot do: a module, and why. A case that needs it is told of in the table of results, and
    a machine that has it after all is a fault."""


# Without RDRAND a guest waits for entropy. A processor that has all there is (`max`) takes a quarter more of the host's.
_X86 = ("qemu-system-x86_64", "-M", "pc", "-cpu", "qemu64,+rdrand")
_CLOUD = "Debian's cloud kernels are built without MTD"
_NO_FLASH = {name: _CLOUD for name in ("mtdram", "jffs2", "ubifs", "nandsim")}

MACHINES = {
    machine.name: machine
    for machine in (
        Machine("x86_64", "x86_64", "amd64", "linux-image-cloud-amd64", _X86, "ttyS0", lacks=_NO_FLASH),
        # Not the cloud kernel: at 6.12 it oopses in QEMU 7.2.
        Machine("x86_64-newer", "x86_64", "amd64", "linux-image-amd64", _X86, "ttyS0",
                kernel_suite=NEWER_SUITE, merged=("nft_objref",)),
        Machine("aarch64", "aarch64", "arm64", "linux-image-cloud-arm64",
                ("qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53"), "ttyAMA0", lacks=_NO_FLASH),
        Machine("armv7", "armv7", "armhf", "linux-image-armmp",
                ("qemu-system-arm", "-M", "virt", "-cpu", "cortex-a7"), "ttyAMA0",
                lacks={"mtdram": "Debian's armmp kernel is built without it"}),
        Machine("mipsel", "mipsel", "mipsel", "linux-image-4kc-malta",
                ("qemu-system-mipsel", "-M", "malta", "-cpu", "24Kc"), "ttyS0"),
        # Big-endian, as most of the ath79 routers.
        Machine("mips", "mips", "", "linux-source-6.1",
                ("qemu-system-mips", "-M", "malta", "-cpu", "24Kf"), "ttyS0", from_source=True, nightly=True),
    )
}

OPENWRT = "openwrt"
"""Not in the table: the image that $OPENWRT_IMAGE names, on the machine it is for (see openwrt.py)."""

TOOLS = {"busybox-static": "bin/busybox", "nftables": "usr/sbin/nft", "iproute2": "bin/ip", "conntrack": "usr/sbin/conntrack"}
"""Debian packages whose programs every guest has, each with its program's path."""

MODULES = (
    # What the ruleset stands on.
    "nf_tables", "nft_ct", "nft_limit", "nft_log", "nft_queue", "nft_reject_inet", "nft_fib_inet", "nft_masq", "nft_nat",
    "nft_redir", "nft_chain_nat", "nft_objref", "nft_flow_offload", "nf_flow_table_inet", "nf_reject_ipv4", "nf_reject_ipv6",
    # How it talks to user space.
    "nfnetlink", "nfnetlink_queue", "nfnetlink_log", "nf_conntrack_netlink", "nf_nat",
    # The network around it.
    "veth", "bridge",
)
"""Modules every guest loads, with what they depend on: a case names what it needs besides. One that is missing or fails is
the end of the run."""
