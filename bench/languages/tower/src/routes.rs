use axum::{Router, http::StatusCode, routing::get};
use serde::Serialize;

use crate::answer::answer;

// The data of a session, as bench/servers/work.mjs has it.
#[derive(Serialize)]
struct Item {
    sku: &'static str,
    qty: u32,
}

const CART: [Item; 4] = [
    Item {
        sku: "mug-large-blue",
        qty: 2,
    },
    Item {
        sku: "tea-assam-250",
        qty: 1,
    },
    Item {
        sku: "kettle-1700-steel",
        qty: 1,
    },
    Item {
        sku: "spoon-set-6",
        qty: 3,
    },
];

const SEEN: [&str; 4] = [
    "mug-large-blue",
    "mug-small-red",
    "tea-assam-250",
    "tea-sencha-100",
];

type Answer = Result<String, StatusCode>;

pub fn routes() -> Router {
    Router::new()
        .route("/create", get(create))
        .route("/read", get(read))
        .route("/write", get(write))
}

async fn create(session: Session) -> Answer {
    session.insert("theme", "dark").await.map_err(failed)?;
    session.insert("visits", 0).await.map_err(failed)?;
    session.insert("language", "en-GB").await.map_err(failed)?;
    session.insert("currency", "EUR").await.map_err(failed)?;
    session
        .insert("country", "Great Britain")
        .await
        .map_err(failed)?;
    session.insert("cart", CART).await.map_err(failed)?;
    session.insert("seen", SEEN).await.map_err(failed)?;
    Ok(answer("new"))
}

async fn read(session: Session) -> Answer {
    let theme: Option<String> = session.get("theme").await.map_err(failed)?;
    Ok(answer(theme.unwrap_or_default()))
}

async fn write(session: Session) -> Answer {
    let visits = session.get("visits").await.map_err(failed)?.unwrap_or(0) + 1;
    session.insert("visits", visits).await.map_err(failed)?;
    Ok(answer(visits))
}

fn failed(_: Error) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}
