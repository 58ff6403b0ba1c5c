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
    let in_circles = in_circles(drafts);
    let doubtful = |&(earlier, later): &(usize, usize)| in_circles[earlier] && in_circles[later];
    let doubtful: Vec<(usize, usize)> = new.into_iter().filter(doubtful).collect();
    for &(earlier, later) in &doubtful {
        drafts.let_go(earlier, later);
    }
    for (earlier, later) in doubtful {
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

/// The drafts that are in a circle, or between two.
fn in_circles(drafts: &Drafts) -> Vec<bool> {
    let count = drafts.iter().count();
    let mut earlier: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut later: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (index, draft) in drafts.iter() {
        for &before in &draft.after {
            earlier[index].push(before);
            later[before].push(index);
        }
    }
    let mut left = vec![true; count];
    take_ends(&mut left, &earlier, &later);
    take_ends(&mut left, &later, &earlier);
    left
}

/// Takes out whatever has nothing left on its one side, again and again.
fn take_ends(left: &mut [bool], one_side: &[Vec<usize>], other_side: &[Vec<usize>]) {
    let is_left = |left: &[bool], index: &usize| left[*index];
    let mut neighbours: Vec<usize> = one_side
        .iter()
        .map(|side| side.iter().filter(|index| is_left(left, index)).count())
        .collect();
    let mut ends: Vec<usize> = (0..left.len())
        .filter(|&index| left[index] && neighbours[index] == 0)
        .collect();
    while let Some(end) = ends.pop() {
        left[end] = false;
        for &next in other_side[end].iter().filter(|index| left[**index]) {
            neighbours[next] -= 1;
            if neighbours[next] == 0 {
                ends.push(next);
            }
        }
    }
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
