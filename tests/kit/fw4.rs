//! A ruleset like the one fw4 renders: the same chains in the same order, with the same places for includes.
//!
//! Zones `lan` (interface br-lan) and `wan`; what no rule accepts is rejected. Files below `chain-pre/CHAIN` and
//! `chain-post/CHAIN` of a folder are taken in where fw4 takes them in.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::network::{LAN, Network, WAN};

/// What the LAN may do at the router by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    Accept,
    Reject,
}

/// The owner's settings of the firewall.
#[derive(Debug, Clone)]
pub struct Fw4 {
    /// `forwarding lan → wan`, OpenWrt's default.
    pub lan_to_wan: bool,
    pub lan_input: Input,
    /// The folder that `/usr/share/nftables.d` is on a router.
    pub includes: PathBuf,
    /// More rules at the head of `forward_wan`: redirects and the like.
    pub forward_wan: String,
}

impl Fw4 {
    /// OpenWrt's defaults, with an empty folder for includes in the network's own folder.
    pub fn new(network: &Network) -> Fw4 {
        let includes = network.directory().join("nftables.d");
        fs::create_dir_all(&includes).expect("the test's folder can be written");
        Fw4 { lan_to_wan: true, lan_input: Input::Accept, includes, forward_wan: String::new() }
    }

    /// As a house that allows nothing by itself.
    pub fn closed(network: &Network) -> Fw4 {
        Fw4 { lan_to_wan: false, ..Fw4::new(network) }
    }

    /// Writes an include file, as a package would bring it: `place` is for example `chain-post/forward`.
    pub fn write_include(&self, place: &str, name: &str, text: &str) {
        let folder = self.includes.join(place);
        fs::create_dir_all(&folder).expect("the test's folder can be written");
        fs::write(folder.join(name), text).expect("the test's folder can be written");
    }

    /// Starts anew, as `fw4 restart` does: the table is made afresh, tables of others stay.
    pub fn restart(&self, network: &Network) {
        network.router.nft(&format!("table inet fw4\ndelete table inet fw4\n{}", self.render()));
    }

    /// As `fw4 reload` does: rules are replaced, sets stay.
    pub fn reload(&self, network: &Network) {
        network.router.nft(&self.reload_text());
    }

    /// What a reload loads.
    pub fn reload_text(&self) -> String {
        format!("table inet fw4\nflush table inet fw4\n{}", self.render())
    }

    /// The ruleset.
    pub fn render(&self) -> String {
        let mut text = String::from("table inet fw4 {\n");
        let established = "ct state established,related accept";
        let reject = "jump handle_reject";
        let to_wan = if self.lan_to_wan { "jump accept_to_wan comment \"forwarding lan to wan\"" } else { "" };
        let lan_input = match self.lan_input {
            Input::Accept => "iifname br-lan accept",
            Input::Reject => "iifname br-lan jump handle_reject",
        };
        self.chain(
            &mut text,
            "input",
            "type filter hook input priority filter; policy drop;",
            &[
                "iifname lo accept",
                established,
                &format!("iifname {LAN} jump input_lan"),
                &format!("iifname {WAN} jump input_wan"),
                reject,
            ],
        );
        self.chain(
            &mut text,
            "forward",
            "type filter hook forward priority filter; policy drop;",
            &[established, &format!("iifname {LAN} jump forward_lan"), &format!("iifname {WAN} jump forward_wan")],
        );
        // The one refusal that stands behind its post include.
        text.truncate(text.len() - "\t}\n".len());
        let _ = writeln!(text, "\t\t{reject}\n\t}}");
        self.chain(&mut text, "input_lan", "", &[]);
        text.truncate(text.len() - "\t}\n".len());
        let _ = writeln!(text, "\t\t{lan_input}\n\t}}");
        self.chain(&mut text, "input_wan", "", &["icmpv6 type { 133, 134, 135, 136 } accept"]);
        self.chain(&mut text, "forward_lan", "", &[to_wan]);
        self.chain(&mut text, "forward_wan", "", &[self.forward_wan.as_str()]);
        let _ = write!(
            text,
            "\tchain accept_to_wan {{\n\t\toifname {WAN} counter accept\n\t}}\n\
             \tchain handle_reject {{\n\t\tmeta l4proto tcp reject with tcp reset\n\t\treject\n\t}}\n}}\n"
        );
        text
    }

    fn chain(&self, text: &mut String, name: &str, hook: &str, rules: &[&str]) {
        let _ = writeln!(text, "\tchain {name} {{");
        if !hook.is_empty() {
            let _ = writeln!(text, "\t\t{hook}");
        }
        self.include(text, &format!("chain-pre/{name}"));
        for rule in rules.iter().filter(|rule| !rule.is_empty()) {
            let _ = writeln!(text, "\t\t{rule}");
        }
        self.include(text, &format!("chain-post/{name}"));
        let _ = writeln!(text, "\t}}");
    }

    fn include(&self, text: &mut String, place: &str) {
        for file in files(&self.includes.join(place)) {
            let _ = writeln!(text, "\t\tinclude \"{}\"", file.display());
        }
    }
}

/// The include files of a folder, in order; a folder that is missing has none.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "nft"));
    files.sort();
    files
}
