//! Folders and what stands in them: trees, names, and base64.

use std::{
    ffi::OsStr,
    fmt::Write,
    os::unix::ffi::OsStrExt,
    path::{Component, Path},
};

use ::base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use unstoppable_engine_core::format::{
    name::{danger, unescape},
    tree::{NodeKind, Tree},
};

/// The names of a folder are sorted, stand once, lead nowhere else, and take no more room than
/// the JSON.
pub fn tree(data: &[u8]) {
    let Ok(tree) = Tree::parse(data, data.len()) else { return };
    for node in &tree.nodes {
        see_name_is_safe(&node.name);
        assert!(node.metadata.mode.unwrap_or_default() <= 0o7777, "a mode of more than 12 bits");
        for time in [node.metadata.modified, node.metadata.accessed].into_iter().flatten() {
            assert!(time.1 < 1_000_000_000, "nanoseconds of more than a second");
        }
    }
    let names = tree.nodes.iter().map(|node| &node.name);
    assert!(names.clone().zip(names.skip(1)).all(|(one, next)| one < next), "not sorted");
    let kept = tree.nodes.iter().map(|node| {
        let values = node.metadata.attributes.iter().map(|one| one.name.len() + one.value.len());
        node.name.len() + target_bytes(&node.kind) + values.sum::<usize>()
    });
    let refused = tree.refused.iter().map(|refused| refused.name.len());
    assert!(kept.chain(refused).sum::<usize>() <= data.len(), "holds more than its JSON");
}

fn target_bytes(kind: &NodeKind) -> usize {
    match kind {
        NodeKind::Symlink(target) => target.len(),
        NodeKind::File(content) => content.len() * 64,
        NodeKind::Unknown(kind) => kind.len(),
        _ => 0,
    }
}

fn see_name_is_safe(name: &[u8]) {
    assert_eq!(danger(name), None);
    let path = Path::new(OsStr::from_bytes(name));
    let is_one = path.components().eq([Component::Normal(path.as_os_str())]);
    assert!(is_one && !name.contains(&0), "{name:?} leads elsewhere");
}

/// Every name that can be escaped is read as it was; what else is read is not longer than its
/// escapes.
pub fn name(data: &[u8]) {
    assert_eq!(unescape(&escape(data)).as_deref(), Some(data));
    if danger(data).is_none() {
        see_name_is_safe(data);
    }
    let Ok(text) = str::from_utf8(data) else { return };
    if let Some(name) = unescape(text) {
        assert!(name.len() <= text.len(), "{text:?} grew");
        assert!(text.contains('\\') || name == data, "{text:?} has no escapes and was changed");
    }
}

/// `name` as the format writes it.
fn escape(name: &[u8]) -> String {
    let mut escaped = String::new();
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' | '"' => escaped.extend(['\\', character]),
                '\n' => escaped.push_str("\\n"),
                '\0'..' ' => _ = write!(escaped, "\\x{:02x}", u32::from(character)),
                _ => escaped.push(character),
            }
        }
        for byte in chunk.invalid() {
            _ = write!(escaped, "\\x{byte:02x}");
        }
    }
    escaped
}

/// Base64 is what another decoder takes it for. It is read where it stands: as a link's target.
pub fn base64(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let node = serde_json::json!({"name": "a", "type": "symlink", "linktarget_raw": text});
    let json = serde_json::json!({ "nodes": [node] }).to_string();
    let tree = Tree::parse(json.as_bytes(), json.len()).ok();
    let target = tree.and_then(|tree| tree.nodes.into_iter().next()).map(|node| node.kind);
    let configuration = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true);
    let expected = GeneralPurpose::new(&STANDARD, configuration).decode(text).ok();
    assert_eq!(target, expected.map(NodeKind::Symlink));
}
