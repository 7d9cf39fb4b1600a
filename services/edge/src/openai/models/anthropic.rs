//! The list of models in Anthropic's form.

use keyward_proto::router::v1::Model;
use serde::Serialize;

/// A model.
#[derive(Debug, Serialize)]
struct View {
    r#type: &'static str,
    id: String,
    display_name: String,
    created_at: String,
}

/// All models at once.
#[derive(Debug, Serialize)]
pub(super) struct List {
    data: Vec<View>,
    has_more: bool,
    first_id: Option<String>,
    last_id: Option<String>,
}

pub(super) fn list(models: Vec<Model>) -> List {
    let id = |model: Option<&Model>| model.map(|model| model.model_id.clone());
    List {
        first_id: id(models.first()),
        last_id: id(models.last()),
        has_more: false,
        data: models.into_iter().map(view).collect(),
    }
}

fn view(model: Model) -> View {
    // The form has no way to say that this is not known.
    let seconds = model.release_time.map_or(0, |time| time.seconds);
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    View {
        r#type: "model",
        display_name: model.model_id.clone(),
        id: model.model_id,
        created_at: time.to_string(),
    }
}
