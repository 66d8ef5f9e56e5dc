//! The daemon's own jail: what it does not need, it gives up before it opens anything that others can reach.
//!
//! It works where ujail has done it already, where the user it should become is missing, and on kernels without seccomp:
//! whatever cannot be had is named, and the rest is done. `docs/privileges.md` says why it is done this way.

mod filter;
mod folders;
mod privileges;
mod state;
mod user;

use std::path::Path;

use crate::control::protocol::Confinement;
use crate::firewall::Steward;
use user::User;

/// Becomes `wanted` (or stays who it is), after handing over `folders`, and gives up what is not needed. To be called
/// while there is one thread.
pub fn confine(wanted: Option<&str>, folders: &[&Path]) -> Confinement {
    let mut trouble = Vec::new();
    let user = match wanted {
        // Whoever is not root has been made somebody else by others, and stays that.
        Some(name) if privileges::is_root() => choose(name, folders).map_err(|why| trouble.push(why)).ok(),
        _ => None,
    };
    if user.is_none() && privileges::is_root() {
        take_back(folders);
    }
    let note = |what: &str, done: std::io::Result<()>| done.err().map(|error| format!("{what}: {error}"));
    crate::netlink::keep_open();
    if !privileges::bound() {
        trouble.push(
            "capabilities can be gained by programs that are started: this process may not prevent it".to_owned(),
        );
    }
    if let Some(user) = &user {
        trouble.extend(note(&format!("cannot become user {}", user.name), privileges::become_user(user)));
    }
    trouble.extend(note("cannot give up capabilities", privileges::keep_net_admin()));
    trouble.extend(note("cannot forbid new privileges", privileges::no_new_privileges()));
    trouble.extend(note("cannot filter system calls", filter::install()));
    state::look(trouble)
}

/// The user to become, once everything is theirs; or why root stays.
fn choose(name: &str, folders: &[&Path]) -> Result<User, String> {
    let stays = |why: String| format!("the daemon stays root: {why}");
    let user = User::named(name).ok_or_else(|| stays(format!("there is no user {name} in /etc/passwd")))?;
    for folder in folders {
        folders::hand_over(folder, &user).map_err(stays)?;
    }
    Ok(user)
}

/// What an earlier daemon owned is root's again: without the capability to pass over owners, root could not read it.
fn take_back(folders: &[&Path]) {
    let root = User { name: "root".to_owned(), uid: 0, gid: 0 };
    for folder in folders {
        // What cannot be taken back is met, and told, by whoever needs it.
        let _ = folders::hand_over(folder, &root);
    }
}

/// Starts the one process that stays as it is, before anything is given up.
pub fn steward(fw4: &Path, config: &Path) -> Result<Steward, String> {
    Steward::start(fw4, config).map_err(|error| format!("fw4 is run without its usual rights: {error}"))
}
