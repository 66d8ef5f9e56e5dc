//! The one place that speaks netlink with the kernel.
