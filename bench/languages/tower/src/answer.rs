use std::fmt::Display;

/// 100 bytes, which begin with the value.
pub fn answer(value: impl Display) -> String {
    format!("{:.<100}", format!("{value} "))
}
