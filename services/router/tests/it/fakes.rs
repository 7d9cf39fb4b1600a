//! Services that keep everything in memory and remember what they were told.

mod metering;
mod pricing;
mod vault;

use std::pin::Pin;

use futures::Stream;
use tonic::Status;

pub(crate) use metering::FakeMetering;
pub(crate) use vault::FakeVault;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
