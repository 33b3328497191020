//! A policy as an artifact, by the conventions of the CNCF for WASM: a manifest with a config of
//! `application/vnd.wasm.config.v0+json` and one layer of `application/wasm`.
//!
//! A signature travels as an annotation of the manifest, `dev.wastegate.minisig`: it comes with the
//! same answer, and a manifest's digest covers it. The config is written for other tools and never
//! read: what a policy is, it says itself.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::rollout::signature::SIGNATURE_BYTES_MAX;
use wastegate_engine::policy::load::digest;

/// The type of a manifest.
pub(super) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// The version of the format that every manifest gives (OCI image specification 1.1, image manifest).
const SCHEMA_VERSION: u8 = 2;
/// The type of the config.
pub(super) const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
/// The type of the layer.
pub(super) const LAYER_TYPE: &str = "application/wasm";
/// The annotation that holds the signature, the text of a `.minisig` file.
pub const SIGNATURE_ANNOTATION: &str = "dev.wastegate.minisig";

/// What a manifest says where the policy is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Artifact {
    /// Of the layer, `sha256:…`.
    pub(super) digest: String,
    /// Of the layer, bytes: what the manifest claims.
    pub(super) bytes: u64,
    pub(super) signature: Option<String>,
}

/// A manifest, as far as an artifact of one layer needs it (OCI image specification 1.1, image manifest). The
/// order of the fields is a part of the digest.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<BTreeMap<String, String>>,
}

/// What a manifest refers to (OCI image specification 1.1, content descriptors).
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    /// Bytes. Signed, so that a size below zero is reported as such.
    size: i64,
}

/// Bytes that a manifest refers to.
pub(super) struct Blob {
    pub(super) bytes: Bytes,
    /// `sha256:…`.
    pub(super) digest: String,
}

impl Blob {
    fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let digest = format!("sha256:{}", digest(&bytes));
        Self { bytes, digest }
    }

    fn described(&self, media_type: &str) -> Result<Descriptor, String> {
        let size = self.bytes.len();
        Ok(Descriptor {
            media_type: media_type.to_owned(),
            digest: self.digest.clone(),
            size: i64::try_from(size).map_err(|_| format!("{size} bytes are too many"))?,
        })
    }
}

/// An artifact, ready to be pushed.
pub(super) struct Built {
    pub(super) layer: Blob,
    pub(super) config: Blob,
    pub(super) manifest: Blob,
}

/// What there is to say of a policy besides its bytes.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// The policy's name.
    pub title: String,
    /// The policy's version.
    pub version: String,
    /// What it is, in a sentence.
    pub description: String,
}

/// Reads a manifest. The error says what it is instead.
pub(super) fn read(manifest: &[u8]) -> Result<Artifact, String> {
    let value: Value = serde_json::from_slice(manifest)
        .map_err(|error| format!("its manifest is no JSON ({error})"))?;
    if let Some(manifests) = value.get("manifests") {
        return Err(index(manifests));
    }
    let manifest: Manifest = serde_json::from_value(value)
        .map_err(|error| format!("its manifest is not as the OCI has it ({error})"))?;
    let config = &manifest.config.media_type;
    if !is_type(config, CONFIG_TYPE) {
        return Err(format!(
            "its config is `{}` and not `{CONFIG_TYPE}`",
            shown(config)
        ));
    }
    let [layer] = manifest.layers.as_slice() else {
        let count = manifest.layers.len();
        return Err(format!("it has {count} layers, and a policy has one"));
    };
    if !is_type(&layer.media_type, LAYER_TYPE) {
        return Err(format!(
            "its layer is `{}` and not `{LAYER_TYPE}`",
            shown(&layer.media_type)
        ));
    }
    let hex = layer.digest.strip_prefix("sha256:").unwrap_or_default();
    if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(format!(
            "its layer's digest `{}` is not sha256",
            shown(&layer.digest)
        ));
    }
    let bytes =
        u64::try_from(layer.size).map_err(|_| "its layer has a size below zero".to_owned())?;
    let annotations = manifest.annotations.unwrap_or_default();
    Ok(Artifact {
        digest: layer.digest.to_ascii_lowercase(),
        bytes,
        signature: annotations.get(SIGNATURE_ANNOTATION).map(|text| cut(text)),
    })
}

