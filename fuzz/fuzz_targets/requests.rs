//! Requests in every form as the router reads them: what is sent on is read again, and names the
//! provider's model.
#![no_main]

use bytes::Bytes;
use keyward_router::domain::form::{Form, Language};
use keyward_router::domain::request::{Arrived, ModelRequest, Splice};
use libfuzzer_sys::fuzz_target;

const MODEL: &str = "the-provider's \"model\"";

fn parse(form: Form, body: Bytes) -> Option<ModelRequest> {
    let in_parts = form.is_multipart() && !body.trim_ascii_start().starts_with(b"{");
    let content_type = if in_parts { "multipart/form-data; boundary=x" } else { "" };
    // Gemini's name the model in their address.
    let model = if form.language() == Language::Google { "m" } else { "" };
    ModelRequest::parse(Arrived {
        form,
        model: model.to_owned(),
        content_type: content_type.to_owned(),
        events: true,
        body,
    })
    .ok()
}

fuzz_target!(|data: &[u8]| {
    let Some(([form, keep], body)) = data.split_first_chunk() else {
        return;
    };
    let form = Form::ALL[usize::from(*form) % Form::ALL.len()];
    let Some(request) = parse(form, Bytes::copy_from_slice(body)) else {
        return;
    };
    let splice = Splice {
        upstream_model: MODEL,
        keep_models: keep & 1 == 1,
        keep_provider: keep & 2 == 2,
        force_usage: keep & 4 == 4,
    };
    let Ok(sent) = request.splice(&splice) else {
        return;
    };
    let again = parse(form, sent.to_bytes()).expect("what is sent is as well-formed as what came");
    if form.language() != Language::Google {
        assert_eq!(again.model(), MODEL);
        assert_eq!(again.is_stream(), request.is_stream());
        assert_eq!(again.messages(), request.messages());
    }
});
