//! What happens when a limit of the configuration is reached, in a sentence each.

const PER_REQUEST: &str = "Further requests are answered 429.";
const FENCE: &str = "A file beyond it is refused when it is loaded, with 422.";
const LOG: &str = "Further lines are counted and dropped; one line a second reports the count.";
const JOURNAL: &str = "Further lines are dropped and counted, and the log says so.";
const TOO_BIG: &str = "The connection of a client that sends more is closed.";

/// Limits at which 0 stands for none, although their settings count something.
pub(super) fn is_off_at_zero(key: &str) -> bool {
    let switches_off = ["admission.queue.length_max", "limits.temporary_slots.count"];
    let has_other_zero = [
        "limits.history_keys_max",
        "manager.pins_per_user_max",
        "policy.rollout.warm_max",
        "policy.inline_rows_max",
    ];
    let is_log = key.starts_with("policy.log_");
    !switches_off.contains(&key) && !has_other_zero.contains(&key) && !is_log
}

/// What happens to whatever would go beyond the limit that a setting has; none for a setting that is no limit, such as
/// a time.
#[must_use]
pub fn when_reached(key: &str) -> Option<&'static str> {
    if key.starts_with("policy.load.") && key.ends_with("_max") && !key.ends_with("at_once_max") {
        return Some(FENCE);
    }
    let sentence = match key {
        "admin.connections_max" => {
            "A new connection replaces one that has sent no request, else one without the token, else an idle one; where requests are in progress in all, only `probes_reserved` more are taken."
        }
        "admin.probes_reserved" => "A new connection replaces the oldest of them.",
        "identity.jwt.keys_max" => "A larger key set is not used, and the log says so.",
        "identity.hook.cache_entries_max" => "Older answers go, and the hook is asked again.",
        "limits.managers_per_user" => {
            "Room is made for the newcomer tier by tier; where none can be made, it gets a temporary slot, waits, or is refused with a retry-after."
        }
        "limits.managers_total" => {
            "Room is made among the managers of all users; where none can be made, the newcomer waits or is refused with a retry-after."
        }
        "limits.connections_total" => {
            "Connections that are gone, or rest between two requests, give up their places, and managers that do not answer make room; else the connection is answered 503 within `admission.budget_ms`."
        }
        "limits.history_keys_max" => {
            "The oldest keys are forgotten, and their return is not counted."
        }
        "limits.temporary_slots.count" => {
            "The user gets no more of them: managers that answer are evicted, worst first and no more than needed."
        }
        "limits.traffic.messages_per_s" | "limits.traffic.bytes_per_s" => {
            "Nothing more is read from the connection until the user's budget has recovered, or it is closed with 4007 (`limits.traffic.over`)."
        }
        "otlp.queue_spans_max" => "Further spans are dropped and counted.",
        "webhook.attempts_max" => "The request's events are dropped and counted.",
        "admission.rate_max" => "Further attempts of the user are refused with a retry-after.",
        "admission.rate_users_max" => "The users who were quiet longest are not counted any more.",
        "admission.takeovers_max" => {
            "Each further takeover has to wait longer, and is refused until then."
        }
        "admission.queue.length_max" => "Further clients are refused at once.",
        "manager.connections_max" => {
            "A connection of the manager that does not answer makes room; where all answer, the new one is refused (`manager-connections`)."
        }
        "manager.mailbox_messages_max" => {
            "The manager's connections stop reading from their clients until it has caught up."
        }
        "manager.pins_per_user_max" => {
            "A pin of a manager that nobody is left in makes room; else the pin is refused with 409 (`not-pinned`)."
        }
        "health.probe_connections_max" => {
            "The other connections are judged by what is known of them."
        }
        "connection.frame_bytes_max"
        | "connection.message_bytes_max"
        | "connection.fragments_max"
        | "connection.control_frames_per_s_max" => TOO_BIG,
        "connection.outbox_bytes_max" => {
            "The client is a slow consumer: its connection is closed, or the backend is not read until it takes some."
        }
        "cleanup.sweep_users_max" => "The other users are looked at in the next pass.",
        "cleanup.force_per_user_max" => {
            "Newcomers of the user wait, or are refused, until the window is over."
        }
        "cleanup.node.memory_bytes_max" => {
            "The node is under pressure: managers are evicted until its memory is below it."
        }
        "gateway.header_bytes_max" | "gateway.headers_max" => "The request is answered 431.",
        "gateway.http_requests_max" | "gateway.http_connections_max" => {
            "Further ones are answered 503."
        }
        "gateway.http_requests_per_address_max"
        | "gateway.http_requests_per_s_max"
        | "gateway.http_requests_per_address_per_s_max"
        | "gateway.http_connections_per_address_max" => PER_REQUEST,
        "gateway.upstream_held_bytes_max" => "The backend's connection is closed.",
        "gateway.upstream_hedges_max" => {
            "The gateway gives up a slow attempt before it tries another backend."
        }
        "gateway.caps.half_open_max" | "gateway.caps.half_open_per_address_max" => {
            "Further connections are turned away before a byte is read."
        }
        "gateway.caps.per_s_max" | "gateway.caps.per_address_per_s_max" => {
            "Further connections are turned away before a byte is read, or answered 429."
        }
        "gateway.flap.lives_max" => "The client is banned for a time that grows.",
        "policy.size_bytes_max" | "policy.heavy.size_bytes_max" => {
            "The file is refused with 413 (`too-large`)."
        }
        "policy.memory_large_bytes_max" | "policy.instances_max" => {
            "The call fails, and the built-in ranking completes the decision."
        }
        "policy.inline_rows_max" => "A larger call runs on the pool of policy threads.",
        "policy.log_lines_max"
        | "policy.log_lines_per_second_max"
        | "policy.log_bytes_per_second_max"
        | "policy.log_node_lines_per_second_max"
        | "policy.log_node_bytes_per_second_max" => LOG,
        "policy.log_line_bytes_max" => "The rest of the line is cut off.",
        "policy.queue_max" => {
            "The call is refused, and the built-in ranking completes the decision."
        }
        "policy.load.at_once_max" => {
            "Further policies wait, each for at most its own deadline; then they are refused with 503."
        }
        "policy.rollout.warm_max" => {
            "The revision that was used least lately has to be compiled again before it answers."
        }
        "observe.log.repeats_per_s_max" => {
            "Further lines from that place are counted, and a later line reports the count."
        }
        "observe.decisions.queue_lines_max"
        | "observe.decisions.queue_bytes_max"
        | "observe.activity.queue_lines_max"
        | "observe.activity.queue_bytes_max" => JOURNAL,
        _ => return None,
    };
    Some(sentence)
}
