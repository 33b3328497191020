//! Known answers of the RFCs, and tokens that must not pass.

use std::time::Duration;

use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::*;
use wastegate_core::types::Secret;

/// RFC 7515, appendices A.1 to A.3: the same claims, which expire in 2011, signed in three ways.
const CLAIMS: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const HS256: [&str; 3] = [
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
];
const RS256: [&str; 3] = [
    "eyJhbGciOiJSUzI1NiJ9",
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
];
const ES256: [&str; 4] = [
    "eyJhbGciOiJFUzI1NiJ9",
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
];
/// RFC 8037, appendix A: a signature that is no token.
const ED25519: [&str; 3] = [
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
];
const EXPIRES_S: u64 = 1_300_819_380;

fn clock(unix_s: u64) -> Clock {
    let clock = Clock::manual();
    clock.advance(Duration::from_secs(unix_s));
    clock
}

/// One who checks by these keys, and the folder that they are in.
fn checker(
    keys: &Value,
    secret: &[u8],
    clock: Clock,
    change: impl FnOnce(&mut Config),
) -> (Jwt, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    std::fs::write(&path, json!({ "keys": keys }).to_string()).unwrap();
    let mut config = crate::gateway::identity::Config::default();
    config.jwt.algorithms.push(Algorithm::Hs256);
    config.jwt.keys_file = Some(path);
    // Text holds any bytes below 128, and the RFC's key has others: it is tried by itself below.
    config.jwt.secret = Secret::new(String::from_utf8_lossy(secret));
    change(&mut config.jwt);
    (Jwt::new(&config, Naming::default(), clock).unwrap(), folder)
}

fn rfc_keys() -> Value {
    json!([
        { "kty": "RSA", "n": RS256[2], "e": "AQAB" },
        { "kty": "EC", "crv": "P-256", "x": ES256[2], "y": ES256[3] },
        { "kty": "OKP", "crv": "Ed25519", "x": ED25519[2] },
    ])
}

async fn why_not(jwt: &Jwt, token: &str) -> String {
    let error = jwt.check(token).await.unwrap_err().to_string();
    error
        .strip_prefix("the token is not accepted: ")
        .unwrap_or(&error)
        .to_owned()
}

#[tokio::test]
async fn the_rfcs_signatures_are_good_and_spoilt_ones_are_not() {
    let (jwt, _folder) = checker(&rfc_keys(), b"", clock(EXPIRES_S - 60), |_| {});
    for [header, signature] in [[RS256[0], RS256[1]], [ES256[0], ES256[1]]] {
        let token = format!("{header}.{CLAIMS}.{signature}");
        assert_eq!(jwt.check(&token).await.unwrap()["iss"], "joe");
        let spoilt = token.replacen("eyJpc3M", "eyJpc3N", 1);
        assert_eq!(why_not(&jwt, &spoilt).await, "its signature is not valid");
    }
    let secret = URL_SAFE_NO_PAD.decode(HS256[2]).unwrap();
    let hs = jsonwebtoken::DecodingKey::from_secret(&secret).unwrap();
    let ed = jsonwebtoken::DecodingKey::from_ed_components(ED25519[2]).unwrap();
    let signed = format!("{}.{CLAIMS}", HS256[0]);
    let verify = jsonwebtoken::crypto::verify;
    let (hs256, eddsa) = (Algorithm::Hs256.standard(), Algorithm::EdDsa.standard());
    assert!(verify(HS256[1], signed.as_bytes(), &hs, hs256).unwrap());
    assert!(!verify(HS256[1], b"else", &hs, hs256).unwrap());
    assert!(verify(ED25519[1], ED25519[0].as_bytes(), &ed, eddsa).unwrap());
    assert!(!verify(ED25519[1], b"else", &ed, eddsa).unwrap());
}

/// Somebody who signs tokens with a key of its own.
struct Issuer {
    pair: Ed25519KeyPair,
    name: &'static str,
}

