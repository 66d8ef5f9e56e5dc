//! Publishes includes where fw4 finds them: `<includes>/<chain>/glacic.nft`, in memory.
//!
//! Small static files of the package, in fw4's own folder, include `<includes>/<chain>/*.nft`; a wildcard without a match
//! is no error, so a router that boots has nothing of ours in its firewall until the daemon has checked it. A file
//! appears whole, by rename, only after nft has taken its text inside a chain.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::includes::{ACCEPT_COMMENT, Include};
use super::message::LoadError;
use super::nft::Tools;

const FILE: &str = "glacic.nft";
/// Must not end in `.nft`: the wildcard would find it half written.
const HALF: &str = "glacic.new";

/// Publishes these includes and takes away all others. Says whether anything changed.
pub fn publish(tools: &Tools, includes: &[Include]) -> Result<bool, LoadError> {
    for include in includes {
        let Include { chain, text } = include;
        tools.check(
            &format!("the include for {chain}"),
            &format!("table inet glacic_check {{\n\tchain {chain} {{\n{text}\t}}\n}}\n"),
        )?;
    }
    let mut changed = withdraw_except(&tools.includes, includes)?;
    for include in includes {
        changed |= write(&tools.includes.join(&include.chain), &include.text)?;
    }
    Ok(changed)
}

/// Takes away every include. Says whether there was any.
pub fn withdraw(tools: &Tools) -> Result<bool, LoadError> {
    withdraw_except(&tools.includes, &[])
}

/// Has fw4 take in what changed, and tells what did not arrive: fw4 ends well even if it has kept its old ruleset.
/// Where nothing changed, fw4 is only told if it lacks something all the same.
pub fn announce(tools: &Tools, includes: &[Include], changed: bool) -> Vec<String> {
    let missing = || includes.iter().filter_map(|include| missing(tools, &include.chain)).collect::<Vec<_>>();
    if !tools.has_fw4() {
        return match includes.is_empty() {
            true => Vec::new(),
            false => vec![format!(
                "there is no {}: the includes under {} have to be loaded by hand",
                tools.fw4.display(),
                tools.includes.display()
            )],
        };
    }
    if !changed && missing().is_empty() {
        return Vec::new();
    }
    match tools.reload_fw4() {
        Ok(()) => missing(),
        Err(error) => vec![error.to_string()],
    }
}

/// Why fw4's chain lacks our include, if it does.
fn missing(tools: &Tools, chain: &str) -> Option<String> {
    match tools.fw4_chain(chain) {
        Ok(listing) if listing.contains(ACCEPT_COMMENT) => return None,
        Ok(_) => {}
        Err(error) => return Some(error.to_string()),
    }
    Some(unreached(tools, chain).unwrap_or_else(|| {
        format!(
            "fw4's chain {chain} lacks glacic's rules, so allowed flows stay refused there: \
             see that fw4 is running (fw4 check) and that its option auto_includes is not 0"
        )
    }))
}

/// What is to be done where fw4 has no file that would take in ours.
pub fn unreached(tools: &Tools, chain: &str) -> Option<String> {
    let folder = tools.nftables_d.join("chain-post").join(chain);
    let reaches = format!("include \"{}/{chain}/*.nft\"", tools.includes.display());
    (!folder.is_dir()).then(|| {
        format!(
            "fw4's chain {chain} lacks glacic's rules, so allowed flows stay refused there: create {} with the line {reaches}",
            folder.join(FILE).display()
        )
    })
}

fn write(folder: &Path, text: &str) -> Result<bool, LoadError> {
    let file = folder.join(FILE);
    if fs::read_to_string(&file).is_ok_and(|present| present == text) {
        return Ok(false);
    }
    let half = folder.join(HALF);
    let written =
        fs::create_dir_all(folder).and_then(|()| fs::write(&half, text)).and_then(|()| fs::rename(&half, &file));
    written.map(|()| true).map_err(|error| trouble(file, error))
}

fn withdraw_except(root: &Path, keep: &[Include]) -> Result<bool, LoadError> {
    let mut changed = false;
    let folders = match fs::read_dir(root) {
        Ok(folders) => folders,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(trouble(root.to_owned(), error)),
    };
    for folder in folders.flatten() {
        if keep.iter().any(|include| folder.file_name() == include.chain.as_str()) {
            continue;
        }
        let file = folder.path().join(FILE);
        match fs::remove_file(&file) {
            Ok(()) => changed = true,
            // Other files live here too, the control socket among them.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) => return Err(trouble(file, error)),
        }
    }
    Ok(changed)
}

