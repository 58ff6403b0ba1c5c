//! Orders that are wanted as long as nothing has to be otherwise.
//!
//! What a step needs has to be done before it. That one machine is finished before the next is touched is a preference: where
//! the needs of an unusual edit, such as hosts that swap their roles, go another way, the needs win, and what may be taken down
//! is decided by the permits alone.

use super::draft::Drafts;

/// Adds the preferred orders, the first ones before the later ones: all of them, or where they contradict the needs or each
/// other those that do not.
pub(super) fn add(drafts: &mut Drafts, preferred: &[(usize, usize)]) {
    let new: Vec<(usize, usize)> = preferred
        .iter()
        .copied()
        .filter(|&(earlier, later)| !waits_already(drafts, earlier, later))
        .collect();
    for &(earlier, later) in &new {
        drafts.order(earlier, later);
    }
    if !has_circle(drafts) {
        return;
    }
    for &(earlier, later) in &new {
        drafts.let_go(earlier, later);
    }
    for (earlier, later) in new {
        if !comes_before(drafts, later, earlier) {
            drafts.order(earlier, later);
        }
    }
}

fn waits_already(drafts: &Drafts, earlier: usize, later: usize) -> bool {
    drafts
        .get(later)
        .is_some_and(|draft| draft.after.contains(&earlier))
}

fn has_circle(drafts: &Drafts) -> bool {
    let mut waits_for: Vec<usize> = drafts.iter().map(|(_, draft)| draft.after.len()).collect();
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); waits_for.len()];
    for (index, draft) in drafts.iter() {
        for &earlier in &draft.after {
            followers[earlier].push(index);
        }
    }
    let mut ready: Vec<usize> = (0..waits_for.len())
        .filter(|&index| waits_for[index] == 0)
        .collect();
    let mut done = 0;
    while let Some(index) = ready.pop() {
        done += 1;
        for &follower in &followers[index] {
            waits_for[follower] -= 1;
            if waits_for[follower] == 0 {
                ready.push(follower);
            }
        }
    }
    done < waits_for.len()
}

/// True where `later` waits for `earlier`, be it through others.
fn comes_before(drafts: &Drafts, earlier: usize, later: usize) -> bool {
    let mut is_seen = vec![false; drafts.iter().count()];
    let mut queue = vec![later];
    while let Some(index) = queue.pop() {
        if index == earlier {
            return true;
        }
        if std::mem::replace(&mut is_seen[index], true) {
            continue;
        }
        queue.extend(
            drafts
                .get(index)
                .iter()
                .flat_map(|draft| draft.after.iter().copied()),
        );
    }
    false
}
