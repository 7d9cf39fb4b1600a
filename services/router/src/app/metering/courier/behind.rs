//! What could not be told at once: left to the file, and read from there once metering answers.

use std::time::Duration;

use tokio::time::Instant;

use super::Courier;
use crate::domain::parcel::{Kind, Parcel};
use crate::spool::Stored;

/// The first pause after metering could not be told; doubled up to the longest, which is short enough
/// that what lies in the spool is told soon after metering is back.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How many events are read from the file at a time; and while metering does not answer, how many it
/// is tried with.
const PAGE: u32 = 1_024;
const PAGE_AWAY: u32 = 16;

impl Courier {
    /// Metering answers: what was left to the file can be told.
    pub(super) fn answers(&mut self) {
        if self.away.take().is_some() {
            tracing::info!("metering is told of usage again");
            self.behind = Some(Instant::now());
        }
    }

    /// Nobody waits any longer for a record. The file is read from its beginning after a pause, which
    /// grows.
    pub(super) fn does_not_answer(&mut self, status: &tonic::Status) {
        if self.away.is_none() {
            tracing::warn!(
                error = %status.message(),
                "metering cannot be told of usage; it waits in the spool"
            );
        }
        self.waiting
            .retain(|_, (kind, waiting)| *kind != Kind::Record && !waiting.is_closed());
        self.cursor = 0;
        self.left_behind = true;
        let now = Instant::now();
        // Of all that fail together the first sets the pause.
        if self.away.is_none() || self.behind.is_none_or(|due| due <= now) {
            let pause = self.away.map_or(PAUSE, |pause| (pause * 2).min(PAUSE_MAX));
            self.away = Some(pause);
            self.behind = Some(now + pause);
        }
    }

    /// Reads the next events from the file and tells them; while metering does not answer only a few,
    /// and the next ones once something was heard of them.
    pub(super) async fn read_on(&mut self) {
        if self.cursor == 0 {
            self.left_behind = false;
            self.write_again().await;
        }
        let limit = if self.away.is_some() { PAGE_AWAY } else { PAGE };
        let page = match self.spool.events(self.cursor, limit).await {
            Ok(page) => page,
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "the usage spool cannot be read");
                self.behind = Some(Instant::now() + PAUSE_MAX);
                return;
            }
        };
        self.cursor = page.last().map_or(0, |last| last.sequence);
        let is_over = page.is_empty();
        for Stored { sequence, parcel } in page {
            match parcel {
                _ if self.in_flight.contains(&sequence) => {}
                Some(parcel) => self.send(sequence, parcel, None),
                None => self.put_aside(sequence, "it cannot be read").await,
            }
        }
        self.send_records();
        self.behind = self.next_read(is_over);
    }

    /// When the file is to be read next.
    fn next_read(&mut self, is_over: bool) -> Option<Instant> {
        let is_idle = self.in_flight.is_empty();
        match self.away {
            // What was sent says how it goes on.
            Some(_) if !is_idle => None,
            // There is nothing to try metering with.
            Some(_) if is_over && !self.left_behind => {
                self.away = None;
                None
            }
            Some(pause) => Some(Instant::now() + pause),
            None if is_over => self.left_behind.then(Instant::now),
            None => Some(Instant::now()),
        }
    }

    /// Tries what could not be written once more, and tells it if it still cannot be.
    pub(super) async fn write_again(&mut self) {
        let unwritten: Vec<(i64, Parcel)> = self.unwritten.drain().collect();
        for (sequence, parcel) in unwritten {
            if self.spool.event(sequence, &parcel).await.is_ok() {
                continue;
            }
            self.unwritten.insert(sequence, parcel.clone());
            if !self.in_flight.contains(&sequence) {
                self.send(sequence, parcel, None);
            }
        }
    }
}
