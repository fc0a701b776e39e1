//! The same routes for both versions of tower-sessions, whose types are not each other's.

/// For the memory store, which comes with it.
pub mod latest {
    use tower_sessions::{Session, session::Error};

    include!("routes.rs");
}

/// For the store of Redis, which has not come to the latest version.
pub mod for_redis {
    use tower_sessions_0_14::{Session, session::Error};

    include!("routes.rs");
}