fn trouble(path: PathBuf, error: io::Error) -> LoadError {
    LoadError::Publish { path: path.display().to_string(), why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::super::includes::includes;
    use super::super::plan::Plan;
    use super::super::tests::support::{Folder, guarded, in_namespace, install_fw4, must, plan, tools};
    use super::*;
    use crate::config::settings::Placement;

    fn fallback() -> Plan {
        Plan {
            placement: Placement::Fallback,
            guard_input: true,
            guarded: vec![guarded("br-lan", Some("lan"), true)],
            ..plan()
        }
    }

    #[test]
    fn includes_reach_fw4_and_leave_it() {
        in_namespace(|| {
            let folder = Folder::new();
            let tools = tools(&folder);
            install_fw4(&tools);
            let wanted = includes(&fallback());
            assert_eq!(
                wanted.iter().map(|include| include.chain.as_str()).collect::<Vec<_>>(),
                ["forward", "input_lan"]
            );
            assert_eq!(publish(&tools, &wanted), Ok(true));
            assert_eq!(announce(&tools, &wanted, true), [""; 0]);
            let forward = must("nft", &["list", "chain", "inet", "fw4", "forward"], "");
            let ours = forward.find(ACCEPT_COMMENT).unwrap();
            assert!(forward.find("jump forward_lan").unwrap() < ours && ours < forward.find("handle_reject").unwrap());
            assert!(must("nft", &["list", "chain", "inet", "fw4", "input_lan"], "").contains("DROP_IN"));

            assert_eq!(publish(&tools, &wanted), Ok(false), "nothing changed, nobody needs to be told");
            must("nft", &["flush", "chain", "inet", "fw4", "forward"], "");
            assert_eq!(announce(&tools, &wanted, false), [""; 0]);
            assert!(
                must("nft", &["list", "chain", "inet", "fw4", "forward"], "").contains(ACCEPT_COMMENT),
                "unless it is lost"
            );
            assert_eq!(withdraw(&tools), Ok(true));
            assert_eq!(announce(&tools, &[], true), [""; 0]);
            assert!(!must("nft", &["list", "ruleset"], "").contains("glacic"));
        });
    }

    #[test]
    fn a_bad_include_is_never_published() {
        in_namespace(|| {
            let folder = Folder::new();
            let tools = tools(&folder);
            let good = Include { chain: "forward".to_owned(), text: "accept\n".to_owned() };
            let bad = Include { chain: "input_lan".to_owned(), text: "iifname \"br-lan\" fnord\n".to_owned() };
            assert!(publish(&tools, &[good, bad]).is_err());
            assert!(!tools.includes.exists());
        });
    }

    #[test]
    fn an_include_that_did_not_arrive_is_told() {
        in_namespace(|| {
            let folder = Folder::new();
            let tools = tools(&folder);
            install_fw4(&tools);
            let wanted = includes(&fallback());
            publish(&tools, &wanted).unwrap();
            // The owner's own file breaks fw4's ruleset: its reload still ends well.
            let broken = tools.nftables_d.join("chain-post/forward/owner.nft");
            fs::write(&broken, "fnord\n").unwrap();
            assert!(announce(&tools, &wanted, true)[0].contains("auto_includes"));
            fs::remove_file(broken).unwrap();
            fs::remove_dir_all(tools.nftables_d.join("chain-post/input_lan")).unwrap();
            let warnings = announce(&tools, &wanted, true);
            assert!(warnings.len() == 1 && warnings[0].contains("create "), "{warnings:?}");
        });
    }

    #[test]
    fn other_files_of_the_folder_stay() {
        let folder = Folder::new();
        let tools = tools(&folder);
        fs::create_dir_all(tools.includes.join("forward")).unwrap();
        fs::write(tools.includes.join("forward").join(FILE), "").unwrap();
        fs::write(tools.includes.join("control.sock"), "").unwrap();
        assert_eq!(withdraw(&tools), Ok(true));
        assert_eq!(withdraw(&tools), Ok(false));
        assert!(tools.includes.join("control.sock").exists());
    }
}
