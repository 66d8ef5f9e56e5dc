//! Flow offload: connections leave the firewall after their first packets, and nobody sees the rest. What is decided holds
//! all the same, and a denial ends what runs; what suffers is what can be learned about connections. So it is told loudly.

use crate::config::uci;

/// A flowtable of the kernel: the table it is in, its name, and whether it is left to hardware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub table: String,
    pub name: String,
    pub hardware: bool,
}

/// fw4's own table, whose flowtable is made by its options.
const FW4: &str = "inet fw4";

/// The sentence about it, if it is on: by fw4's settings (`/etc/config/firewall`), or by what the kernel has.
pub fn told(firewall_config: &[u8], flowtables: &[Found]) -> Option<String> {
    let firewall = uci::read_foreign(firewall_config);
    let defaults = firewall.of_kind("defaults").next();
    let is_on = |option: &str| defaults.and_then(|section| section.option(option)).is_some_and(uci::is_true);
    // fw4 looks at the second one only where the first is on.
    let by_option = is_on("flow_offloading");
    let others = flowtables.iter().filter(|found| !(by_option && found.table == FW4));
    let others: Vec<String> =
        others.map(|found| format!("flowtable {} of table {}", found.name, found.table)).collect();
    if !by_option && others.is_empty() {
        return None;
    }
    let hardware = flowtables.iter().any(|found| found.hardware) || by_option && is_on("flow_offloading_hw");
    let kind = if hardware { "hardware" } else { "software" };
    let option = by_option.then(|| "option flow_offloading of the firewall".to_owned());
    let by = option.into_iter().chain(others).collect::<Vec<_>>().join(", ");
    let remedy = match by_option {
        true => {
            "; to see everything: uci set firewall.@defaults[0].flow_offloading=0; uci commit firewall; \
             service firewall reload"
        }
        false => "",
    };
    Some(format!(
        "{kind} flow offload is on ({by}): connections leave the firewall after their first packets. Decisions hold, and a \
         denial still ends what runs; names of destinations and counts of what is used suffer{remedy}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(table: &str, hardware: bool) -> Found {
        Found { table: table.to_owned(), name: "ft".to_owned(), hardware }
    }

    const SOFTWARE: &[u8] = b"config defaults\n\toption flow_offloading '1'\n";

    #[test]
    fn without_offload_there_is_nothing_to_tell() {
        assert_eq!(told(b"", &[]), None);
        assert_eq!(told(b"config defaults\n\toption flow_offloading '0'\n", &[]), None);
        // As fw4 has it: hardware without software is neither.
        assert_eq!(told(b"config defaults\n\toption flow_offloading_hw '1'\n", &[]), None);
        // Only the section with this name, only a yes.
        assert_eq!(told(b"config zone\n\toption flow_offloading '1'\n", &[]), None);
    }

    #[test]
    fn what_is_on_is_told_with_what_suffers_and_what_to_do() {
        let software = told(SOFTWARE, &[found(FW4, false)]).unwrap();
        assert!(
            software.starts_with("software flow offload is on (option flow_offloading of the firewall): "),
            "{software}"
        );
        assert!(software.ends_with("service firewall reload"), "{software}");
        let both = b"config defaults\n\toption flow_offloading '1'\n\toption flow_offloading_hw '1'\n";
        assert!(told(both, &[]).unwrap().starts_with("hardware flow offload"), "also before the firewall is reloaded");
    }

    #[test]
    fn a_flowtable_of_somebody_else_is_told_by_its_name() {
        let theirs = told(b"", &[found("ip custom", true)]).unwrap();
        assert!(theirs.starts_with("hardware flow offload is on (flowtable ft of table ip custom): "), "{theirs}");
        assert!(!theirs.contains("uci set"), "no option turns it off: {theirs}");
        let both = told(SOFTWARE, &[found(FW4, false), found("ip custom", false)]).unwrap();
        assert!(both.contains("(option flow_offloading of the firewall, flowtable ft of table ip custom)"), "{both}");
        // Turned off, and not yet taken out of the kernel.
        assert!(told(b"", &[found(FW4, false)]).is_some());
    }
}
