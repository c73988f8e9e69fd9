//! Stories that need nothing of each other.

use futures::{FutureExt as _, Stream, StreamExt as _, stream};
use tokio::task::JoinError;

/// Tells stories, so many at a time, each on a task of its own: a good part of each is waiting. What each came to comes as it ends,
/// with the story that it was.
pub(crate) fn side_by_side<S, F>(
    stories: impl IntoIterator<Item = S>,
    at_once: usize,
    tell: impl Fn(S) -> F,
) -> impl Stream<Item = (S, Result<F::Output, JoinError>)>
where
    S: Copy,
    F: Future<Output: Send> + Send + 'static,
{
    stream::iter(stories)
        .map(move |story| tokio::spawn(tell(story)).map(move |end| (story, end)))
        .buffer_unordered(at_once)
}
