//! There and back.

use proptest::prelude::*;

use super::given::{answer, request};
use crate::canonical::{Output, Request};
use crate::form::Form;
use crate::gaps::Gaps;
use crate::translate::{AnswerContext, ChatFlavour, Options};
use crate::{forms, json};

fn options() -> Options {
    Options {
        chat: ChatFlavour::OpenRouter,
        ..Options::new("m")
    }
}

/// Through one form.
fn through(form: Form, request: &Request) -> Request {
    let mut gaps = Gaps::new(form, form, false);
    let options = Options {
        stream: request.stream,
        ..options()
    };
    let written = forms::write_request(form, request, &options, &mut gaps).unwrap();
    forms::read_request(form, &json::bytes(&written), &options, &mut gaps).unwrap()
}

/// But for what a form adds where it must say something that was not said.
fn plain(mut request: Request) -> Request {
    request.stream_usage = false;
    for tool in &mut request.tools {
        tool.strict = tool.strict.filter(|strict| *strict);
    }
    if let Output::Schema(schema) = &mut request.output {
        schema.name = None;
    }
    request
}

proptest! {
    #[test]
    fn a_request_goes_through_any_two_forms_unharmed(given in request()) {
        for first in Form::SPOKEN {
            for second in Form::SPOKEN {
                let back = plain(through(second, &through(first, &given)));
                prop_assert_eq!(&back, &given, "{:?}, {:?}", first, second);
            }
        }
    }

    #[test]
    fn an_answer_goes_through_any_two_forms_unharmed(given in answer()) {
        let context = AnswerContext::new("1", "m", 1);
        for first in Form::SPOKEN {
            for second in Form::SPOKEN {
                let mut back = given.clone();
                for form in [first, second] {
                    let body = json::bytes(&forms::write_answer(form, &back, &context));
                    back = forms::read_answer(form, &body, &context).unwrap();
                }
                back.id = None;
                prop_assert_eq!(&back, &given, "{:?}, {:?}", first, second);
            }
        }
    }
}
