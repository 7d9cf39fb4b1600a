//! Pictures, documents and recordings: bytes here, base64 in between.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyward_dialect::canonical::{Media, Source};
use keyward_proto::router::v1 as proto;
use keyward_proto::router::v1::chat_media::Source as Typed;

pub(super) fn read(media: proto::ChatMedia) -> Result<Media, String> {
    let source = match media.source {
        None => return Err("has a part that is nowhere: neither `data` nor an address".to_owned()),
        Some(Typed::Data(_)) if media.media_type.is_empty() => {
            return Err("has a part with `data` and no `media_type`".to_owned());
        }
        Some(Typed::Data(data)) => Source::Base64 {
            media_type: media.media_type,
            data: STANDARD.encode(data),
        },
        Some(Typed::Url(url)) => Source::from_url(url),
        Some(Typed::FileId(id)) => Source::Id(id),
    };
    let said = |text: String| Some(text).filter(|text| !text.is_empty());
    Ok(Media {
        source,
        name: said(media.name),
        detail: said(media.detail),
    })
}

/// What a model made. What is no base64 is left out: nobody could look at it.
pub(super) fn write(media: Media) -> proto::ChatMedia {
    let (source, media_type) = match media.source {
        Source::Base64 { media_type, data } => {
            let data = STANDARD.decode(data).ok();
            (data.map(Typed::Data), media_type)
        }
        Source::Url(url) => (Some(Typed::Url(url)), String::new()),
        Source::Id(id) => (Some(Typed::FileId(id)), String::new()),
        Source::Text(text) => (Some(Typed::Data(text.into())), "text/plain".to_owned()),
    };
    proto::ChatMedia {
        source,
        media_type,
        name: media.name.unwrap_or_default(),
        detail: media.detail.unwrap_or_default(),
    }
}
