//! `ward random`: random bytes of a node, in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use zeroize::Zeroizing;

use super::client;
use crate::cli::{Global, RandomArguments};
use crate::error::Failure;
use crate::output::{Answer, answer};

/// Asks for them and shows them; they are nobody else's from then on.
pub(super) async fn run(global: &Global, arguments: RandomArguments) -> Result<(), Failure> {
    let random = client(global)?.generate_random(arguments.count).await?;
    let base64 = Zeroizing::new(STANDARD.encode(random.expose()));
    answer(global.format(), &RandomView { base64: &base64 })
}

/// The bytes, as shown.
#[derive(Serialize)]
struct RandomView<'a> {
    base64: &'a str,
}

impl Answer for RandomView<'_> {
    fn text(&self) -> String {
        format!("{}\n", self.base64)
    }
}
