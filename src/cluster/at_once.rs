//! Several calls at once, bounded.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use keelson_provider_api::BoxFuture;

/// What `calls` give, in their order; at most `limit` are under way at a time. When one fails the others are given up.
pub(super) async fn at_once<T, E>(
    limit: usize,
    calls: Vec<BoxFuture<'_, Result<T, E>>>,
) -> Result<Vec<T>, E> {
    stream::iter(calls).buffered(limit).try_collect().await
}
