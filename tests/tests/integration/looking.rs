//! What operators see of the last hour: decisions whole, another policy's answer to the same question, the
//! stream of events, and the node's past.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wastegate_tests::harness::{Client, Server, Setup, until_async, within};

/// Two managers, one of them silent, and the newcomer for whom it went.
async fn crowd() -> (Server, [Client; 3]) {
    let server = Setup::new()
        .limit(2)
        .policy("lru")
        .short_goodbyes()
        .start()
        .await;
    let ghost = server.enter("ann", "ghost").await;
    let mut tab = server.enter("ann", "tab").await;
    tab.echo("hello").await;
    let new = server.enter("ann", "new").await;
    (server, [ghost, tab, new])
}

/// The last decisions, as soon as there are so many.
async fn decisions(server: &Server, query: &str, count: usize) -> Value {
    let mut page = Value::Null;
    until_async(format!("{count} decisions"), async || {
        page = server.get(&format!("/v1/decisions{query}")).await.json();
        page["decisions"]
            .as_array()
            .is_some_and(|all| all.len() >= count)
    })
    .await;
    page
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_is_shown_as_the_policy_saw_it() {
    let (server, _clients) = crowd().await;
    let page = decisions(&server, "?user=ann", 1).await;
    let line = &page["decisions"][0];
    assert_eq!(
        (&line["user"], &line["scope"], &line["victims"]),
        (&json!("ann"), &json!("user"), &json!(1)),
        "{line}"
    );
    assert!(line["policy"].as_str().unwrap().starts_with("lru "));
    let id = line["id"].as_u64().unwrap();
    let whole = server.get(&format!("/v1/decisions/{id}")).await.json();
    assert_eq!(whole["id"], line["id"]);
    let signals = whole["signals"].as_array().unwrap();
    let idle = signals.iter().position(|name| name == "idle-ms").unwrap();
    let candidates = whole["candidates"].as_array().unwrap();
    let evicted = &whole["evicted"][0];
    let row = evicted["row"].as_u64().unwrap() as usize;
    assert_eq!(candidates[row]["key"], evicted["key"]);
    assert_eq!(
        candidates[row]["values"].as_array().unwrap().len(),
        signals.len()
    );
    assert!(
        candidates[row]["values"][idle].as_f64().is_some(),
        "{whole}"
    );
    assert_eq!(whole["ranking"][0]["row"], evicted["row"], "{whole}");
    assert_eq!(
        (&evicted["user"], &evicted["place"]),
        (&json!("ann"), &json!(1))
    );
    let outcome = evicted["outcome"].as_str().unwrap();
    assert_eq!(
        outcome == "echoed",
        evicted["after_ms"].is_u64(),
        "{evicted}"
    );

    // The timeline names the same decision.
    let why = server.get("/v1/why?user=ann").await.json();
    let lines = why["lines"].as_array().unwrap();
    assert!(lines.iter().any(|line| line["decision"] == id), "{why}");
    // Others have none, and what is not there is said to be so.
    let other = server.get("/v1/decisions?user=bob").await.json();
    assert_eq!(other, json!({"decisions": [], "next_before": null}));
    for (path, status, part) in [
        ("/v1/decisions/999999", 404, "is not in memory"),
        ("/v1/decisions/last", 400, "is no number of a decision"),
        ("/v1/decisions?limit=0", 400, "give 1 to 200"),
        ("/v1/decisions?before=x", 400, "before"),
    ] {
        let refused = server.get(path).await;
        assert_eq!(refused.status, status, "{path}");
        let message = refused.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(part), "{path}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_decisions_go_back_without_a_gap() {
    let (server, _clients) = crowd().await;
    let mut clients = Vec::new();
    for number in 0..4 {
        clients.push(server.enter("ann", &format!("more-{number}")).await);
    }
    let all = decisions(&server, "", 5).await;
    let ids = |page: &Value| -> Vec<u64> {
        let lines = page["decisions"].as_array().unwrap().iter();
        lines.map(|line| line["id"].as_u64().unwrap()).collect()
    };
    let (mut seen, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = server.get(&format!("/v1/decisions{query}")).await.json();
        seen.extend(ids(&page));
        match page["next_before"].as_u64() {
            Some(before) => query = format!("?limit=2&before={before}"),
            None => break,
        }
    }
    assert_eq!(seen, ids(&all));
    let once: std::collections::BTreeSet<u64> = seen.iter().copied().collect();
    assert_eq!(once.len(), seen.len(), "{seen:?}");
}

/// It changes nothing, and answers as the policy's own call would.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_policy_is_asked_the_same() {
    let (server, _clients) = crowd().await;
    let page = decisions(&server, "", 1).await;
    let id = page["decisions"][0]["id"].as_u64().unwrap();
    let whole = server.get(&format!("/v1/decisions/{id}")).await.json();
    let path = format!("/v1/decisions/{id}/ask");
    let same = server.post(&path, &json!({"policy": "lru"})).await.json();
    assert_eq!(same["ranking"], whole["ranking"]);
    assert_eq!(same["policy"], whole["policy"]);
    assert_eq!(same["plan"], json!([whole["evicted"][0]["row"]]));
    assert_eq!(same["fault"], Value::Null);
    let other = server
        .post(&path, &json!({"policy": "hyperbolic"}))
        .await
        .json();
    assert!(other["policy"].as_str().unwrap().starts_with("hyperbolic "));
    let parameters = other["parameters"].as_array().unwrap();
    let first = &parameters[0];
    let (name, max) = (first["name"].as_str().unwrap(), &first["max"]);
    let set = json!({"policy": "hyperbolic", "params": {name: max}});
    let set = server.post(&path, &set).await.json();
    assert_eq!(&set["parameters"][0]["value"], max);
    for (body, status, part) in [
        (json!({"policy": "no-such"}), 404, "no-such"),
        (json!({"policy": "lru", "params": {"x": 1.0}}), 422, "`x`"),
        (json!({"policy": "LRU!"}), 400, "LRU!"),
        (json!({}), 400, "policy"),
    ] {
        let refused = server.post(&path, &body).await;
        let message = refused.json()["message"].as_str().unwrap().to_owned();
        assert_eq!(refused.status, status, "{body}: {message}");
        assert!(message.contains(part), "{body}: {message}");
    }
    // Nothing of it was a decision.
    let after = server.get("/v1/decisions").await.json();
    assert_eq!(after, page);
}

/// A stream of events: its text so far.
struct Stream {
    stream: TcpStream,
    text: String,
}

impl Stream {
    async fn open(server: &Server, query: &str, seen: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(server.admin).await.unwrap();
        let seen = seen.map_or_else(String::new, |id| format!("last-event-id: {id}\r\n"));
        let request = format!(
            "GET /v1/events{query} HTTP/1.1\r\nhost: {}\r\naccept: text/event-stream\r\n{seen}\r\n",
            server.admin
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut opened = Self {
            stream,
            text: String::new(),
        };
        opened.until("\r\n\r\n").await;
        opened
    }

    /// Reads until a text is there.
    async fn until(&mut self, part: &str) {
        let read = async {
            let mut buffer = [0; 4_096];
            while !self.text.contains(part) {
                let count = self.stream.read(&mut buffer).await.unwrap();
                assert!(count > 0, "{part:?} did not come: {}", self.text);
                self.text += std::str::from_utf8(&buffer[..count]).unwrap();
            }
        };
        within("the event", read).await;
    }

    /// The ids of the events so far.
    fn ids(&self) -> Vec<&str> {
        let ids = self
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("id: "));
        ids.collect()
    }

    /// Reads to the end of the stream.
    async fn end(mut self) -> String {
        let mut rest = Vec::new();
        within("the end", self.stream.read_to_end(&mut rest))
            .await
            .unwrap();
        self.text + &String::from_utf8(rest).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_streamed_and_continued() {
    let server = Setup::new().limit(2).policy("lru").start().await;
    let mut all = Stream::open(&server, "", None).await;
    assert!(
        all.text.contains("content-type: text/event-stream"),
        "{}",
        all.text
    );
    let _bob = server.enter("bob", "tab").await;
    let mut of_ann = Stream::open(&server, "?kinds=connected,refused&user=ann", None).await;
    let ann = server.enter("ann", "tab").await;
    all.until("\"user\":\"ann\"").await;
    of_ann.until("\"user\":\"ann\"").await;
    assert!(all.text.contains("event: connected"), "{}", all.text);
    assert!(!of_ann.text.contains("bob"), "{}", of_ann.text);
    let seen = all.ids().last().copied().unwrap().to_owned();
    drop(all);

    // What came meanwhile is told to the one that comes back, and nothing twice.
    ann.leave().await;
    let mut back = Stream::open(&server, "", Some(&seen)).await;
    back.until("event: ended").await;
    assert!(!back.ids().contains(&seen.as_str()), "{}", back.text);
    assert!(!back.text.contains("event: gap"), "{}", back.text);
    // One of another process cannot be continued, and hears so.
    let mut foreign = Stream::open(&server, "", Some("1-5")).await;
    foreign.until("event: gap").await;

    for (query, status, part) in [("?kinds=noise", 422, "`noise`"), ("?who=ann", 400, "who")] {
        let refused = server.get(&format!("/v1/events{query}")).await;
        assert_eq!(refused.status, status, "{query}");
        let message = refused.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(part), "{message}");
    }
    // A stop ends the streams at once, and well.
    let (_, text) = tokio::join!(server.stop(), back.end());
    assert!(text.ends_with("0\r\n\r\n"), "{text:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_have_a_limit() {
    let server = Setup::new().start().await;
    let mut open = Vec::new();
    for _ in 0..wastegate_control::admin::STREAMS_MAX {
        open.push(Stream::open(&server, "", None).await);
    }
    let refused = server.get("/v1/events").await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.json()["error"], "too-many-streams");
    // One that closes makes room.
    drop(open.pop());
    until_async("a place".to_owned(), async || {
        let mut stream = TcpStream::connect(server.admin).await.unwrap();
        let request = format!("GET /v1/events HTTP/1.1\r\nhost: {}\r\n\r\n", server.admin);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = [0; 15];
        stream.read_exact(&mut head).await.unwrap();
        head.ends_with(b"200 OK") || &head[9..12] == b"200"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_is_in_rings() {
    let (server, clients) = crowd().await;
    let mut past = Value::Null;
    until_async("a second of the past".to_owned(), async || {
        past = server.get("/v1/history").await.json();
        let connections = past["series"]["connections"].as_array().unwrap();
        connections.last().is_some_and(|last| *last == json!(2.0))
    })
    .await;
    assert_eq!(past["step_ms"], 1_000);
    let sum = |name: &str| -> f64 {
        let values = past["series"][name].as_array().unwrap();
        values.iter().filter_map(Value::as_f64).sum()
    };
    assert!((sum("admitted"), sum("refused")) == (3.0, 0.0), "{past}");
    assert!(sum("evicted") <= 1.0, "{past}");
    let lengths = past["series"].as_object().unwrap().values();
    let lengths: Vec<usize> = lengths.map(|all| all.as_array().unwrap().len()).collect();
    assert!(lengths.len() == 10 && lengths.windows(2).all(|two| two[0] == two[1]));
    let day = server.get("/v1/history?span=1d").await.json();
    assert_eq!(day["step_ms"], 10_000);
    let refused = server.get("/v1/history?span=1w").await;
    assert_eq!(refused.status, 400);
    drop(clients);
}
