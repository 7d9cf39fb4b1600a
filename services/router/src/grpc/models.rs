//! The catalogue's models as callers see them.

use keyward_auth::Principal;
use keyward_catalog::{Capability, Catalog, Endpoint, Modality, Model};
use keyward_proto::router::v1 as proto;
use keyward_runtime::error::{Reason, metadata, status};
use tonic::Status;

/// The most models of one page.
const PAGE_SIZE_MAX: u32 = 1000;

/// A page of models by id. The token is the last id of the page before.
pub(super) fn list(
    catalog: &Catalog,
    principal: &Principal,
    request: &proto::ListModelsRequest,
) -> Result<proto::ListModelsResponse, Status> {
    if request.page_size > PAGE_SIZE_MAX {
        let message = "page_size must be between 1 and 1000, or 0 for all";
        let facts = vec![(metadata::PARAM, "page_size".to_owned())];
        return Err(status(Reason::InvalidRequest, message, facts));
    }
    let after = request.page_token.as_str();
    let mut models: Vec<&Model> = listed(catalog, principal)
        .filter(|model| model.id.as_str() > after)
        .collect();
    models.sort_by(|one, other| one.id.cmp(&other.id));
    let mut next_page_token = String::new();
    let size = request.page_size as usize;
    if size > 0 && models.len() > size {
        models.truncate(size);
        next_page_token = models
            .last()
            .map(|model| model.id.clone())
            .unwrap_or_default();
    }
    let models = models.into_iter().map(model_to_proto).collect();
    Ok(proto::ListModelsResponse {
        models,
        next_page_token,
    })
}

/// The models that a caller is shown, in no order.
pub(super) fn listed<'a>(
    catalog: &'a Catalog,
    principal: &Principal,
) -> impl Iterator<Item = &'a Model> {
    catalog
        .models()
        .filter(move |model| may_name(catalog, principal, model))
}

/// One model by name or alias.
pub(super) fn get(
    catalog: &Catalog,
    principal: &Principal,
    name: &str,
) -> Result<proto::GetModelResponse, Status> {
    let found = catalog
        .resolve(name)
        .filter(|model| may_name(catalog, principal, model));
    let Some(model) = found else {
        let facts = vec![(metadata::PARAM, "model".to_owned())];
        return Err(status(
            Reason::ModelNotFound,
            &format!("there is no model {name:?}"),
            facts,
        ));
    };
    Ok(proto::GetModelResponse {
        model: Some(model_to_proto(model)),
    })
}

fn may_name(catalog: &Catalog, principal: &Principal, model: &Model) -> bool {
    let allowed = &principal.allowed_models;
    allowed.is_empty()
        || allowed
            .iter()
            .any(|allowed| match allowed.strip_suffix('*') {
                Some(prefix) => model.id.starts_with(prefix),
                None => catalog
                    .resolve(allowed)
                    .is_some_and(|named| named.id == model.id),
            })
}

fn model_to_proto(model: &Model) -> proto::Model {
    let tokens = |count: Option<i64>| u32::try_from(count.unwrap_or(0)).unwrap_or(u32::MAX);
    proto::Model {
        model_id: model.id.clone(),
        vendor: model.vendor().to_owned(),
        aliases: model.aliases.clone(),
        endpoints: names(&model.endpoints, Endpoint::name),
        context_tokens: tokens(model.context_tokens),
        output_tokens: tokens(model.max_output_tokens),
        release_time: model.release_date.as_deref().and_then(midnight),
        providers: model
            .offers
            .iter()
            .map(|offer| offer.provider.clone())
            .collect(),
        input_modalities: names(&model.input_modalities, Modality::name),
        output_modalities: names(&model.output_modalities, Modality::name),
        capabilities: names(&model.capabilities, Capability::name),
    }
}

fn names<T: Copy>(items: &[T], name: impl Fn(T) -> &'static str) -> Vec<String> {
    items.iter().map(|item| name(*item).to_owned()).collect()
}

/// The beginning of a day, `YYYY-MM-DD`, in UTC.
fn midnight(date: &str) -> Option<prost_types::Timestamp> {
    keyward_runtime::time::from_text(&format!("{date}T00:00:00Z"))
        .map(keyward_runtime::time::to_proto)
}
