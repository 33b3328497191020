//! Sessions: what one user did in one of them, turn by turn.

/// One question with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// When the user sent something, ms.
    pub at_ms: u64,
    /// How long the answer took to stream, ms.
    pub answer_ms: u64,
    /// Bytes of the answer.
    pub answer_bytes: u64,
}

/// One session, its turns in order of time; never without any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// Its number in the source.
    pub number: u64,
    /// What happened in it.
    pub turns: Vec<Turn>,
}

/// A session and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The user who holds the session.
    pub user: String,
    /// The conversation that the session is of.
    pub chat: Chat,
}
