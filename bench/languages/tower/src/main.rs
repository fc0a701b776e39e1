//! The work of the benchmark on axum: tower-server bare|memory|redis PORT. REDIS_URL names the server of the mode redis.

use std::{env, error::Error};

use axum::Router;
use tower_sessions::{MemoryStore, SessionManagerLayer};
use tower_sessions_redis_store::{
    RedisStore,
    fred::prelude::{ClientLike, Config, Pool},
};

mod answer;
mod bare;
mod sessions;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let mode = arguments.next().ok_or("no mode")?;
    let port: u16 = arguments.next().ok_or("no port")?.parse()?;
    // On plain http, so not Secure.
    let app: Router = match mode.as_str() {
        "bare" => bare::routes(),
        "memory" => sessions::latest::routes()
            .layer(SessionManagerLayer::new(MemoryStore::default()).with_secure(false)),
        "redis" => {
            let store = RedisStore::new(connected().await?);
            sessions::for_redis::routes()
                .layer(tower_sessions_0_14::SessionManagerLayer::new(store).with_secure(false))
        }
        _ => return Err(format!("no such mode: {mode}").into()),
    };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, app).await?;
    Ok(())
}

/// One connection: fred pipelines, and more than one is of no use to one thread.
async fn connected() -> Result<Pool, Box<dyn Error>> {
    let pool = Pool::new(
        Config::from_url(&env::var("REDIS_URL")?)?,
        None,
        None,
        None,
        1,
    )?;
    pool.init().await?;
    Ok(pool)
}
