use std::sync::atomic::{AtomicU64, Ordering};

use axum::{Router, routing::get};

use crate::answer::answer;

static VISITS: AtomicU64 = AtomicU64::new(0);

pub fn routes() -> Router {
    Router::new()
        .route("/read", get(async || answer("dark")))
        .route(
            "/write",
            get(async || answer(VISITS.fetch_add(1, Ordering::Relaxed) + 1)),
        )
}
