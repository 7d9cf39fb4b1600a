//! Log lines as `tracing_subscriber` writes them, with the ids of the trace and the span at their end
//! where they are written within a request.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::trace::TraceContext;

/// How lines look.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// An object a line.
    Json,
    /// Words, then fields.
    Text,
}

/// A form of lines with ids added.
#[derive(Debug)]
pub(super) struct Line<F> {
    inner: F,
    form: Form,
}

impl<F> Line<F> {
    pub(super) fn new(inner: F, form: Form) -> Self {
        Self { inner, form }
    }
}

impl<S, N, F> FormatEvent<S, N> for Line<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(trace) = TraceContext::current() else {
            return self.inner.format_event(context, writer, event);
        };
        let mut line = String::new();
        // Whether there are colours is a matter of the inner form, not of this writer.
        self.inner
            .format_event(context, Writer::new(&mut line), event)?;
        writer.write_str(&with_ids(&line, self.form, &trace))
    }
}

fn with_ids(line: &str, form: Form, trace: &TraceContext) -> String {
    let line = line.trim_end_matches('\n');
    let (trace, span) = (trace.trace_id(), trace.span_id());
    match form {
        Form::Text => format!("{line} trace_id={trace} span_id={span}\n"),
        Form::Json => {
            let object = line.strip_suffix('}').unwrap_or(line);
            format!("{object},\"trace_id\":\"{trace}\",\"span_id\":\"{span}\"}}\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::fmt::format;

    use super::{Form, Line};
    use crate::trace::TraceContext;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Written {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    impl Written {
        fn lines(&self) -> Vec<String> {
            let text = String::from_utf8(self.0.lock().clone()).unwrap();
            text.lines().map(str::to_owned).collect()
        }
    }

    fn say_something(trace: &TraceContext) {
        trace.within(|| tracing::info!(key.id = "k", "within"));
        tracing::info!("outside");
    }

    #[test]
    fn lines_within_a_request_have_its_ids() {
        let trace = TraceContext::new_root();
        let written = Written::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(written.clone())
            .json()
            .flatten_event(true)
            .event_format(Line::new(format().json().flatten_event(true), Form::Json))
            .finish();
        tracing::subscriber::with_default(subscriber, || say_something(&trace));
        let lines = written.lines();
        let within: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(within["message"], "within");
        assert_eq!(within["key.id"], "k");
        assert_eq!(within["trace_id"], trace.trace_id());
        assert_eq!(within["span_id"], trace.span_id());
        let outside: serde_json::Value = serde_json::from_str(&lines[1]).unwrap();
        assert!(outside.get("trace_id").is_none());
    }

    #[test]
    fn text_lines_end_with_the_ids() {
        let trace = TraceContext::new_root();
        let written = Written::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(written.clone())
            .with_ansi(false)
            .event_format(Line::new(format().with_ansi(false), Form::Text))
            .finish();
        tracing::subscriber::with_default(subscriber, || say_something(&trace));
        let lines = written.lines();
        let ids = format!("trace_id={} span_id={}", trace.trace_id(), trace.span_id());
        assert!(lines[0].ends_with(&ids), "{lines:?}");
        assert!(lines[1].ends_with("outside"), "{lines:?}");
    }
}
