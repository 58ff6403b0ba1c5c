//! What EC2 answers: pages, times.

use aws_smithy_types::DateTime;
use jiff::Timestamp;

use crate::failure::CallError;

/// A list with more pages has no end: the longest page of EC2 holds a thousand things.
const MOST_PAGES: usize = 1000;

/// A part of a list.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// What the call for the next part must say.
    pub(super) next_token: Option<String>,
}

impl<T> Page<T> {
    pub(super) fn new(items: Option<Vec<T>>, next_token: Option<String>) -> Self {
        Self {
            items: items.unwrap_or_default(),
            next_token,
        }
    }
}

/// A whole list, by calls of `action`: `ask` gets the token of the page to ask for.
///
/// Not the SDK's own way through the pages, which ends without an error when a token comes twice, and knows no other bound: what
/// is taken for a whole list and is none would have things created a second time.
pub(super) async fn every_page<T, F>(
    action: &'static str,
    ask: impl Fn(Option<String>) -> F,
) -> Result<Vec<T>, CallError>
where
    F: Future<Output = Result<Page<T>, CallError>>,
{
    let mut all = Vec::new();
    let mut token = None;
    for _ in 0..MOST_PAGES {
        let page = ask(token).await?;
        all.extend(page.items);
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(all);
        }
    }
    let problem = format!("the list goes on after {MOST_PAGES} pages, and was given up");
    Err(CallError::unsent(action, problem))
}

/// A time; none where the calendar ends.
pub(super) fn time(time: Option<DateTime>) -> Option<Timestamp> {
    let time = time?;
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_list_is_read_to_its_end_and_no_further_than_its_bound() {
        let (tokens, calls) = (Some("next".to_owned()), std::cell::Cell::new(0));
        for (pages, whole) in [(1, true), (3, true), (MOST_PAGES, true), (MOST_PAGES + 1, false)] {
            calls.set(0);
            let found = every_page("DescribeVpcs", |token| {
                assert_eq!(token.is_some(), calls.get() > 0, "the first page has no token");
                calls.set(calls.get() + 1);
                let next = tokens.clone().filter(|_| calls.get() < pages);
                std::future::ready(Ok(Page::new(Some(vec![calls.get()]), next)))
            })
            .await;
            assert_eq!(found.is_ok(), whole, "{pages}");
            assert_eq!(calls.get(), pages.min(MOST_PAGES));
            if let Ok(found) = found {
                assert_eq!(found, (1..=pages).collect::<Vec<_>>());
            }
        }
    }

    #[tokio::test]
    async fn an_empty_token_ends_a_list_and_an_error_is_told() {
        let ended = every_page("DescribeVpcs", |_| {
            std::future::ready(Ok(Page::new(Some(vec![1]), Some(String::new()))))
        });
        assert_eq!(ended.await.unwrap(), [1]);
        let refused = every_page("DescribeVpcs", |_| {
            std::future::ready(Err::<Page<()>, _>(CallError::strange("DescribeVpcs", "vpcs")))
        });
        assert!(refused.await.is_err());
    }

    #[test]
    fn times_are_read_to_the_nanosecond() {
        let cases = [
            (None, None),
            (Some(DateTime::from_secs(5)), Some(Timestamp::new(5, 0).unwrap())),
            (
                Some(DateTime::from_secs_and_nanos(-5, 7)),
                Some(Timestamp::new(-5, 7).unwrap()),
            ),
            (Some(DateTime::from_secs(i64::MAX)), None),
        ];
        for (given, expected) in cases {
            assert_eq!(time(given), expected, "{given:?}");
        }
    }
}
