//! An edit of images that came in parts, as the same form has it in JSON: for who translates it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::members::Member;
use super::{ModelRequest, RequestError};

/// What images that are given are called.
const IMAGES: [&str; 2] = ["image", "image[]"];

/// What is for us.
const OURS: [Member; 6] = [
    Member::Model,
    Member::Choices,
    Member::InlineKey,
    Member::DropParams,
    Member::Models,
    Member::Provider,
];

/// How the files of images begin, and their MIME types. Between the dots of a WebP is its length.
const KINDS: [(&[u8], &str); 4] = [
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"RIFF", "image/webp"),
    (b"GIF8", "image/gif"),
];

impl ModelRequest {
    /// The body as JSON, images as `data:` URLs; none where it is JSON already. Other files than images
    /// are named, so that they can be refused by their names.
    pub(crate) fn parts_as_json(&self) -> Result<Option<Bytes>, RequestError> {
        let Some(parts) = &self.parts else {
            return Ok(None);
        };
        let (mut members, mut images) = (Map::new(), Vec::new());
        for (name, is_file, value) in parts.all(&self.body) {
            if IMAGES.contains(&name) {
                images.push(json!({"image_url": data_url(value)?}));
            } else if !OURS.iter().any(|member| member.name() == name) {
                let text = if is_file { "" } else { text(value)? };
                members.insert(name.to_owned(), text.into());
            }
        }
        members.insert(Member::Choices.name().to_owned(), self.choices.into());
        members.insert("images".to_owned(), images.into());
        Ok(Some(Value::from(members).to_string().into()))
    }
}

fn text(value: &[u8]) -> Result<&str, RequestError> {
    std::str::from_utf8(value).map_err(|_| RequestError::new(None, "a part is not valid UTF-8"))
}

fn data_url(image: &[u8]) -> Result<String, RequestError> {
    let kind = KINDS.iter().find(|(begin, _)| image.starts_with(begin));
    let unknown = "`image` must be a PNG, JPEG, WebP or GIF";
    let (_, kind) = kind.ok_or_else(|| RequestError::new(Some("image"), unknown))?;
    Ok(format!(
        "data:{kind};base64,{}",
        BASE64_STANDARD.encode(image)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::form::Form;
    use crate::domain::request::Arrived;

    fn edit(parts: &[(&str, &[u8])]) -> ModelRequest {
        let mut body = Vec::new();
        for (name, value) in parts {
            body.extend(b"--b\r\ncontent-disposition: form-data; name=");
            body.extend(format!("{name}\r\n\r\n").bytes());
            body.extend_from_slice(value);
            body.extend(b"\r\n");
        }
        body.extend(b"--b--\r\n");
        let arrived = Arrived {
            form: Form::ImageEdits,
            content_type: "multipart/form-data; boundary=b".to_owned(),
            body: body.into(),
            ..Arrived::default()
        };
        ModelRequest::parse(arrived).unwrap()
    }

    #[test]
    fn parts_become_members_and_images_urls_of_what_they_hold() {
        let request = edit(&[
            ("model", b"m"),
            ("byok_api_key", b"sk-1"),
            ("n", b"2"),
            ("prompt", b"Paint it \"red\""),
            ("image[]; filename=a", b"\x89PNG1"),
            ("image[]; filename=b", b"\xff\xd8\xff2"),
            ("mask; filename=c", b"\x89PNG3"),
        ]);
        let made = request.parts_as_json().unwrap().unwrap();
        let expect = json!({
            "prompt": "Paint it \"red\"", "n": 2, "mask": "",
            "images": [
                {"image_url": "data:image/png;base64,iVBORzE="},
                {"image_url": "data:image/jpeg;base64,/9j/Mg=="},
            ],
        });
        assert_eq!(serde_json::from_slice::<Value>(&made).unwrap(), expect);
    }

    #[test]
    fn what_is_no_image_is_refused_by_name() {
        let request = edit(&[
            ("model", b"m"),
            ("prompt", b"a"),
            ("image; filename=a", b"%PDF"),
        ]);
        let refused = request.parts_as_json().unwrap_err();
        assert_eq!(refused.param, Some("image"));
    }
}
