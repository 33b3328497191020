//! The room against real managers and no sockets.
