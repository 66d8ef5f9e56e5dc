//! The programs `nft` and `fw4`: nothing reaches the kernel that was not checked, and a refusal is told in words that
//! name the missing package.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::message::LoadError;
use super::plan::Zone;
use super::run::{Ended, Hurry, Terms, Trouble, run, unblocked};
use super::steward::Steward;
use super::zones::NoDevices;

/// nft loads 20,000 elements within seconds on a slow router.
const NFT_TIMEOUT: Duration = Duration::from_secs(20);
/// fw4 renders its ruleset in an interpreter.
pub(super) const FW4_TIMEOUT: Duration = Duration::from_secs(60);

/// fw4's own settings.
pub(super) const FIREWALL_CONFIG: &str = "/etc/config/firewall";

/// nft's `-f -` opens /dev/stdin, which OpenWrt does not always have.
const STDIN: &str = "/proc/self/fd/0";

/// The programs and folders glacic works with.
#[derive(Debug, Clone)]
pub struct Tools {
    pub nft: PathBuf,
    /// Need not exist: then there is no fw4 to tell about includes.
    pub fw4: PathBuf,
    /// Where includes are published, in memory.
    pub includes: PathBuf,
    /// fw4's folder of static files, which reach the published ones.
    pub nftables_d: PathBuf,
    /// Who runs fw4, and reads what only root may read, for a daemon that has given up its rights.
    pub steward: Option<Steward>,
    /// When to wait for these programs no longer.
    pub hurry: Hurry,
}

impl Default for Tools {
    fn default() -> Tools {
        Tools {
            nft: PathBuf::from("/usr/sbin/nft"),
            fw4: PathBuf::from("/sbin/fw4"),
            includes: PathBuf::from("/var/run/glacic"),
            nftables_d: PathBuf::from("/usr/share/nftables.d"),
            steward: None,
            hurry: Hurry::default(),
        }
    }
}

/// What a ruleset of ours needs from the kernel, as a rule, and the package that brings it.
const NEEDS: [(&str, &str, &str); 6] = [
    ("queue to 1", "queue expression", "kmod-nft-queue"),
    ("log group 1", "log expression", "kmod-nfnetlink-log"),
    ("ct state established return", "connection tracking", "kmod-nft-core"),
    ("limit rate over 1/second return", "limit expression", "kmod-nft-core"),
    ("reject with icmpx type admin-prohibited", "reject expression", "kmod-nft-core"),
    (
        "ether saddr . meta l4proto . th dport { 02:00:00:00:00:01 . 6 . 1 } return",
        "sets of several parts",
        "kmod-nft-core",
    ),
];

impl Tools {
    /// Whether the kernel would take this text; `what` names it in errors.
    pub fn check(&self, what: &str, text: &str) -> Result<(), LoadError> {
        self.feed(&["-c", "-f", STDIN], what, text)
    }

    /// Loads this text: all of it, or nothing.
    pub fn load(&self, what: &str, text: &str) -> Result<(), LoadError> {
        self.feed(&["-f", STDIN], what, text)
    }

    fn feed(&self, arguments: &[&str], what: &str, text: &str) -> Result<(), LoadError> {
        let ended = self.nft(arguments, text)?;
        if ended.success { Ok(()) } else { Err(self.diagnose(what, text, &ended.stderr)) }
    }

    fn nft(&self, arguments: &[&str], input: &str) -> Result<Ended, LoadError> {
        // What it would do to the kernel when glacic is gone, nobody would undo.
        let terms = Terms { timeout: NFT_TIMEOUT, hurry: &self.hurry, tethered: true };
        run(&self.nft, arguments, input, terms).map_err(|trouble| match trouble {
            Trouble::Timeout => timeout(&self.nft, NFT_TIMEOUT),
            Trouble::Hurried => LoadError::Leaving,
            Trouble::Killed => killed(&self.nft),
            Trouble::Start(error) => LoadError::NoNft { path: self.nft.display().to_string(), why: error.to_string() },
        })
    }

    /// Why nft refused: its own message names a line, not the module that is missing, so each need is tried by itself.
    fn diagnose(&self, what: &str, text: &str, stderr: &str) -> LoadError {
        for (rule, need, package) in NEEDS {
            let keyword = rule.split(' ').next().unwrap_or(rule);
            if !text.contains(keyword) {
                continue;
            }
            let probe = format!("table inet glacic_probe {{\n\tchain probe {{\n\t\t{rule}\n\t}}\n}}\n");
            match self.nft(&["-c", "-f", STDIN], &probe) {
                Ok(ended) if !ended.success => {
                    return match keyword {
                        "queue" => LoadError::NoQueue,
                        "log" => LoadError::NoLog,
                        _ => LoadError::NoExpression { what: need, package },
                    };
                }
                Ok(_) => {}
                Err(error) => return error,
            }
        }
        // The message, without the line of text and the carets below it.
        let lines = stderr.lines().filter(|line| line.contains("rror")).take(3);
        let why = lines.collect::<Vec<_>>().join("; ");
        LoadError::Invalid { what: what.to_owned(), why: if why.is_empty() { stderr.trim().to_owned() } else { why } }
    }

