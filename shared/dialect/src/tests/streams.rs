//! Streams tell what plain answers do.

use proptest::prelude::*;

use super::given::{answer, cut};
use crate::canonical::{Answer, Collector, Content, Delta, Event, Opening, Part, Place};
use crate::form::Form;
use crate::forms;
use crate::sse::{self, Frame};
use crate::stream::{Outcome, StreamTranslator};
use crate::translate::AnswerContext;

fn context() -> AnswerContext {
    AnswerContext {
        stream_usage: true,
        ..AnswerContext::new("1", "m", 1)
    }
}

/// An answer as events, each part in two pieces; calls are open beside each other, and what is added
/// to one may come after what is added to another.
pub(crate) fn events(answer: &Answer) -> Vec<Event> {
    let (mut begun, mut rest) = (Vec::new(), Vec::new());
    for (number, part) in (0..).zip(&answer.choices[0].parts) {
        let place = Place {
            choice: 0,
            part: number,
        };
        let (opening, first, last) = pieces(part);
        begun.push(Event::Open(place, opening));
        begun.extend(first.map(|delta| Event::Delta(place, delta)));
        let into = if matches!(part.content, Content::ToolCall(_)) {
            &mut rest
        } else {
            &mut begun
        };
        into.extend(last.map(|delta| Event::Delta(place, delta)));
        into.push(Event::Close(place));
    }
    let start = Event::Start {
        id: None,
        model: answer.model.clone(),
    };
    let mut events = vec![start];
    events.append(&mut begun);
    events.append(&mut rest);
    events.push(Event::Finish(0, answer.choices[0].stop.clone().unwrap()));
    events.extend(answer.usage.map(Event::Usage));
    events
}

fn pieces(part: &Part) -> (Opening, Option<Delta>, Option<Delta>) {
    let halves = |text: &str| {
        let middle = text.char_indices().nth(1).map_or(text.len(), |(at, _)| at);
        (text[..middle].to_owned(), text[middle..].to_owned())
    };
    match &part.content {
        Content::Text { text, .. } => {
            let (first, last) = halves(text);
            (
                Opening::Text,
                Some(Delta::Text(first)),
                Some(Delta::Text(last)),
            )
        }
        Content::Reasoning {
            text,
            signature,
            redacted,
        } => (
            Opening::Reasoning {
                redacted: *redacted,
            },
            Some(Delta::Text(text.clone())),
            signature.clone().map(Delta::Signature),
        ),
        Content::ToolCall(call) => {
            let (first, last) = halves(&call.arguments);
            let (id, name) = (call.id.clone(), call.name.clone());
            let opening = Opening::ToolCall { id, name };
            (
                opening,
                Some(Delta::Arguments(first)),
                Some(Delta::Arguments(last)),
            )
        }
        other => panic!("no stream has {other:?}"),
    }
}

/// The bytes of a stream.
pub(crate) fn written(form: Form, events: Vec<Event>) -> Vec<u8> {
    let mut writer = forms::writer(form, context());
    let mut out = Vec::new();
    for event in events {
        writer.event(event, &mut out);
    }
    let last = writer.end(&mut out);
    out.extend(last);
    out
}

/// What a stream says.
fn gathered(form: Form, bytes: &[u8]) -> Answer {
    let (mut reader, mut frames) = (forms::reader(form, &context()), sse::Reader::default());
    let (mut collector, mut ended) = (Collector::default(), false);
    frames
        .push(bytes, |frame| {
            let mut events = Vec::new();
            if let Frame::Event { data, .. } = frame {
                reader.event(data, &mut events)?;
            }
            ended |= events.contains(&Event::End);
            for event in &events {
                collector.take(event);
            }
            Ok(())
        })
        .unwrap();
    assert!(ended || reader.is_whole());
    let mut answer = collector.into_answer();
    answer.id = None;
    answer
}

/// A whole stream in another form, pushed in pieces.
pub(crate) fn translated(from: Form, to: Form, pieces: &[Vec<u8>]) -> Vec<u8> {
    let mut stream = StreamTranslator::new(from, to, context());
    let mut out = Vec::new();
    for piece in pieces {
        out.extend(stream.push(piece).unwrap());
    }
    let ended = stream.finish();
    assert!(ended.is_whole());
    out.extend(ended.bytes);
    out.extend(ended.last);
    out
}

/// Where a stream first says that the answer is at its end.
fn finish(form: Form, bytes: &[u8]) -> usize {
    let marks: &[&str] = match form {
        Form::AnthropicMessages => &["\"stop_reason\":\""],
        Form::GeminiGenerate => &["\"finishReason\":\""],
        Form::OpenAiResponses => &["event: response.completed", "event: response.incomplete"],
        Form::OpenAiChat | Form::OpenAiCompletions => &["\"finish_reason\":\""],
        Form::TypedChat => &["{\"finish\":"],
    };
    let found = marks
        .iter()
        .filter_map(|mark| memchr::memmem::find(bytes, mark.as_bytes()));
    found.min().unwrap()
}

proptest! {
    #[test]
    fn a_stream_says_what_the_plain_answer_does(given in answer()) {
        for form in Form::SPOKEN {
            let said = gathered(form, &written(form, events(&given)));
            prop_assert_eq!(&said, &given, "{:?}", form);
        }
    }

    #[test]
    fn a_translated_stream_says_the_same_however_it_is_cut(
        given in answer(),
        cuts in proptest::collection::vec(any::<usize>(), 0..20),
    ) {
        for from in Form::SPOKEN {
            let bytes = written(from, events(&given));
            for to in Form::SPOKEN {
                let whole = translated(from, to, std::slice::from_ref(&bytes));
                prop_assert_eq!(&gathered(to, &whole), &given, "{:?}, {:?}", from, to);
                let pieces = translated(from, to, &cut(&bytes, &cuts));
                prop_assert_eq!(&pieces, &whole, "{:?}, {:?}", from, to);
            }
        }
    }

    #[test]
    fn a_stream_that_is_cut_never_ends_as_if_it_were_whole(given in answer(), at in any::<usize>()) {
        for from in Form::SPOKEN {
            let bytes = written(from, events(&given));
            let told = finish(from, &bytes);
            for to in Form::SPOKEN {
                let mut stream = StreamTranslator::new(from, to, context());
                stream.push(&bytes[..at % told]).unwrap();
                let ended = stream.finish();
                prop_assert_eq!(ended.outcome, Outcome::Cut);
                prop_assert!(ended.bytes.is_empty() && ended.last.is_empty());
            }
        }
    }
}