/// What an index is, in words, and what to name in its place.
fn index(manifests: &Value) -> String {
    let digest = |manifest: &Value| Some(shown(manifest.get("digest")?.as_str()?));
    match manifests.as_array().map(Vec::as_slice) {
        Some([only]) => {
            let named = digest(only)
                .map(|digest| format!(", `@{digest}`"))
                .unwrap_or_default();
            format!(
                "it is an index of one manifest, and not that manifest: name it by its digest{named}"
            )
        }
        Some([]) => "it is an index of no manifest at all".to_owned(),
        Some(several) => format!(
            "it is an index of several artifacts ({}), and a policy is one: name its manifest by its digest",
            several.len()
        ),
        None => "it is an index of something that is no list".to_owned(),
    }
}

/// Whether a media type is one of ours. Case and parameters make no other one of it (RFC 9110, section
/// 8.3.1).
fn is_type(found: &str, ours: &str) -> bool {
    let found = found.split(';').next().unwrap_or_default();
    found.trim().eq_ignore_ascii_case(ours)
}

/// Builds the artifact of a policy. The same policy and signature make the same digest: nothing of the moment
/// is in it.
pub(super) fn build(bytes: &[u8], signature: Option<&str>, about: &About) -> Result<Built, String> {
    let config = Blob::new(config(bytes)?.to_string());
    let layer = Blob::new(Bytes::copy_from_slice(bytes));
    let texts = [
        ("org.opencontainers.image.title", &*about.title),
        ("org.opencontainers.image.version", &*about.version),
        ("org.opencontainers.image.description", &*about.description),
        (SIGNATURE_ANNOTATION, signature.unwrap_or_default()),
    ];
    let annotations = texts
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(key, text)| (key.to_owned(), text.to_owned()))
        .collect();
    let manifest = Manifest {
        schema_version: SCHEMA_VERSION,
        media_type: Some(MANIFEST_TYPE.to_owned()),
        config: config.described(CONFIG_TYPE)?,
        layers: vec![layer.described(LAYER_TYPE)?],
        annotations: Some(annotations),
    };
    let manifest = serde_json::to_vec(&manifest).map_err(|error| error.to_string())?;
    Ok(Built {
        layer,
        config,
        manifest: Blob::new(manifest),
    })
}

/// The config that describes a component or a core module.
fn config(bytes: &[u8]) -> Result<Value, String> {
    let component = wasmparser::Parser::is_component(bytes)
        .then(|| component(bytes))
        .transpose()?;
    Ok(json!({
        // An artifact is what it holds, whenever it was made.
        "created": "1970-01-01T00:00:00Z",
        "architecture": "wasm",
        "os": if component.is_some() { "wasip2" } else { "wasip1" },
        "layerDigests": [format!("sha256:{}", digest(bytes))],
        "component": component,
    }))
}

fn component(bytes: &[u8]) -> Result<Value, String> {
    let decoded = wit_component::decode(bytes).map_err(|error| format!("{error:#}"))?;
    let wit_component::DecodedWasm::Component(resolve, world) = decoded else {
        return Err("it is a package of WIT and no component".to_owned());
    };
    let world = resolve.worlds.get(world).ok_or("it has no world")?;
    let names = |items: &wit_parser::IndexMap<wit_parser::WorldKey, wit_parser::WorldItem>| {
        let names = items.keys().map(|key| resolve.name_world_key(key));
        names.collect::<Vec<_>>()
    };
    Ok(json!({
        "exports": names(&world.exports),
        "imports": names(&world.imports),
    }))
}

/// A signature, cut off where it is still seen to be too long.
fn cut(text: &str) -> String {
    text.chars().take(SIGNATURE_BYTES_MAX + 1).collect()
}

