//! What a typed caller says and hears is what is said and told.

use proptest::prelude::*;
use serde_json::Value;

use super::{Events, answer as read_answer, request as write_request};
use crate::canonical::{
    Answer, Cache, Collector, Content, Event, Media, Message, Part, Reasoning, Request, Role,
    Source, ToolResult,
};
use crate::form::Form;
use crate::gaps::Gaps;
use crate::tests::given::{answer, cut, request};
use crate::tests::streams::{events, translated, written};
use crate::translate::{self, AnswerContext, Options};
use crate::{forms, json};

fn read(body: &[u8]) -> Request {
    let mut gaps = Gaps::new(Form::TypedChat, Form::AnthropicMessages, false);
    forms::read_request(Form::TypedChat, body, &Options::new("m"), &mut gaps).unwrap()
}

fn through(request: &Request) -> Request {
    let members = write_request(request, "m").unwrap();
    let mut back = read(&json::bytes(&Value::Object(members)));
    back.stream_usage = request.stream_usage;
    if let crate::canonical::Output::Schema(schema) = &mut back.output {
        schema.name = None;
    }
    back
}

fn media(source: Source) -> Media {
    Media {
        source,
        name: None,
        detail: None,
    }
}

fn gathered(events: &[Event]) -> Answer {
    let mut collector = Collector::default();
    for event in events {
        collector.take(event);
    }
    let mut answer = collector.into_answer();
    answer.id = None;
    answer
}

#[test]
fn what_chats_have_no_member_for_goes_through_all_the_same() {
    let hour = Some(Cache {
        ttl: Some("1h".to_owned()),
    });
    let marked = Part {
        cache: hour,
        ..Part::text("read this")
    };
    let user = vec![
        marked,
        Part::new(Content::File(media(Source::Url(
            "https://a.b/c.pdf".into(),
        )))),
        Part::new(Content::Image(media(Source::Id("file-1".to_owned())))),
    ];
    let result = ToolResult {
        call_id: "call_1".to_owned(),
        name: None,
        parts: vec![
            Part::text("seen"),
            Part::new(Content::Image(media(Source::Url(
                "https://a.b/c.png".into(),
            )))),
        ],
        is_error: true,
    };
    let asked = Request {
        messages: vec![
            Message {
                role: Role::User,
                parts: user,
            },
            Message {
                role: Role::Tool,
                parts: vec![Part::new(Content::ToolResult(result))],
            },
        ],
        reasoning: Reasoning {
            effort: Some("low".to_owned()),
            shown: Some(true),
            adaptive: true,
            ..Reasoning::default()
        },
        top_k: Some(40.into()),
        user: Some("u".to_owned()),
        cache_key: Some("k".to_owned()),
        service_tier: Some("flex".to_owned()),
        ..Request::default()
    };
    assert_eq!(through(&asked), asked);
}

proptest! {
    #[test]
    fn a_request_is_read_as_it_was_built(given in request()) {
        prop_assert_eq!(through(&given), given);
    }

    #[test]
    fn a_plain_answer_is_told_as_it_was_given(given in answer()) {
        let context = AnswerContext::new("1", "m", 1);
        for form in Form::SPOKEN {
            let body = json::bytes(&forms::write_answer(form, &given, &context));
            let typed = translate::answer(form, Form::TypedChat, &body, &context).unwrap();
            let told = read_answer(&typed).unwrap();
            prop_assert_eq!(told.last(), Some(&Event::End));
            prop_assert_eq!(&gathered(&told), &given, "{:?}", form);
        }
    }

    #[test]
    fn a_stream_is_told_as_it_was_given_however_it_is_cut(
        given in answer(),
        cuts in proptest::collection::vec(any::<usize>(), 0..20),
    ) {
        for form in Form::SPOKEN {
            let bytes = written(form, events(&given));
            let typed = translated(form, Form::TypedChat, &cut(&bytes, &cuts));
            let (mut reader, mut told) = (Events::default(), Vec::new());
            for piece in cut(&typed, &cuts) {
                reader.push(&piece, &mut told).unwrap();
            }
            prop_assert_eq!(told.last(), Some(&Event::End));
            prop_assert_eq!(&gathered(&told), &given, "{:?}", form);
        }
    }
}
