//! What this room's tests share: plans to vary, and network namespaces to load them into.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::config::Settings;
use crate::config::settings::Inline;

use crate::firewall::nft::Tools;
use crate::firewall::plan::{Guarded, Interface, Plan, Zone};

pub fn guarded(interface: &str, zone: Option<&str>, input_refused: bool) -> Guarded {
    Guarded {
        interface: Interface::new(interface).unwrap(),
        zone: zone.map(|zone| Zone::new(zone).unwrap()),
        input_refused,
    }
}

/// Guard placement, log mode, learning, one interface; small sets.
pub fn plan() -> Plan {
    let settings = Settings { inline: Inline::Log, max_flows: 1024, ..Settings::default() };
    Plan::new(&settings, true, vec![guarded("br-lan", Some("lan"), false)])
}

/// Runs a test in a network namespace of its own, which goes with the thread. Says so and returns where that is not
/// possible.
pub fn in_namespace(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(move || {
        // SAFETY: takes no pointers; changes the namespace of this thread alone.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
            eprintln!("not tested: a network namespace needs root: {}", std::io::Error::last_os_error());
            return;
        }
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// The nft to test with: `GLACIC_NFT=/path/to/another/nft cargo test firewall::`.
fn nft() -> String {
    std::env::var("GLACIC_NFT").unwrap_or_else(|_| Tools::default().nft.display().to_string())
}

/// Runs a program with this text as its input.
pub fn run(program: &str, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(if program == "nft" { nft() } else { program.to_owned() })
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Runs a program that must succeed, and returns what it prints.
pub fn must(program: &str, arguments: &[&str], input: &str) -> String {
    let output = run(program, arguments, input);
    let trouble = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {trouble}\n{input}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether the kernel has nft's `queue` expression. To be asked in a namespace.
pub fn kernel_queues() -> bool {
    let probe = "table inet probe {\n\tchain probe {\n\t\tqueue to 1\n\t}\n}\n";
    run("nft", &["-c", "-f", "-"], probe).status.success()
}

/// The text as this kernel can judge it: with a mark where it cannot queue.
pub fn judgeable(text: &str) -> String {
    if kernel_queues() {
        return text.to_owned();
    }
    let mark = |line: &str| match line.trim_start().starts_with("queue ") {
        true => "\t\tmeta mark set 0x64\n".to_owned(),
        false => format!("{line}\n"),
    };
    text.lines().map(mark).collect()
}

/// A folder that goes with the value.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("glacic-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Tools with folders of their own, and no fw4.
pub fn tools(folder: &Folder) -> Tools {
    let at = |name: &str| folder.0.join(name);
    Tools { nft: nft().into(), fw4: at("fw4"), includes: at("run"), nftables_d: at("nftables.d"), ..Tools::default() }
}

/// Gives these tools an fw4 whose reload loads a ruleset like fw4's: refusing what comes from br-lan, with the package's
/// static files at the ends of `forward` and `input_lan`. As with fw4, a reload ends well even if nft refuses.
pub fn install_fw4(tools: &Tools) {
    for chain in ["forward", "input_lan"] {
        let folder = tools.nftables_d.join("chain-post").join(chain);
        std::fs::create_dir_all(&folder).unwrap();
        let packaged = Path::new(env!("CARGO_MANIFEST_DIR")).join("openwrt/glacic/files/nftables.d/chain-post");
        let text = std::fs::read_to_string(packaged.join(chain).join("glacic.nft")).unwrap();
        let text = text.replace("/var/run/glacic", tools.includes.to_str().unwrap());
        std::fs::write(folder.join("glacic.nft"), text).unwrap();
    }
    let post = |chain: &str| format!("\t\tinclude \"{}/chain-post/{chain}/*.nft\"\n", tools.nftables_d.display());
    let ruleset = format!(
        "table inet fw4\nflush table inet fw4\ntable inet fw4 {{\n\
         \tchain input {{\n\t\ttype filter hook input priority filter; policy drop;\n\
         \t\tct state established,related accept\n\t\tiifname \"br-lan\" jump input_lan\n\t}}\n\
         \tchain forward {{\n\t\ttype filter hook forward priority filter; policy drop;\n\
         \t\tct state established,related accept\n\t\tiifname \"br-lan\" jump forward_lan\n{}\t\tjump handle_reject\n\t}}\n\
         \tchain input_lan {{\n{}\t\tjump handle_reject\n\t}}\n\
         \tchain forward_lan {{\n\t\tudp dport 9999 accept\n\t}}\n\
         \tchain handle_reject {{\n\t\tmeta l4proto tcp reject with tcp reset\n\t\treject with icmpx type port-unreachable\n\t}}\n}}\n",
        post("forward"),
        post("input_lan"),
    );
    let file = tools.nftables_d.join("fw4.nft");
    std::fs::write(&file, ruleset).unwrap();
    let script = format!("#!/bin/sh\n{} -f {} 2>/dev/null\nexit 0\n", nft(), file.display());
    std::fs::write(&tools.fw4, script).unwrap();
    std::fs::set_permissions(&tools.fw4, std::fs::Permissions::from_mode(0o755)).unwrap();
}