/// A registry's word in our sentence.
fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 100;
    let cut = text.chars().take(CHARS_MAX);
    cut.flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn manifest(change: impl FnOnce(&mut Value)) -> Vec<u8> {
        let built = build(MODULE, Some("signed"), &About::default()).unwrap();
        let mut value = serde_json::from_slice(&built.manifest.bytes).unwrap();
        change(&mut value);
        value.to_string().into_bytes()
    }

    /// The shortest core module.
    const MODULE: &[u8] = b"\0asm\x01\0\0\0";

    #[test]
    fn what_is_built_is_read() {
        let artifact = read(&manifest(|_| {})).unwrap();
        let expected = Artifact {
            digest: format!("sha256:{}", digest(MODULE)),
            bytes: 8,
            signature: Some("signed".to_owned()),
        };
        assert_eq!(artifact, expected);
        assert_eq!(
            manifest(|_| {}),
            manifest(|_| {}),
            "nothing of the moment is in it"
        );
    }

    #[test]
    fn the_config_tells_other_tools_what_is_exported() {
        let bytes = wastegate_engine::policy::shipped::find("lru").unwrap();
        let config = config(bytes).unwrap();
        assert_eq!(config["os"], "wasip2");
        assert_eq!(
            config["component"]["exports"],
            json!(["wastegate:policy/ranker@1.0.0"])
        );
        assert_eq!(
            config["layerDigests"],
            json!([format!("sha256:{}", digest(bytes))])
        );
        assert_eq!(super::config(MODULE).unwrap()["os"], "wasip1");
    }

    #[test]
    fn each_thing_that_is_no_policy_is_named() {
        let message = |manifest: Vec<u8>| read(&manifest).unwrap_err();
        for (bytes, why) in [
            (b"<html>".to_vec(), "no JSON"),
            (b"{\"manifests\":[]}".to_vec(), "index of no manifest"),
            (
                b"{\"manifests\":[{},{}]}".to_vec(),
                "index of several artifacts (2)",
            ),
            (b"{\"manifests\":{}}".to_vec(), "no list"),
            (b"{}".to_vec(), "not as the OCI has it"),
            (
                manifest(|m| {
                    m["config"]["mediaType"] = json!("application/vnd.oci.image.config.v1+json")
                }),
                "its config is",
            ),
            (manifest(|m| m["layers"] = json!([])), "0 layers"),
            (
                manifest(|m| {
                    m["layers"][0]["mediaType"] =
                        json!("application/vnd.oci.image.layer.v1.tar+gzip")
                }),
                "its layer is",
            ),
            (
                manifest(|m| m["layers"][0]["digest"] = json!("md5:00")),
                "is not sha256",
            ),
            (
                manifest(|m| m["layers"][0]["size"] = json!(-1)),
                "below zero",
            ),
        ] {
            let message = message(bytes);
            assert!(message.contains(why), "{message}");
        }
    }

    /// P24: what to do about an index of one is to name that one.
    #[test]
    fn p24_an_index_of_one_manifest_says_which() {
        let one = json!({ "manifests": [{ "digest": "sha256:abc", "size": 1 }] });
        let message = read(one.to_string().as_bytes()).unwrap_err();
        assert!(message.contains("index of one manifest"), "{message}");
        assert!(
            message.ends_with("name it by its digest, `@sha256:abc`"),
            "{message}"
        );
        let bare = json!({ "manifests": [{}] });
        let message = read(bare.to_string().as_bytes()).unwrap_err();
        assert!(message.ends_with("name it by its digest"), "{message}");
    }

    /// P27: media types have no case, and parameters make no other type.
    #[test]
    fn p27_media_types_are_compared_as_http_has_it() {
        for layer in [
            "application/Wasm",
            "APPLICATION/WASM",
            "application/wasm; charset=binary",
            "application/wasm;a=b;c=\"d\"",
            "application/wasm ; q=1",
        ] {
            let taken = read(&manifest(|m| m["layers"][0]["mediaType"] = json!(layer)));
            assert!(taken.is_ok(), "{layer}: {taken:?}");
        }
        let config = "Application/Vnd.Wasm.Config.v0+JSON; charset=utf-8";
        assert!(read(&manifest(|m| m["config"]["mediaType"] = json!(config))).is_ok());
        for layer in ["application/wasm+gzip", "application/x-wasm", "wasm", ""] {
            let refused = read(&manifest(|m| m["layers"][0]["mediaType"] = json!(layer)));
            assert!(refused.unwrap_err().starts_with("its layer is"), "{layer}");
        }
    }

    proptest! {
        #[test]
        fn no_manifest_breaks_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..400, with in any::<u8>()) {
            let _ = read(&bytes);
            let mut changed = manifest(|_| {});
            if let Some(byte) = changed.get_mut(at) {
                *byte = with;
            }
            let _ = read(&changed);
        }
    }
}
