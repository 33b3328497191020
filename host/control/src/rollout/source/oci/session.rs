//! The requests of one pull, one look or one publishing: with who we are where the registry asks for
//! that, wherever it asks.
//!
//! Nothing is said before it is asked for: a first request bears no credentials. A registry may ask at
//! any URL, and at some it only refuses; then its front door (`/v2/`) is asked what it wants, and where
//! that wants nothing either, our credentials are tried. What it took is used for the requests after.

use std::time::Duration;

use reqwest::header::{ETAG, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};

use super::artifact::MANIFEST_TYPE;
use super::auth::{self, Credentials};
use super::challenge::Challenge;
use super::error::RegistryError;
use super::reference::Reference;
use super::transport::{Answer, Ask, Transport};
use super::{Config, MANIFEST_BYTES_MAX};

/// How often challenges are answered for one request: a registry may ask for a wider scope once.
const ANSWERS_MAX: u32 = 2;
/// The header in which registries say the digest of what they give.
const DIGEST_HEADER: &str = "docker-content-digest";

/// One pull, look or publishing: a reference, connections to its registry, and what we want there.
pub(super) struct Session<'a> {
    pub(super) transport: &'a Transport,
    pub(super) reference: &'a Reference,
    credentials: Option<&'a Credentials>,
    timeout: Duration,
    /// What a token has to be good for, where the registry does not say.
    scope: String,
}

/// Whether a request is refused for who we are, as far as can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Something is meant to be there: a registry that does not know us may say that it is not.
    MayHide,
    /// It is a question whether something is there, and "no" is an answer.
    IsAnAnswer,
}

impl<'a> Session<'a> {
    /// A session that pulls.
    pub(super) fn new(
        config: &'a Config,
        reference: &'a Reference,
        transport: &'a Transport,
    ) -> Self {
        Self {
            transport,
            reference,
            credentials: config.credentials_for(reference),
            timeout: config.timeout,
            scope: format!("repository:{}:pull", reference.path()),
        }
    }

    /// To publish, as who the configuration says, whichever registry it is.
    pub(super) fn publishing(
        config: &'a Config,
        reference: &'a Reference,
        transport: &'a Transport,
    ) -> Self {
        Self {
            credentials: Some(&config.credentials),
            scope: format!("repository:{}:pull,push", reference.path()),
            ..Self::new(config, reference, transport)
        }
    }

    /// Everything, within the one deadline.
    pub(super) async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, RegistryError>>,
    ) -> Result<T, RegistryError> {
        let late = |_| Err(self.transport.late(self.timeout));
        tokio::time::timeout(self.timeout, work)
            .await
            .unwrap_or_else(late)
    }

    /// Asks, and says who we are if that is asked for.
    pub(super) async fn ask(
        &self,
        mut ask: Ask,
        refusal: Refusal,
    ) -> Result<Answer, RegistryError> {
        ask.authorization = self.transport.answered();
        let mut answer = self.transport.ask(&ask).await?;
        let mut before = Vec::new();
        for _ in 0..ANSWERS_MAX {
            let challenges = self.challenges(&answer);
            let is_repeated = !challenges.is_empty() && challenges == before;
            if !refuses(&answer, refusal) || is_repeated {
                break;
            }
            let reply = match challenges.as_slice() {
                [] if ask.authorization.is_some() => None,
                [] => self.at_the_door(answer.status).await?,
                challenges => self.answer(challenges).await?,
            };
            if reply.is_none() || reply == ask.authorization {
                break;
            }
            (ask.authorization, before) = (reply, challenges);
            answer = self.transport.ask(&ask).await?;
        }
        let is_taken = !matches!(answer.status.as_u16(), 401 | 403);
        self.transport.keep(ask.authorization.filter(|_| is_taken));
        Ok(answer)
    }

    /// What an answer asks for, if it came from the registry itself: storage elsewhere has nothing to
    /// ask.
    fn challenges(&self, answer: &Answer) -> Vec<Challenge> {
        if self.transport.is_home(&answer.url) {
            Challenge::all(&answer.headers)
        } else {
            Vec::new()
        }
    }

    /// What to say where we were refused without being asked anything.
    async fn at_the_door(&self, refused: StatusCode) -> Result<Option<HeaderValue>, RegistryError> {
        let ours = self.credentials.and_then(Credentials::header);
        // Without credentials there is an anonymous token at best, and what is absent is absent.
        if ours.is_none() && refused == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let door = Ask::get(self.transport.url("")?, "its API");
        let challenges = match self.transport.ask(&door).await {
            Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => self.challenges(&answer),
            // Whatever is wrong there, it says nothing of who we have to be.
            Ok(_) | Err(_) => Vec::new(),
        };
        match challenges.as_slice() {
            [] => Ok(ours),
            challenges => self.answer(challenges).await,
        }
    }

    async fn answer(&self, challenges: &[Challenge]) -> Result<Option<HeaderValue>, RegistryError> {
        auth::answer(self.transport, challenges, &self.scope, self.credentials).await
    }

    /// The error for an answer that is no success.
    pub(super) fn refused(&self, what: &str, answer: &Answer) -> RegistryError {
        let ours = self.credentials.and_then(Credentials::header);
        self.transport.refused(what, answer, ours.is_some())
    }

    /// The bytes of an answer that is a success.
    pub(super) fn success(&self, what: &str, answer: Answer) -> Result<Vec<u8>, RegistryError> {
        if answer.status.is_success() {
            Ok(answer.bytes)
        } else {
            Err(self.refused(what, &answer))
        }
    }

    /// The request for what the reference means.
    pub(super) fn for_manifest(&self, method: Method) -> Result<Ask, RegistryError> {
        let (repository, asked) = (self.reference.path(), self.reference.asked());
        let url = self
            .transport
            .url(&format!("{repository}/manifests/{asked}"))?;
        Ok(Ask {
            method,
            accept: MANIFEST_TYPE,
            bytes_max: MANIFEST_BYTES_MAX,
            ..Ask::get(url, format!("manifest {repository}:{asked}"))
        })
    }

    /// Whether the reference still means the manifest of a digest, by the word of the registry. A word is
    /// enough to pull nothing; whatever is pulled is hashed here. False where it says nothing of that.
    pub(super) async fn still_means(&self, digest: &str) -> Result<bool, RegistryError> {
        let ask = self.for_manifest(Method::HEAD)?;
        let what = ask.what.clone();
        let answer = self.ask(ask, Refusal::MayHide).await?;
        match answer.status.as_u16() {
            200..=299 => Ok(reported_digest(&answer.headers).as_deref() == Some(digest)),
            // It does not know the method.
            400 | 405 | 501 => Ok(false),
            _ => Err(self.refused(&what, &answer)),
        }
    }
}

/// Whether an answer may be a refusal for who we are.
fn refuses(answer: &Answer, refusal: Refusal) -> bool {
    match answer.status.as_u16() {
        401 => true,
        403 | 404 => refusal == Refusal::MayHide,
        _ => false,
    }
}

/// The digest that an answer says that its body has: `sha256:…`, by its own header or as its tag.
fn reported_digest(headers: &HeaderMap) -> Option<String> {
    let own = headers.get(DIGEST_HEADER).or_else(|| headers.get(ETAG))?;
    let text = own.to_str().ok()?.trim();
    let text = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
    text.starts_with("sha256:")
        .then(|| text.to_ascii_lowercase())
}
