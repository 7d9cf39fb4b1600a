//! A published list, from a file or over HTTPS: bounded in size, and in time by the client.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use http::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::cli::client::{Ask, Transport};
use crate::cli::connection::is_local;
use crate::cli::exit::{Exit, Failure};

/// The largest file that is read; the lists are a few megabytes.
const BYTES_MAX: u64 = 64 << 20;

/// The text of a list at a place: an address that begins with `https://`, or a file.
pub(super) fn fetch(place: &str) -> Result<String, Failure> {
    let bytes = match Url::parse(place) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            let message = "an address with a password in it would be kept with the version";
            return Err(Failure::usage(message).hint("Get the file, and give its name instead."));
        }
        Ok(url) if url.scheme() == "https" || (url.scheme() == "http" && is_local(&url)) => {
            download(&url)?
        }
        Ok(url) if url.scheme() == "http" => {
            let message = format!("{place} is not encrypted, and prices are money");
            return Err(Failure::usage(message).hint("Use https, or give a file."));
        }
        _ => read(Path::new(place))?,
    };
    String::from_utf8(bytes).map_err(|_| Failure::refused(format!("{place} is no text")))
}

fn download(url: &Url) -> Result<Vec<u8>, Failure> {
    let unreachable = |error: anyhow::Error| {
        Failure::of(
            Exit::Unreachable,
            error.context(format!("cannot get {url}")),
        )
        .hint("Where there is no way out, get the file elsewhere and give its name instead.")
    };
    let transport = Transport::new()?;
    let ask = Ask {
        method: Method::GET,
        url: url.clone(),
        headers: HeaderMap::new(),
        body: Vec::new(),
    };
    let answer = transport.ask(&ask).map_err(unreachable)?;
    if answer.status() != StatusCode::OK {
        let status = answer.status();
        return Err(unreachable(anyhow::anyhow!("the answer was {status}")));
    }
    let body = transport.body(answer).map_err(unreachable)?;
    Ok(body.to_vec())
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let cannot = |error: std::io::Error| {
        Failure::from(anyhow::Error::new(error).context(format!("cannot read {}", path.display())))
    };
    let mut bytes = Vec::new();
    let mut file = File::open(path).map_err(cannot)?.take(BYTES_MAX + 1);
    file.read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > BYTES_MAX {
        let message = format!("{} is larger than any list", path.display());
        return Err(Failure::refused(message));
    }
    Ok(bytes)
}
