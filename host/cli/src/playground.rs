//! The built-in application: what `serve` runs when there is nothing behind it.
//!
//! It echoes every message to its sender and relays it to the manager's other connections, and a
//! few control lines let a person with any WebSocket client exercise every signal. It is also the
//! shortest example of an [`Application`]; not here: anything a gateway needs.

use std::sync::Arc;
use std::time::Duration;

use wastegate::manager::{Application, Manager, Message, Peer};
use wastegate_core::signals::DeviceClass;

/// The longest that `/busy` keeps the manager's task.
const BUSY_MAX: Duration = Duration::from_secs(600);
/// The most bytes that one `/push` queues.
const PUSH_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// What a line that is not understood is answered with.
const HELP: &str = "control lines: /visible, /hidden, /work UNITS, /priority NUMBER, \
/device unknown|desktop|mobile|server, /busy MILLISECONDS, /push COUNT BYTES, /who, /help; \
a line that starts with // is sent as it is, without the first slash";

/// Echo, relay and control lines.
#[derive(Debug, Clone, Copy, Default)]
pub struct Playground;

impl Application for Playground {
    async fn message(&self, manager: &Arc<Manager>, from: Peer, message: Message) {
        let message = match &message {
            Message::Text(text) if text.starts_with("//") => {
                Message::Text(text.as_str().get(1..).unwrap_or_default().into())
            }
            Message::Text(text) if text.starts_with('/') => {
                let answer = match Control::parse(text) {
                    Ok(control) => control.obey(manager, &from).await,
                    Err(error) => error,
                };
                reply(manager, &from, Message::Text(answer.into()));
                return;
            }
            Message::Text(_) | Message::Binary(_) => message,
        };
        reply(manager, &from, message.clone());
        manager.broadcast(&message, Some(from.connection));
    }
}

fn reply(manager: &Manager, to: &Peer, message: Message) {
    // A sender that is gone, or does not read, hears no answer.
    let _ = manager.send(to.connection, message);
}

/// A control line.
#[derive(Debug, PartialEq, Eq)]
enum Control {
    Visible(bool),
    Work(u32),
    Priority(i32),
    Device(DeviceClass),
    Busy(Duration),
    Push { count: usize, bytes: usize },
    Who,
    Help,
}

impl Control {
    /// Understands a line, or says what to mend.
    fn parse(line: &str) -> Result<Self, String> {
        let mut words = line.split_ascii_whitespace();
        let verb = words.next().unwrap_or_default();
        let arguments: Vec<&str> = words.collect();
        let control = match (verb, arguments.as_slice()) {
            ("/visible", []) => Self::Visible(true),
            ("/hidden", []) => Self::Visible(false),
            ("/who", []) => Self::Who,
            ("/help", []) => Self::Help,
            ("/work", [units]) => Self::Work(number(verb, "UNITS", units)?),
            ("/priority", [number_]) => Self::Priority(number(verb, "NUMBER", number_)?),
            ("/device", [class]) => Self::Device(match *class {
                "unknown" => DeviceClass::Unknown,
                "desktop" => DeviceClass::Desktop,
                "mobile" => DeviceClass::Mobile,
                "server" => DeviceClass::Server,
                _ => {
                    return Err(format!(
                        "error: /device takes unknown, desktop, mobile or server, not `{class}`"
                    ));
                }
            }),
            ("/busy", [millis]) => {
                let busy = Duration::from_millis(number(verb, "MILLISECONDS", millis)?);
                if busy > BUSY_MAX {
                    return Err(format!(
                        "error: /busy takes at most {} ms",
                        BUSY_MAX.as_millis()
                    ));
                }
                Self::Busy(busy)
            }
            ("/push", [count, bytes]) => {
                let count: usize = number(verb, "COUNT", count)?;
                let bytes: usize = number(verb, "BYTES", bytes)?;
                if count.saturating_mul(bytes.max(1)) > PUSH_BYTES_MAX {
                    return Err(format!(
                        "error: /push takes at most {PUSH_BYTES_MAX} bytes in all"
                    ));
                }
                Self::Push { count, bytes }
            }
            ("/visible" | "/hidden" | "/who" | "/help", _) => {
                return Err(format!("error: {verb} takes nothing behind it"));
            }
            ("/work" | "/priority" | "/device" | "/busy" | "/push", _) => {
                return Err(format!(
                    "error: wrong number of words behind {verb}; {HELP}"
                ));
            }
            _ => return Err(format!("error: unknown control line `{verb}`; {HELP}")),
        };
        Ok(control)
    }

    async fn obey(self, manager: &Arc<Manager>, from: &Peer) -> String {
        match self {
            Self::Visible(visible) => manager.set_visible(visible),
            Self::Work(units) => manager.set_in_flight(units),
            Self::Priority(priority) => manager.set_priority(priority),
            Self::Device(class) => manager.set_device_class(class),
            Self::Busy(busy) => tokio::time::sleep(busy).await,
            Self::Push { count, bytes } => {
                let message = Message::Binary(vec![0_u8; bytes].into());
                for _ in 0..count {
                    if manager.send(from.connection, message.clone()).is_err() {
                        return "error: you do not read fast enough".to_owned();
                    }
                }
            }
            Self::Who => {
                let peers = manager.ports().len();
                return format!(
                    "user {} manager {} with {peers} connection(s)",
                    manager.user, manager.key
                );
            }
            Self::Help => return HELP.to_owned(),
        }
        "ok".to_owned()
    }
}

fn number<T: std::str::FromStr>(verb: &str, what: &str, word: &str) -> Result<T, String> {
    word.parse()
        .map_err(|_| format!("error: {verb} takes {what} as a whole number, not `{word}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_lines_are_understood() {
        assert_eq!(Control::parse("/visible"), Ok(Control::Visible(true)));
        assert_eq!(Control::parse("/work 3"), Ok(Control::Work(3)));
        assert_eq!(Control::parse("/priority -2"), Ok(Control::Priority(-2)));
        assert_eq!(
            Control::parse("/device mobile"),
            Ok(Control::Device(DeviceClass::Mobile))
        );
        assert_eq!(
            Control::parse("/push 3 10"),
            Ok(Control::Push {
                count: 3,
                bytes: 10
            })
        );
    }

    #[test]
    fn bad_control_lines_say_what_to_mend() {
        let cases = [
            (
                "/work lots",
                "error: /work takes UNITS as a whole number, not `lots`",
            ),
            (
                "/work -1",
                "error: /work takes UNITS as a whole number, not `-1`",
            ),
            (
                "/device toaster",
                "error: /device takes unknown, desktop, mobile or server, not `toaster`",
            ),
            ("/visible now", "error: /visible takes nothing behind it"),
            ("/busy 600001", "error: /busy takes at most 600000 ms"),
            (
                "/push 65 1048576",
                "error: /push takes at most 67108864 bytes in all",
            ),
        ];
        for (line, expected) in cases {
            assert_eq!(Control::parse(line).unwrap_err(), expected);
        }
        let unknown = Control::parse("/dance").unwrap_err();
        assert!(
            unknown.starts_with("error: unknown control line `/dance`; control lines: /visible")
        );
    }
}