    /// Has fw4 render and load its ruleset anew. Its exit code says nothing, so nothing is made of it.
    pub fn reload_fw4(&self) -> Result<(), LoadError> {
        let reloaded = match &self.steward {
            Some(steward) => steward.reload(&self.hurry),
            None => run(&self.fw4, &["-q", "reload"], "", self.fw4_terms()).map(drop),
        };
        match reloaded {
            Ok(()) => Ok(()),
            Err(Trouble::Timeout) => Err(timeout(&self.fw4, FW4_TIMEOUT)),
            Err(Trouble::Hurried) => Err(LoadError::Leaving),
            Err(Trouble::Killed) => Err(killed(&self.fw4)),
            Err(Trouble::Start(error)) => Err(LoadError::Invalid {
                what: "the reload of fw4".to_owned(),
                why: format!("{} cannot be run: {error}", self.fw4.display()),
            }),
        }
    }

    /// The same without waiting for its end.
    pub fn start_reload_of_fw4(&self) {
        if let (true, Some(steward)) = (self.has_fw4(), &self.steward) {
            steward.begin_reload();
        } else if self.has_fw4() {
            let fw4 = unblocked(&mut std::process::Command::new(&self.fw4))
                .args(["-q", "reload"])
                .stdin(std::process::Stdio::null())
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn();
            // Nobody is left to be told; the daemon's end hands the process over to init.
            drop(fw4);
        }
    }

    /// fw4 finishes what it has begun, whoever waits for it.
    fn fw4_terms(&self) -> Terms<'_> {
        Terms { timeout: FW4_TIMEOUT, hurry: &self.hurry, tethered: false }
    }

    pub fn has_fw4(&self) -> bool {
        self.fw4.exists()
    }

    /// The devices of one of fw4's zones, one a line.
    pub fn fw4_zone(&self, zone: &Zone) -> Result<String, NoDevices> {
        let silent = |why| NoDevices { why, answered: false };
        if !self.has_fw4() {
            let why = format!("there is no {} to ask for its interfaces; use list interface", self.fw4.display());
            return Err(NoDevices { why, answered: true });
        }
        let asked = match &self.steward {
            Some(steward) => steward.zone(zone.clone(), &self.hurry),
            None => run(&self.fw4, &["-q", "zone", zone.as_str()], "", self.fw4_terms()),
        };
        match asked {
            Ok(Ended { success: true, stdout, .. }) => Ok(stdout),
            Ok(_) => {
                let why = format!("fw4 knows no zone {} (or the firewall is not running)", zone.as_str());
                Err(NoDevices { why, answered: true })
            }
            Err(Trouble::Timeout) => Err(silent(timeout(&self.fw4, FW4_TIMEOUT).to_string())),
            Err(Trouble::Hurried) => Err(silent(LoadError::Leaving.to_string())),
            Err(Trouble::Killed) => Err(silent(killed(&self.fw4).to_string())),
            Err(Trouble::Start(error)) => Err(silent(format!("{} cannot be run: {error}", self.fw4.display()))),
        }
    }

    /// `/etc/config/firewall`; empty where there is none. The error says why it cannot be read.
    pub fn firewall_config(&self) -> Result<Vec<u8>, String> {
        let read = match &self.steward {
            Some(steward) => steward.firewall(),
            None => std::fs::read(FIREWALL_CONFIG),
        };
        match read {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read.map_err(|error| error.to_string()),
        }
    }

    /// A chain of fw4 as it is loaded; empty if it is not there.
    pub fn fw4_chain(&self, chain: &str) -> Result<String, LoadError> {
        Ok(self.nft(&["list", "chain", "inet", "fw4", chain], "")?.stdout)
    }
}

fn killed(program: &Path) -> LoadError {
    LoadError::Killed { program: program.display().to_string() }
}

fn timeout(program: &Path, after: Duration) -> LoadError {
    LoadError::Timeout { program: program.display().to_string(), seconds: after.as_secs() }
}

#[cfg(test)]
mod tests {
    use super::super::plan::{Ask, Plan};
    use super::super::ruleset::ruleset;
    use super::super::tests::support::{in_namespace, kernel_queues, plan};
    use super::*;

    #[test]
    fn a_kernel_without_queue_is_told_apart_from_bad_text() {
        in_namespace(|| {
            let tools = Tools::default();
            let queue = ruleset(&Plan { ask: Ask::Queue { first: 100, count: 1 }, ..plan() });
            let expected = if kernel_queues() { Ok(()) } else { Err(LoadError::NoQueue) };
            assert_eq!(tools.check("the ruleset", &queue), expected);
            assert_eq!(tools.check("the ruleset", &ruleset(&plan())), Ok(()));
            let nonsense = tools.check("the ruleset", "table inet glacic {\n\tfnord\n}\n");
            assert!(
                matches!(&nonsense, Err(LoadError::Invalid { why, .. }) if why.contains("fnord") || why.contains("syntax")),
                "{nonsense:?}"
            );
        });
    }

    #[test]
    fn a_router_without_nft_is_told_so() {
        let tools = Tools { nft: PathBuf::from("/nonexistent/nft"), ..Tools::default() };
        let error = tools.check("the ruleset", "").unwrap_err();
        assert!(error.to_string().contains("install nftables"), "{error}");
    }
}
