//! The client of the management API. It passes JSON through: what a newer gateway adds is seen too.

mod refusal;
mod request;
mod transport;

use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use keyward_runtime::ids;
use serde_json::Value;
use url::Url;

use super::connection::Access;
use super::exit::{Exit, Failure};
use super::output::unwritten;
pub(super) use refusal::Refusal;
pub(super) use request::Request;
pub(super) use transport::{Answer, Ask, Transport};

/// Rows asked for at once in a list: as many as the gateway gives.
const PAGE_SIZE: &str = "200";

/// The header of an answer that was given before.
const REPLAYED: &str = "idempotency-replayed";

/// A caller of the management API.
pub(super) struct Client {
    transport: Transport,
    base: Url,
    access: Access,
    act_in: Option<HeaderValue>,
    /// How many routers had not confirmed the last change.
    laggards: AtomicU32,
}

impl Client {
    pub(super) fn new(
        base: Url,
        access: Access,
        act_in: Option<HeaderValue>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            transport: Transport::new()?,
            base,
            access,
            act_in,
            laggards: AtomicU32::new(0),
        })
    }

    /// How many of the gateway's routers had not confirmed the last change when it was answered.
    pub(super) fn laggards(&self) -> u32 {
        self.laggards.load(Ordering::Relaxed)
    }

    /// Sends a request, and gives what is answered; `null` where there is nothing to say.
    pub(super) fn send(&self, request: &Request) -> Result<Value, Failure> {
        self.send_once(request).map(|(answer, _)| answer)
    }

    /// The same, and whether the answer was given before, to the same request.
    pub(super) fn send_once(&self, request: &Request) -> Result<(Value, bool), Failure> {
        let (answer, headers) = self.exchange(request)?;
        Ok((answer, headers.contains_key(REPLAYED)))
    }

    /// The same, and the etag of what is answered.
    pub(super) fn send_for_change(
        &self,
        request: &Request,
    ) -> Result<(Value, Option<HeaderValue>), Failure> {
        let (answer, mut headers) = self.exchange(request)?;
        Ok((answer, headers.remove(header::ETAG)))
    }

    fn exchange(&self, request: &Request) -> Result<(Value, HeaderMap), Failure> {
        let answer = self.ask(request, HeaderValue::from_static("application/json"))?;
        let status = answer.status();
        let headers = answer.headers().clone();
        let laggards = headers.get("x-keyward-laggards");
        let laggards = laggards.and_then(|count| count.to_str().ok()?.parse().ok());
        self.laggards
            .store(laggards.unwrap_or(0), Ordering::Relaxed);
        let body = self
            .transport
            .body(answer)
            .map_err(|error| self.unreachable(error))?;
        if status == StatusCode::NO_CONTENT {
            return Ok((Value::Null, headers));
        }
        let body: Option<Value> = serde_json::from_slice(&body).ok();
        match body {
            Some(body) if status.is_success() => Ok((body, headers)),
            body => Err(self.refused(status, body)),
        }
    }

    /// Reads a list to its end, or to so many rows: the first page with the rows of all.
    pub(super) fn list(
        &self,
        request: &Request,
        member: &str,
        limit: Option<usize>,
    ) -> Result<Value, Failure> {
        let limit = limit.unwrap_or(usize::MAX);
        let mut whole = self.page(request, member, None)?;
        let mut token = next_page(&mut whole);
        let mut rows = take_rows(&mut whole, member);
        while let Some(next) = token.filter(|_| rows.len() < limit) {
            let mut page = self.page(request, member, Some(next))?;
            token = next_page(&mut page);
            rows.extend(take_rows(&mut page, member));
        }
        rows.truncate(limit);
        whole[member] = rows.into();
        Ok(whole)
    }

    fn page(
        &self,
        request: &Request,
        member: &str,
        token: Option<String>,
    ) -> Result<Value, Failure> {
        let page = request.clone().query("page_size", Some(PAGE_SIZE));
        let answer = self.send(&page.query("page_token", token))?;
        match answer[member].is_array() {
            true => Ok(answer),
            false => Err(self.no_gateway()),
        }
    }

    /// Copies an answer as it comes, such as CSV, and holds no more than a piece of it.
    pub(super) fn copy(
        &self,
        request: &Request,
        accept: &'static str,
        to: &mut dyn Write,
    ) -> Result<(), Failure> {
        let mut answer = self.ask(request, HeaderValue::from_static(accept))?;
        let status = answer.status();
        if !status.is_success() {
            let body = self
                .transport
                .body(answer)
                .map_err(|error| self.unreachable(error))?;
            return Err(self.refused(status, serde_json::from_slice(&body).ok()));
        }
        loop {
            let piece = self.transport.piece(&mut answer);
            match piece.map_err(|error| self.unreachable(error))? {
                Some(bytes) => to.write_all(&bytes).map_err(unwritten)?,
                None => return to.flush().map_err(unwritten),
            }
        }
    }

    fn ask(&self, request: &Request, accept: HeaderValue) -> Result<Answer, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept);
        headers.insert(header::AUTHORIZATION, self.access.header()?);
        if let Some(organization) = &self.act_in {
            headers.insert("x-keyward-organization", organization.clone());
        }
        if request.method() == Method::POST
            && let Ok(key) =
                HeaderValue::from_str(&request.idempotency_key().unwrap_or_else(ids::new_text))
        {
            headers.insert("idempotency-key", key);
        }
        if let Some(etag) = request.expected() {
            headers.insert(header::IF_MATCH, etag.clone());
        }
        let body = request.body();
        if body.is_some() {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
        }
        let ask = Ask {
            method: request.method().clone(),
            url: request.url(&self.base),
            headers,
            body: body.unwrap_or_default(),
        };
        self.transport
            .ask(&ask)
            .map_err(|error| self.unreachable(error))
    }

    fn unreachable(&self, error: anyhow::Error) -> Failure {
        let error = error.context(format!("the gateway at {} does not answer", self.base));
        Failure::of(Exit::Unreachable, error).hint(
            "Is it running? `keyward serve` starts one.\n\
             If it is elsewhere, say where: `--url URL`, or the variable KEYWARD_URL.",
        )
    }

    fn no_gateway(&self) -> Failure {
        let message = format!("what answers at {} is no Keyward gateway", self.base);
        Failure::new(Exit::Unreachable, message)
            .hint("Say where it is: `--url URL`, or the variable KEYWARD_URL.")
    }

    fn refused(&self, status: StatusCode, body: Option<Value>) -> Failure {
        let refusal = body.and_then(|body| Refusal::read(status, &body["error"]));
        match refusal {
            Some(refusal) => refusal.into_failure(&self.access),
            None => self.no_gateway(),
        }
    }
}

/// The rows of a list.
pub(super) fn rows<'a>(answer: &'a Value, member: &str) -> &'a [Value] {
    answer[member].as_array().map_or(&[], Vec::as_slice)
}

fn take_rows(answer: &mut Value, member: &str) -> Vec<Value> {
    match answer[member].take() {
        Value::Array(rows) => rows,
        _ => Vec::new(),
    }
}

/// Takes out what the next page is asked for by.
fn next_page(answer: &mut Value) -> Option<String> {
    let token = answer.as_object_mut()?.shift_remove("next_page_token")?;
    let token = token.as_str()?.to_owned();
    Some(token).filter(|token| !token.is_empty())
}
