//! Errors as values: what was being done, why the kernel refused, and the remedy, in words for a router's owner.

use std::borrow::Cow;
use std::fmt;
use std::io;

/// What the kernel refused, why, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What was being done, for example `bind queue 100`.
    pub what: Cow<'static, str>,
    pub errno: i32,
    /// The kernel's own words (extended ACK), where it has any.
    pub kernel: Option<Box<str>>,
    pub cause: Cause,
}

/// The cause of an [`Error`], as far as it is known. Each has its remedy in the error's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The process may not do this: it lacks CAP_NET_ADMIN.
    Rights,
    /// Another program reads this queue or log group; its netlink port is often its process id.
    SecondReader {
        port: u32,
    },
    /// The kernel does not have this module.
    MissingModule(&'static str),
    /// The table, set, element or connection is not there.
    Gone,
    /// The set holds as many elements as its `size` says.
    Full,
    /// The kernel is busy with another change of the same thing.
    Busy,
    /// The kernel had no memory or no room to answer.
    Overflow,
    /// An answer that makes no sense.
    Nonsense,
    Other,
}

impl Error {
    /// An error whose cause is what the number usually means.
    pub fn new(what: impl Into<Cow<'static, str>>, errno: i32) -> Error {
        let cause = match errno {
            libc::EPERM | libc::EACCES => Cause::Rights,
            libc::ENOENT => Cause::Gone,
            libc::ENFILE => Cause::Full,
            libc::EBUSY => Cause::Busy,
            libc::ENOBUFS | libc::ENOMEM => Cause::Overflow,
            libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT => Cause::MissingModule("nfnetlink"),
            libc::EPROTO => Cause::Nonsense,
            _ => Cause::Other,
        };
        Error { what: what.into(), errno, kernel: None, cause }
    }

    /// The error of the system call that just failed.
    pub fn last(what: impl Into<Cow<'static, str>>) -> Error {
        Error::new(what, io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
    }

    pub fn with_cause(mut self, cause: Cause) -> Error {
        self.cause = cause;
        self
    }

    pub fn with_kernel_text(mut self, text: Option<Box<str>>) -> Error {
        self.kernel = text;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: ", self.what)?;
        match self.cause {
            Cause::Rights => write!(f, "not permitted; run as root or with the capability CAP_NET_ADMIN"),
            Cause::SecondReader { port } => write!(
                f,
                "another program reads it already (netlink port {port}, often its process id); \
                 stop that program or set another number with `option log_group`"
            ),
            Cause::MissingModule(module) => {
                write!(f, "the kernel lacks {module}; install the package kmod-{}", package(module))
            }
            Cause::Gone => write!(f, "it is not there (a table, set or module that is missing or was removed)"),
            Cause::Full => write!(f, "the set is full; forget flows that nobody uses, or raise `option max_flows`"),
            Cause::Busy => write!(f, "it is in use; try again"),
            Cause::Overflow => write!(f, "the kernel is out of memory or buffer space; try again"),
            Cause::Nonsense => write!(f, "the kernel's answer makes no sense"),
            Cause::Other => write!(f, "{}", io::Error::from_raw_os_error(self.errno)),
        }?;
        match &self.kernel {
            Some(text) => write!(f, " (the kernel says: {text})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// OpenWrt's package of a kernel module, without `kmod-`.
fn package(module: &str) -> &str {
    match module {
        "nfnetlink_queue" => "nfnetlink-queue",
        "nfnetlink_log" => "nfnetlink-log",
        "nf_conntrack_netlink" => "nf-conntrack-netlink",
        "nf_tables" => "nft-core",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_names_its_remedy() {
        let text = |errno, cause| Error::new("bind queue 100", errno).with_cause(cause).to_string();
        assert!(text(libc::EPERM, Cause::Rights).contains("CAP_NET_ADMIN"));
        assert!(text(libc::EPERM, Cause::SecondReader { port: 77 }).contains("port 77"));
        assert!(text(libc::EINVAL, Cause::MissingModule("nfnetlink_queue")).contains("kmod-nfnetlink-queue"));
        assert!(text(libc::ENFILE, Cause::Full).contains("max_flows"));
    }

    #[test]
    fn an_unknown_number_is_told_in_the_systems_words() {
        // C libraries have words of their own.
        let words = std::io::Error::from_raw_os_error(libc::EDOM);
        let error = Error::new("list sets", libc::EDOM).with_kernel_text(Some("no".into()));
        assert!(error.to_string().starts_with(&format!("cannot list sets: {words}")), "{error}");
        assert!(error.to_string().ends_with("(the kernel says: no)"), "{error}");
    }
}
