//! What a client may not do, and the code it is told.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// Sends bytes; returns the reason, and the code the client is told.
async fn close_of(bytes: &[u8], config: Config) -> (CloseReason, u16) {
    let (line, mut peer_socket) = Wiring {
        config,
        ..Wiring::default()
    }
    .bare();
    peer_socket.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let reading = async {
        // A Close frame of a server: two bytes of head, two of code, then the reason.
        while answer.len() < 4 && peer_socket.read_buf(&mut answer).await.unwrap() > 0 {}
        assert_eq!(answer[0], 0x88, "a Close and nothing else: {answer:?}");
        drop(peer_socket);
        u16::from_be_bytes([answer[2], answer[3]])
    };
    let (report, code) = tokio::join!(line.end(), reading);
    (report.reason, code)
}

#[tokio::test(start_paused = true)]
async fn broken_frames_are_1002() {
    let unmasked = [0x81, 1, b'x'];
    let reserved_opcode = raw_frame(0x83, b"x");
    let reserved_bit = raw_frame(0xc1, b"x");
    let lone_continuation = raw_frame(0x80, b"x");
    let split_ping = raw_frame(0x09, b"x");
    for bytes in [
        &unmasked[..],
        &reserved_opcode,
        &reserved_bit,
        &lone_continuation,
        &split_ping,
    ] {
        let message = close_of(bytes, Config::default()).await;
        assert_eq!(message, (CloseReason::ProtocolError, 1_002), "{bytes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn text_that_is_not_utf8_is_1007() {
    let message = close_of(&raw_frame(0x81, &[0xff, 0xfe]), Config::default()).await;
    assert_eq!(message, (CloseReason::InvalidPayload, 1_007));
}

/// By the head of the frame alone, before a byte of it is stored; or by the sum of its fragments.
#[tokio::test(start_paused = true)]
async fn what_is_too_big_is_1009() {
    let small = || Config {
        frame_bytes_max: Some(100),
        message_bytes_max: 150,
        ..Config::default()
    };
    let mut head_only = vec![0x82, 0x80 | 126];
    head_only.extend_from_slice(&101_u16.to_be_bytes());
    head_only.extend_from_slice(&[0; 4]);
    let message = close_of(&head_only, small()).await;
    assert_eq!(message, (CloseReason::MessageTooBig, 1_009));
    let mut fragments = raw_frame(0x02, &[0; 90]);
    fragments.extend_from_slice(&raw_frame(0x00, &[0; 90]));
    let message = close_of(&fragments, small()).await;
    assert_eq!(message, (CloseReason::MessageTooBig, 1_009));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_control_frames_is_1008() {
    let config = Config {
        control_frames_per_s_max: 10,
        ..Config::default()
    };
    let (line, mut socket) = Wiring {
        config,
        ..Wiring::default()
    }
    .open()
    .await;
    for _ in 0..3 {
        for _ in 0..10 {
            socket.send(Frame::Pong(Bytes::new())).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(line.port.end().is_none(), "ten in a second are allowed");
    for _ in 0..11 {
        socket.send(Frame::Ping(Bytes::new())).await.unwrap();
    }
    let (close, _) = read_to_close(&mut socket).await;
    assert_eq!(close.unwrap().0, 1_008);
    drop(socket);
    assert_eq!(line.end().await.reason, CloseReason::PolicyViolation);
}
