//! One machine of the test network: a network namespace, kept alive by an open file.
//!
//! Sockets belong to the namespace they were made in, whoever uses them later; so does a process. Work is done in a
//! namespace by a thread that enters it and ends.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, Output, Stdio};

use super::sys;

pub struct Host {
    /// What messages call it.
    pub name: String,
    namespace: File,
}

impl Host {
    /// A new namespace with its loopback up and IPv6 addresses usable at once.
    pub fn new(name: &str) -> Host {
        assert!(sys::is_root(), "network namespaces need root");
        let opened = std::thread::scope(|scope| {
            let worker = scope.spawn(|| -> io::Result<File> {
                sys::unshare_network()?;
                File::open("/proc/thread-self/ns/net")
            });
            worker.join().expect("the thread that makes a namespace does not panic")
        });
        let namespace = opened.unwrap_or_else(|fault| panic!("no network namespace for {name}: {fault}"));
        let host = Host { name: name.to_owned(), namespace };
        for family in ["all", "default"] {
            host.sysctl(&format!("net/ipv6/conf/{family}/accept_dad"), "0");
            host.sysctl(&format!("net/ipv4/conf/{family}/rp_filter"), "0");
        }
        host.ip("link set lo up");
        host
    }

    /// The path by which `ip` finds this namespace.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.namespace.as_raw_fd())
    }

    /// Runs something in the namespace and returns what it returns.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                self.enter();
                work()
            });
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Moves the calling thread into the namespace for good.
    pub fn enter(&self) {
        sys::enter_network(self.namespace.as_raw_fd())
            .unwrap_or_else(|fault| panic!("cannot enter the namespace of {}: {fault}", self.name));
    }

    /// A second handle on the same namespace.
    pub fn share(&self) -> Host {
        let namespace = self.namespace.try_clone().expect("a descriptor can be doubled");
        Host { name: self.name.clone(), namespace }
    }

    /// Writes a kernel setting, named by its path below /proc/sys.
    pub fn sysctl(&self, name: &str, value: &str) {
        let path = format!("/proc/sys/{name}");
        let done = self.run(|| fs::write(&path, value));
        done.unwrap_or_else(|fault| panic!("{}: cannot write {path}: {fault}", self.name));
    }

    /// Reads a file of this namespace, named by its path below /proc/net.
    pub fn proc_net(&self, name: &str) -> io::Result<String> {
        self.run(|| fs::read_to_string(format!("/proc/thread-self/net/{name}")))
    }

    /// Runs `ip` commands, one a line; all must succeed.
    pub fn ip(&self, commands: &str) {
        self.must("ip", &["-batch", "-"], commands);
    }

    /// Loads text into nftables; it must be taken.
    pub fn nft(&self, text: &str) {
        self.must("nft", &["-f", "-"], text);
    }

    /// Whether nftables takes the text.
    pub fn nft_accepts(&self, text: &str) -> bool {
        self.output("nft", &["-f", "-"], text).status.success()
    }

    /// What a command prints; it must succeed.
    pub fn must(&self, program: &str, arguments: &[&str], input: &str) -> String {
        let output = self.output(program, arguments, input);
        assert!(
            output.status.success(),
            "{}: {program} {} failed: {}{}\ninput was:\n{input}",
            self.name,
            arguments.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a command in the namespace with `input` on its standard input, to its end.
    pub fn output(&self, program: &str, arguments: &[&str], input: &str) -> Output {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.run(|| {
            sys::die_with_parent(&mut command);
            let mut child = command.spawn().unwrap_or_else(|fault| panic!("cannot run {program}: {fault}"));
            let mut stdin = child.stdin.take().expect("standard input is a pipe");
            std::thread::scope(|scope| {
                // A command that ends without reading is no fault here: its exit code tells.
                scope.spawn(move || drop(stdin.write_all(input.as_bytes())));
                child.wait_with_output().unwrap_or_else(|fault| panic!("lost {program}: {fault}"))
            })
        })
    }
}
