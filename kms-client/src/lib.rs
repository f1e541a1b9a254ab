//! The library that applications link to use Ward's keys.
//!
//! Every call is made under an identity: a folder with a private key, its certificate and the
//! addresses of the nodes, got once by [`join::join`]. Opened with it, a [`Client`] finds the
//! nodes and the leader by itself, tries again until its deadline where that is safe, and reads
//! its own writes whichever node answers.
//!
//! ```no_run
//! use kms_client::{Client, EncryptionContext};
//!
//! # async fn example() -> kms_client::Result<()> {
//! let client = Client::open("/etc/ward/billing")?;
//!
//! let mut context = EncryptionContext::new();
//! context.insert("invoice", "2026-118")?;
//! let sealed = client.encrypt("billing", b"4711", &context).await?;
//! let opened = client.decrypt(&sealed.blob, &context).await?;
//! assert_eq!(opened.plaintext.expose(), b"4711");
//! # Ok(())
//! # }
//! ```
//!
//! # What to use for which data
//!
//! | Data | Use |
//! |---|---|
//! | a few bytes, at most 4 096 | [`Client::encrypt`], [`Client::decrypt`] |
//! | a signature, a message authentication code | [`Client::sign`], [`Client::generate_mac`] |
//! | a file or stream of any size | [`stream::seal_stream`], [`stream::open_stream`] |
//! | many objects | [`data_keys::DataKeyCache`] with `envelope::object` |
//! | what a gateway has archived | [`archive::Archive`] |
//!
//! The encryption context is authenticated and not secret: the same pairs must be given to open.
//!
//! # Errors
//!
//! Every function answers one [`Error`]: a stable [`reason::Reason`] for the program, a sentence
//! for its user. A failure to open is always `OPEN_FAILED`, whatever its cause.
//!
//! ```no_run
//! use kms_client::{Client, reason::Reason};
//!
//! # async fn example(client: Client) -> kms_client::Result<()> {
//! match client.describe_key("billing").await {
//!     Ok(key) => println!("{} has {} versions", key.name, key.versions.len()),
//!     Err(error) if error.reason() == Reason::KeyNotFound => {
//!         client.create_key("billing").await?;
//!     }
//!     Err(error) => return Err(error),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Security
//!
//! Secrets come in types that are wiped on drop and cannot be printed or copied. The buffers of
//! the transport underneath are wiped only when freed memory is: install [`WipingAllocator`] as
//! the application's allocator.
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: kms_client::WipingAllocator = kms_client::WipingAllocator;
//! # fn main() {}
//! ```

pub mod archive;
mod client;
pub mod data_keys;
pub mod error;
pub mod identity;
pub mod join;
pub mod limits;
pub mod model;
pub mod reason;
pub mod stream;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod tls;

pub use client::{Batch, Client, ClientBuilder, KeyStream, Watch};
pub use envelope::context::EncryptionContext;
pub use envelope::token::JoinToken;
pub use error::{Error, Result};
pub use sys::alloc::WipingAllocator;