impl Issuer {
    fn new(name: &'static str) -> Self {
        let random = ring_random();
        let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        Self {
            pair: Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap(),
            name,
        }
    }

    fn public(&self) -> Value {
        let point = URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref());
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": self.name, "alg": "EdDSA", "x": point })
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.pair.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn token(&self, claims: &Value) -> String {
        self.sign(&json!({ "alg": "EdDSA", "kid": self.name }), claims)
    }
}

fn ring_random() -> ring::rand::SystemRandom {
    ring::rand::SystemRandom::new()
}

#[tokio::test]
async fn moments_issuers_and_audiences_are_checked() {
    let issuer = Issuer::new("a");
    let keys = json!([issuer.public()]);
    let (jwt, _folder) = checker(&keys, b"", clock(1_000), |config| {
        config.issuers = vec!["https://issuer".to_owned()];
        config.audiences = vec!["chat".to_owned(), "chat-2".to_owned()];
    });
    let good = json!({
        "sub": "ann", "iss": "https://issuer", "aud": ["other", "chat-2"], "exp": 1_100, "nbf": 1_020
    });
    assert!(jwt.check(&issuer.token(&good)).await.is_ok());
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value;
        }
        issuer.token(&claims)
    };
    for (token, expected) in [
        (with("exp", json!(970)), "it has expired"),
        (with("exp", Value::Null), "claim `exp` is missing"),
        (
            with("exp", json!("soon")),
            "the token is not accepted: claim `exp` is no date",
        ),
        (with("nbf", json!(1_031)), "it is not valid yet"),
        (
            with("iss", json!("https://other")),
            "its issuer is not accepted here",
        ),
        (with("iss", Value::Null), "claim `iss` is missing"),
        (with("aud", json!("other")), "it is not meant for here"),
        (with("aud", Value::Null), "claim `aud` is missing"),
        ("no token".to_owned(), "it is no JSON Web Token"),
    ] {
        let expected = expected.trim_start_matches("the token is not accepted: ");
        assert_eq!(why_not(&jwt, &token).await, expected);
    }
    // Within what clocks may differ.
    assert!(jwt.check(&with("exp", json!(971))).await.is_ok());
}

/// The known attacks: no algorithm, a public key as a shared secret, another algorithm than allowed,
/// extensions that would have to be understood.
#[tokio::test]
async fn a_token_does_not_choose_how_it_is_checked() {
    let issuer = Issuer::new("a");
    let keys = json!([issuer.public()]);
    let public = "a shared secret of thirty-two bytes";
    let (jwt, _folder) = checker(&keys, public.as_bytes(), clock(1_000), |config| {
        config.algorithms = vec![Algorithm::EdDsa];
    });
    let claims = json!({ "sub": "ann", "exp": 2_000 });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let none = format!("{}.{}.", part(&json!({ "alg": "none" })), part(&claims));
    assert_eq!(why_not(&jwt, &none).await, "it is no JSON Web Token");
    let signed = format!(
        "{}.{}",
        part(&json!({ "alg": "HS256", "kid": "a" })),
        part(&claims)
    );
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, public.as_bytes());
    let code = ring::hmac::sign(&key, signed.as_bytes());
    let forged = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(code.as_ref()));
    assert_eq!(
        why_not(&jwt, &forged).await,
        "its algorithm is not accepted here"
    );
    let (shared, _folder) = checker(&keys, public.as_bytes(), clock(1_000), |_| {});
    assert!(
        shared.check(&forged).await.is_ok(),
        "where HS256 is allowed"
    );
    let critical = json!({ "alg": "EdDSA", "kid": "a", "crit": ["exp"] });
    let critical = issuer.sign(&critical, &claims);
    assert!(jwt.check(&critical).await.is_err());
    let stranger = Issuer::new("a").token(&claims);
    assert_eq!(why_not(&jwt, &stranger).await, "its signature is not valid");
}

