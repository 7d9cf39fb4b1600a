//! Calling methods by name with encoded messages, for tests that walk all of them.

use keyward_auth::Connection;
use prost::bytes::{Buf as _, BufMut as _};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Request, Status};

/// Calls the method of that path.
pub(crate) async fn call(
    connection: Connection,
    path: &str,
    request: Request<Vec<u8>>,
) -> Result<Vec<u8>, Status> {
    let path: PathAndQuery = path.parse().unwrap();
    let mut client = Grpc::new(connection);
    client.ready().await.unwrap();
    let answer = client.unary(request, path, Bytes).await;
    answer.map(tonic::Response::into_inner)
}

/// The encoded message with its `request_id`, which is the first field of every change.
pub(crate) fn named(request_id: &str, message: &[u8]) -> Vec<u8> {
    const FIELD_1_TEXT: u8 = 0x0a;
    let length = u8::try_from(request_id.len()).unwrap();
    assert!(length < 0x80, "one byte of length");
    [&[FIELD_1_TEXT, length], request_id.as_bytes(), message].concat()
}

#[derive(Debug, Clone, Copy)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining()).to_vec()))
    }
}
