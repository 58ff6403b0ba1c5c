//! What is taken out of answers: whole lists, and what the API promises.

use crate::failure::CallError;

/// A list with more pages has no end: the shortest page of these services has a hundred things.
const MOST_PAGES: usize = 1000;

/// A whole list, by calls of `action`: `ask` gets what the call for a page must say, and answers with the page and what the
/// call for the next one must say.
///
/// # Errors
///
/// When a page cannot be had, and when the list does not end: a part is never taken for the whole.
pub(crate) async fn every_page<T, N, F>(
    action: &'static str,
    ask: impl Fn(Option<N>) -> F,
) -> Result<Vec<T>, CallError>
where
    F: Future<Output = Result<(Vec<T>, Option<N>), CallError>>,
{
    let mut all = Vec::new();
    let mut next = None;
    for _ in 0..MOST_PAGES {
        let (page, after) = ask(next).await?;
        all.extend(page);
        if after.is_none() {
            return Ok(all);
        }
        next = after;
    }
    let problem = format!("the list goes on after {MOST_PAGES} pages, and was given up");
    Err(CallError::unsent(action, problem))
}

/// Where the next page begins; an empty text is the end.
pub(crate) fn next(token: Option<String>) -> Option<String> {
    token.filter(|token| !token.is_empty())
}

/// What the API promises to be in an answer.
pub(crate) fn promised<T>(action: &'static str, what: &str, given: Option<T>) -> Result<T, CallError> {
    given.ok_or_else(|| CallError::strange(action, what))
}

/// What a call named; nothing where that is not there.
pub(crate) fn if_there<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}

/// How a deletion ended: what is not there needs none.
pub(crate) fn deleted<T>(answer: Result<T, CallError>) -> Result<(), CallError> {
    if_there(answer).map(drop)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::ready;

    use super::*;

    #[tokio::test]
    async fn a_list_is_read_to_its_end_and_no_further_than_its_bound() {
        for (pages, is_whole) in [(1, true), (3, true), (MOST_PAGES, true), (MOST_PAGES + 1, false)] {
            let calls = Cell::new(0);
            let found = every_page("ListRoles", |from: Option<usize>| {
                assert_eq!(from.unwrap_or_default(), calls.get(), "it goes on where it ended");
                calls.set(calls.get() + 1);
                ready(Ok((
                    vec![calls.get()],
                    Some(calls.get()).filter(|&call| call < pages),
                )))
            })
            .await;
            assert_eq!(calls.get(), pages.min(MOST_PAGES));
            assert_eq!(
                found.ok(),
                is_whole.then(|| (1..=pages).collect::<Vec<_>>()),
                "{pages}"
            );
        }
    }
}
