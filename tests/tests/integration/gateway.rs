//! In front of a backend that knows nothing of us: frames are handed on as they are.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame as RawFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use wastegate::manager::NoApplication;
use wastegate::tasks::Tasks;
use wastegate_tests::harness::{Server, Setup, until, within};

pub(crate) type Client = WebSocketStream<TcpStream>;

/// A server of somebody else: it echoes, says its request head if asked, and closes if told to.
async fn backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    Tasks::new().spawn("backend", async move {
        while let Ok((stream, _)) = listener.accept().await {
            Tasks::new().spawn("backend", serve(stream));
        }
    });
    address
}

async fn serve(stream: TcpStream) {
    let mut head = String::new();
    #[expect(clippy::result_large_err, reason = "it is what the library asks for")]
    let note = |request: &Request, mut response: Response| {
        head = format!("{} {:?}", request.uri(), request.headers());
        let offered = request.headers().get("sec-websocket-protocol");
        if offered.is_some_and(|offered| offered == "chat, other") {
            let chosen = "chat".parse().unwrap();
            response
                .headers_mut()
                .insert("sec-websocket-protocol", chosen);
        }
        Ok(response)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, note).await else {
        return;
    };
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Text(text) if text == "head" => {
                socket.send(Message::text(head.clone())).await.unwrap();
            }
            Message::Text(text) if text == "leave" => {
                let frame = CloseFrame {
                    code: 4_321.into(),
                    reason: "as told".into(),
                };
                let _ = socket.close(Some(frame)).await;
            }
            // Without a word.
            Message::Text(text) if text == "vanish" => return,
            Message::Text(_) | Message::Binary(_) => socket.send(message).await.unwrap_or_default(),
            _ => {}
        }
    }
}

pub(crate) async fn in_front_of(backend: SocketAddr, limit: u32) -> Server {
    let upstream = format!("ws://{backend}");
    Setup::new()
        .limit(limit)
        .impatient()
        .short_goodbyes()
        .application(NoApplication)
        .with(|config| {
            config.gateway.upstream = vec![upstream.parse().unwrap()];
            // Nobody is believed in what it says of others.
            config.gateway.trusted_proxies = Vec::new();
            config.gateway.upstream_timeout = Duration::from_millis(500);
        })
        .start()
        .await
}

pub(crate) async fn try_connect(
    server: &Server,
    key: &str,
    protocols: &str,
) -> Result<Client, Error> {
    let url = format!(
        "ws://{}/ws?user=ann&key={key}&device=d-{key}",
        server.address
    );
    let mut request = url.into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("x-wastegate-user", "mallory".parse().unwrap());
    headers.insert("x-forwarded-for", "10.9.9.9".parse().unwrap());
    headers.insert("x-tenant", "blue".parse().unwrap());
    if !protocols.is_empty() {
        headers.insert("sec-websocket-protocol", protocols.parse().unwrap());
    }
    let stream = TcpStream::connect(server.address).await?;
    client_async(request, stream)
        .await
        .map(|(client, _)| client)
}

pub(crate) async fn connect(server: &Server, key: &str) -> Client {
    try_connect(server, key, "").await.unwrap()
}

