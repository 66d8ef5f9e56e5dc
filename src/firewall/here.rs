//! What settings mean on the router they are checked on: which zones and interfaces cannot be guarded, and which of fw4's
//! chains would not take in what is published. Looks, and changes nothing.

use super::includes::includes;
use super::nft::Tools;
use super::plan::Plan;
use super::publish;
use super::zones;
use crate::config::Settings;

/// What would not be as the owner wants it, each a sentence. Nothing where there is no fw4: that is no router.
pub fn shortcomings(settings: &Settings, tools: &Tools) -> Vec<String> {
    if !tools.has_fw4() {
        return Vec::new();
    }
    let found = zones::find(&settings.zones, &settings.interfaces, &[], tools);
    let mut told: Vec<String> = found.refused.iter().map(ToString::to_string).chain(found.notes).collect();
    let plan = Plan::new(settings, settings.learning, found.guarded);
    told.extend(includes(&plan).iter().filter_map(|include| publish::unreached(tools, &include.chain)));
    told
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::tests::support::{Folder, tools};
    use super::*;
    use crate::config::settings::Placement;

    #[test]
    fn chains_without_a_file_that_takes_in_ours_are_named_with_the_remedy() {
        let folder = Folder::new();
        let tools = tools(&folder);
        let settings = Settings {
            zones: vec!["lan".to_owned(), "attic".to_owned()],
            placement: Placement::Fallback,
            guard_input: true,
            ..Settings::default()
        };
        assert_eq!(shortcomings(&settings, &tools), [""; 0], "no fw4, no router");
        std::fs::write(&tools.fw4, "#!/bin/sh\n[ \"$3\" = lan ] && echo br-none\n").unwrap();
        std::fs::set_permissions(&tools.fw4, std::fs::Permissions::from_mode(0o755)).unwrap();
        let told = shortcomings(&settings, &tools).join("\n");
        assert!(told.contains("zone attic is not guarded: fw4 knows no zone attic"), "{told}");
        for chain in ["forward", "input_lan"] {
            let file = tools.nftables_d.join("chain-post").join(chain).join("glacic.nft");
            let line = format!(
                "create {} with the line include \"{}/{chain}/*.nft\"",
                file.display(),
                tools.includes.display()
            );
            assert!(told.contains(&line), "{told}");
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "").unwrap();
        }
        assert!(!shortcomings(&settings, &tools).join("\n").contains("create "));
        let guard = Settings { placement: Placement::Guard, ..settings };
        std::fs::remove_dir_all(&tools.nftables_d).unwrap();
        assert!(!shortcomings(&guard, &tools).join("\n").contains("create "), "guard needs nothing of fw4");
    }
}
