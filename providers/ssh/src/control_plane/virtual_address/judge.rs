//! Who holds the address, and whether it does its work.

use keelson_provider_api::kinds::VirtualAddress;

use super::Seen;
use crate::control_plane::look::{ADDRESS, Look};

/// How an address is.
pub(super) enum Verdict {
    /// This machine holds it, and its API server answers there.
    Held(String),
    /// It does not do its work, for this reason.
    Unwell(String),
}

/// The machine that holds the address; one of them where there are several.
pub(super) fn holder(seen: &Seen) -> Option<String> {
    let mut holders = holders(seen);
    holders.next().map(|(machine, _)| machine.clone())
}

fn holders(seen: &Seen) -> impl Iterator<Item = (&String, &Look<VirtualAddress>)> {
    seen.iter()
        .filter_map(|(machine, look)| Some((machine, look.as_ref().ok()?)))
        .filter(|(_, look)| look.holds_address)
}

/// Judges by what was seen of machines how the address `wanted` is.
pub(super) fn judge(seen: &Seen, wanted: &VirtualAddress) -> Verdict {
    let address = &wanted.address;
    let held: Vec<_> = holders(seen).collect();
    match held.as_slice() {
        [] => {
            let states = wanted.machines.iter().filter_map(|machine| {
                Some(match seen.get(machine)? {
                    Err(error) => format!("{machine} does not answer: {error}"),
                    Ok(look) if look.mark.is_none() => format!("{machine} was not given it"),
                    Ok(look) => format!("keepalived is {} on {machine}", look.unit("keelson-keepalived")),
                })
            });
            let states: Vec<String> = states.collect();
            Verdict::Unwell(format!("no machine holds {address} ({})", states.join("; ")))
        }
        [(machine, look)] => match look.trouble(ADDRESS) {
            None => Verdict::Held((*machine).clone()),
            Some(why) => Verdict::Unwell(format!(
                "{machine} holds {address}, and its API server does not answer there: {why}"
            )),
        },
        several => {
            let names: Vec<&str> = several.iter().map(|(machine, _)| machine.as_str()).collect();
            Verdict::Unwell(format!(
                "{} hold {address} at the same time: they do not hear each other's keepalived",
                names.join(" and ")
            ))
        }
    }
}
