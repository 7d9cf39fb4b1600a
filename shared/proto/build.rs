//! Compiles the contracts under `proto/` with protox, so that no `protoc` is needed.
//!
//! Which messages carry a secret is read from the contracts themselves: no `Debug` is derived for
//! one with a field marked `(keyward.vault.v1.secret)`, so that it does not compile until somebody
//! has written one in `src/redacted.rs`.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use protox::prost_reflect::{DescriptorPool, FieldDescriptor, MessageDescriptor};

/// The option that marks a field with a secret.
const SECRET: &str = "keyward.vault.v1.secret";

/// Messages that carry bodies; their `Debug` is written by hand too.
const BODY_MESSAGES: [&str; 11] = [
    ".keyward.router.v1.ChatMessage",
    ".keyward.router.v1.ChatPart",
    ".keyward.router.v1.ChatPart.content",
    ".keyward.router.v1.ChatRequest",
    ".keyward.router.v1.ChatResponse",
    ".keyward.router.v1.ChatResponse.event",
    ".keyward.router.v1.InvokeRequest",
    ".keyward.router.v1.InvokeRequest.part",
    ".keyward.router.v1.InvokeResponse",
    ".keyward.router.v1.InvokeResponse.part",
    ".keyward.router.v1.ResolveRouteRequest",
];

/// Fields that carry bodies: reference-counted, so that passing them on copies nothing.
const BODY_FIELDS: [&str; 3] = [
    ".keyward.router.v1.InvokeRequest.chunk",
    ".keyward.router.v1.InvokeResponse.chunk",
    ".keyward.router.v1.ResolveRouteRequest.body",
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    collect_protos(&root.join("keyward"), &mut files)?;
    files.sort();
    let mut compiler = protox::Compiler::new([root])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(&files)?;
    let pool = compiler.descriptor_pool();

    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let descriptors = compiler.encode_file_descriptor_set();
    std::fs::write(out.join("descriptors.bin"), descriptors)?;
    std::fs::write(out.join("printers.rs"), printers(&pool)?)?;

    // Maps in order: equal messages are then equal bytes, which is how a repeated request is known.
    let mut builder = tonic_prost_build::configure()
        .btree_map(".keyward.vault.v1")
        .btree_map(".keyward.router.v1.RoutingPolicy")
        .btree_map(".keyward.router.v1.RoutingRule")
        .btree_map(".keyward.router.v1.RuleMatch");
    for field in BODY_FIELDS {
        builder = builder.bytes(field);
    }
    builder
        .skip_debug(BODY_MESSAGES)
        .skip_debug(secret_messages(&pool)?)
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

fn collect_protos(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect_protos(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "proto")
        {
            files.push(path);
        }
    }
    Ok(())
}

/// Our messages; entries of maps are none.
fn messages(pool: &DescriptorPool) -> impl Iterator<Item = MessageDescriptor> {
    let ours = |message: &MessageDescriptor| message.package_name().starts_with("keyward.");
    pool.all_messages()
        .filter(move |message| ours(message) && !message.is_map_entry())
}

/// The paths of the messages with a field that carries a secret.
fn secret_messages(pool: &DescriptorPool) -> Result<Vec<String>, Box<dyn Error>> {
    let option = pool
        .get_extension_by_name(SECRET)
        .ok_or("the option for secrets is gone")?;
    let is_secret = |field: &FieldDescriptor| {
        let options = field.options();
        options.get_extension(&option).as_bool() == Some(true)
    };
    let with_one = messages(pool).filter(|message| message.fields().any(|field| is_secret(&field)));
    Ok(with_one
        .map(|message| format!(".{}", message.full_name()))
        .collect())
}

/// A function that prints a message, given its name and its bytes: with it tests try every message
/// there is, and none can be left out.
fn printers(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let mut code = String::from(
        "/// Prints the message of this name from its bytes; `None` if there is none of it.\n\
         #[allow(clippy::too_many_lines, reason = \"a line for each message\")]\n\
         fn printed(name: &str, bytes: &[u8]) -> Option<String> {\n    match name {\n",
    );
    for message in messages(pool) {
        let (name, path) = (message.full_name(), rust_path(&message));
        writeln!(code, "        {name:?} => Some(shown::<{path}>(bytes)),")?;
    }
    code.push_str("        _ => None,\n    }\n}\n");
    Ok(code)
}

/// Where a message's type is: messages within a message are in a module of its name.
fn rust_path(message: &MessageDescriptor) -> String {
    let Some(outer) = message.parent_message() else {
        let package = message.package_name().replace('.', "::");
        let package = package.replacen("keyward", "keyward_proto", 1);
        return format!("{package}::{}", message.name());
    };
    let path = rust_path(&outer);
    let module = path.trim_end_matches(outer.name());
    format!("{module}{}::{}", snake_case(outer.name()), message.name())
}

fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(character.to_ascii_lowercase());
    }
    text
}
