//! The page that takes an upload, as in the example.

use axum::body::Body;
use axum::http::StatusCode;
use futures_util::StreamExt;

/// Counts what it is sent.
pub(crate) async fn upload(body: Body) -> Result<String, StatusCode> {
    let mut length = 0;
    let mut data = body.into_data_stream();
    while let Some(part) = data.next().await {
        length += part.map_err(|_| StatusCode::BAD_REQUEST)?.len();
    }
    Ok(format!("{length} bytes\n"))
}