pub(crate) async fn text(client: &mut Client) -> String {
    loop {
        let next = within("a text", client.next()).await;
        match next.expect("a message").unwrap() {
            Message::Text(text) => return text.to_string(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The Close that a client hears.
pub(crate) async fn close(client: &mut Client) -> (u16, String) {
    loop {
        let next = within("a close", client.next()).await;
        match next.expect("a close").unwrap() {
            Message::Close(Some(frame)) => return (frame.code.into(), frame.reason.to_string()),
            Message::Close(None) => return (1_005, String::new()),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_headers_and_closes_go_through_both_ways() {
    let server = in_front_of(backend().await, 4).await;
    let mut client = try_connect(&server, "a", "chat, other").await.unwrap();
    client.send(Message::text("hello")).await.unwrap();
    assert_eq!(text(&mut client).await, "hello");
    // Larger than what is read at a time, and in fragments with a ping between them.
    let large = "x".repeat(60_000);
    for (opcode, last) in [
        (Data::Text, false),
        (Data::Continue, false),
        (Data::Continue, true),
    ] {
        let mut frame = RawFrame::message(large.clone(), OpCode::Data(Data::Text), last);
        frame.header_mut().opcode = OpCode::Data(opcode);
        client.send(Message::Frame(frame)).await.unwrap();
        client.send(Message::Ping("between".into())).await.unwrap();
    }
    assert_eq!(text(&mut client).await, large.repeat(3));
    client.send(Message::text("head")).await.unwrap();
    let head = text(&mut client).await;
    assert!(head.starts_with("/ws?user=ann&key=a&device=d-a "), "{head}");
    for said in [
        r#""x-tenant": "blue""#,
        r#""x-wastegate-user": "ann""#,
        r#""x-wastegate-key": "a""#,
    ] {
        assert!(head.contains(said), "{said}: {head}");
    }
    assert!(
        !head.contains("mallory") && !head.contains("10.9.9.9"),
        "{head}"
    );
    client.send(Message::text("leave")).await.unwrap();
    assert_eq!(close(&mut client).await, (4_321, "as told".to_owned()));
    server.holds("ann", 0).await;

    let mut client = connect(&server, "b").await;
    let frame = CloseFrame {
        code: 4_999.into(),
        reason: "enough".into(),
    };
    client.close(Some(frame)).await.unwrap();
    assert_eq!(
        close(&mut client).await.0,
        4_999,
        "the backend's answer comes back"
    );
    server.holds("ann", 0).await;
    until("all tasks to end", || server.registry.total() == 0).await;
}

/// The probes and evictions of the gateway, with a backend that is not touched for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_user_is_let_in_and_the_victim_hears_why() {
    let server = in_front_of(backend().await, 2).await;
    let mut first = connect(&server, "a").await;
    let mut second = connect(&server, "b").await;
    for client in [&mut first, &mut second] {
        client.send(Message::text("here")).await.unwrap();
        assert_eq!(text(client).await, "here");
    }
    // Both answer our pings, so one that is there has to go: whoever was quiet for longest.
    let listening = async {
        loop {
            match second.next().await {
                Some(Ok(Message::Ping(_))) => {}
                other => panic!("who stays heard {other:?}"),
            }
        }
    };
    let entering = async { tokio::join!(connect(&server, "c"), close(&mut first)) };
    let (third, told) = tokio::select! {
        entered = entering => entered,
        () = listening => unreachable!("it goes on"),
    };
    assert!((4_000..5_000).contains(&told.0), "{told:?}");
    let mut third = third;
    third.send(Message::text("me too")).await.unwrap();
    assert_eq!(text(&mut third).await, "me too");
    server.holds("ann", 2).await;
    second.send(Message::text("still")).await.unwrap();
    assert_eq!(text(&mut second).await, "still");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_fails_is_a_status_or_a_close() {
    let server = in_front_of(backend().await, 4).await;
    let mut client = connect(&server, "a").await;
    client.send(Message::text("vanish")).await.unwrap();
    assert_eq!(close(&mut client).await.0, 1_011);
    server.holds("ann", 0).await;

    // (what it answers, the status that the client hears)
    let answers = [
        ("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", 403),
        // A page is an answer of the backend too, and goes back as it is.
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200),
        ("SSH-2.0-OpenSSH_9.2\r\n", 502),
        (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
            502,
        ),
        ("", 504),
    ];
    for (answer, status) in answers {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = Tasks::new().spawn("backend", async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 2_048];
            let _ = stream.read(&mut head).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            // Until the gateway gives it up.
            while stream.read(&mut head).await.is_ok_and(|read| read > 0) {}
        });
        let server = in_front_of(address, 4).await;
        match try_connect(&server, "a", "").await {
            Err(Error::Http(response)) => {
                assert_eq!(response.status().as_u16(), status, "{answer}")
            }
            other => panic!("{answer}: {other:?}"),
        }
        server.holds("ann", 0).await;
        served.await.unwrap();
    }

    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let server = in_front_of(address, 4).await;
    let refused = try_connect(&server, "a", "").await.unwrap_err();
    assert!(matches!(refused, Error::Http(response) if response.status() == 502));
    server.holds("ann", 0).await;
}

/// Unmasked, too large, or silent: each has its end, and nothing of it reaches the backend's user.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_breaks_the_protocol_is_told_so() {
    let server = in_front_of(backend().await, 4).await;
    let mut client = connect(&server, "a").await;
    let stream = client.get_mut();
    stream.write_all(b"\x81\x05hello").await.unwrap();
    assert_eq!(close(&mut client).await.0, 1_002);
    server.holds("ann", 0).await;

    let mut client = connect(&server, "b").await;
    let large = vec![0; 1_024 * 1_024 + 1];
    client.send(Message::binary(large)).await.unwrap();
    assert_eq!(close(&mut client).await.0, 1_009);
    server.holds("ann", 0).await;

    // Half a frame for ever, from somebody whose kernel is there: other users go on.
    let mut half = connect(&server, "c").await;
    let stream = half.get_mut();
    stream.write_all(b"\x81\xfe\x01\x00abcdhalf").await.unwrap();
    let mut other = connect(&server, "d").await;
    other.send(Message::text("on")).await.unwrap();
    assert_eq!(text(&mut other).await, "on");
    drop(half);
    server.holds("ann", 1).await;
}

/// Whoever breaks the protocol is not waited for: what it still sends does not count, not even a Close.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_broke_the_protocol_is_hung_up_on() {
    let server = Setup::new()
        .application(NoApplication)
        .with(|config| config.connection.close_deadline = Duration::from_secs(60));
    let backend = backend().await;
    let server = server
        .with(|config| config.gateway.upstream = vec![format!("ws://{backend}").parse().unwrap()])
        .start()
        .await;
    let mut client = connect(&server, "a").await;
    let stream = client.get_mut();
    stream.write_all(b"\x81\x05hello").await.unwrap();
    let mut heard = Vec::new();
    let read = stream.read_to_end(&mut heard);
    within("the end of the connection", read).await.unwrap();
    assert_eq!(heard.get(..4), Some(&[0x88, 0x1d, 0x03, 0xea][..]));
    drop(client);
    server.holds("ann", 0).await;
}

/// A backend is told what it did wrong, as a client would tell it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_breaks_the_protocol_is_told_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let told = Tasks::new().spawn("backend", async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        // Masked, as only clients do.
        let stream = socket.get_mut();
        stream.write_all(b"\x81\x82abcdhi").await.unwrap();
        close(&mut socket).await
    });
    let server = in_front_of(address, 4).await;
    let mut client = connect(&server, "a").await;
    assert_eq!(close(&mut client).await.0, 1_011);
    assert_eq!(told.await.unwrap().0, 1_002);
    server.holds("ann", 0).await;
}