/// A set is read again for a key that it does not have, though not at every such token.
#[tokio::test]
async fn keys_rotate_without_a_restart() {
    let (old, new) = (Issuer::new("old"), Issuer::new("new"));
    let clock = clock(1_000);
    let (jwt, folder) = checker(&json!([old.public()]), b"", clock.clone(), |_| {});
    let claims = json!({ "sub": "ann", "exp": 9_000_000 });
    assert!(jwt.check(&old.token(&claims)).await.is_ok());
    let path = folder.path().join("keys.json");
    let write = |keys: Value| std::fs::write(&path, json!({ "keys": keys }).to_string()).unwrap();
    assert_eq!(
        why_not(&jwt, &new.token(&claims)).await,
        "its key is not known here"
    );
    write(json!([old.public(), new.public()]));
    let too_soon = why_not(&jwt, &new.token(&claims)).await;
    assert_eq!(too_soon, "its key is not known here");
    clock.advance(Duration::from_secs(10));
    assert!(jwt.check(&new.token(&claims)).await.is_ok());
    // One that was taken out is known until the set is old.
    write(json!([new.public()]));
    assert!(jwt.check(&old.token(&claims)).await.is_ok());
    clock.advance(Duration::from_secs(301));
    assert_eq!(
        why_not(&jwt, &old.token(&claims)).await,
        "its key is not known here"
    );
    // A set that cannot be read again leaves the last one in use.
    std::fs::write(&path, "{").unwrap();
    clock.advance(Duration::from_secs(301));
    assert!(jwt.check(&new.token(&claims)).await.is_ok());
}

#[tokio::test]
async fn the_identity_is_of_the_claims_and_the_token_is_taken_out() {
    let issuer = Issuer::new("a");
    let (jwt, _folder) = checker(&json!([issuer.public()]), b"", clock(1_000), |_| {});
    let token =
        issuer.token(&json!({ "sub": "ann", "class": "premium", "managers": 3, "exp": 2_000.5 }));
    let request = Request::get("/ws?user=mallory&key=k").header(
        "sec-websocket-protocol",
        format!("chat, wastegate.bearer.{token}"),
    );
    let mut parts = request.body(()).unwrap().into_parts().0;
    let identity = jwt.identify(&mut parts).await.unwrap();
    assert_eq!(
        (identity.user.as_str(), identity.key.as_str()),
        ("ann", "k")
    );
    assert_eq!(identity.managers_max, Some(3));
    assert_eq!(identity.expires_unix_ms, Some(2_000_500));
    assert!(identity.protected && identity.by_token);
    assert_eq!(parts.headers["sec-websocket-protocol"], "chat");
    let mut nobody = Request::get("/ws?user=ann")
        .body(())
        .unwrap()
        .into_parts()
        .0;
    let error = jwt.identify(&mut nobody).await.unwrap_err();
    assert_eq!(error.status(), 401);
    assert_eq!(
        error.to_string(),
        "a token is needed: header `Authorization: Bearer TOKEN`, or subprotocol `wastegate.bearer.TOKEN`"
    );
}

#[test]
fn a_file_of_keys_is_looked_at_when_the_server_starts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let mut config = crate::gateway::identity::Config::default();
    config.jwt.keys_file = Some(path.clone());
    let error = |config: &crate::gateway::identity::Config| {
        Jwt::new(config, Naming::default(), Clock::manual())
            .unwrap_err()
            .to_string()
    };
    assert!(error(&config).ends_with("keys.json cannot be read"));
    for (text, expected) in [
        ("{}", "it is no JSON Web Key Set: missing field `keys`"),
        (
            r#"{ "keys": [{ "kty": "oct", "k": "c2VjcmV0" }] }"#,
            "the set has no key for signatures by RSA, P-256 or Ed25519",
        ),
    ] {
        std::fs::write(&path, text).unwrap();
        assert!(error(&config).starts_with(expected), "{}", error(&config));
    }
}
