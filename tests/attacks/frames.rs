//! As much of frames as an attack needs.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wastegate_tests::harness::within;

/// Sends bytes, and reads until a Close comes: its code, or none if the connection ends without one.
pub(crate) async fn close_code(stream: TcpStream, rest: &[u8], bytes: Vec<u8>) -> Option<u16> {
    let (mut reader, mut writer) = stream.into_split();
    let send = async move {
        // A peer that has had enough takes no more.
        let _ = writer.write_all(&bytes).await;
        writer
    };
    let read = async {
        let mut all = rest.to_vec();
        loop {
            if let Some(code) = close_in(&all) {
                return Some(code);
            }
            match reader.read_buf(&mut all).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return None,
            }
        }
    };
    let (_writer, code) = within("a Close", async { tokio::join!(send, read) }).await;
    code
}

/// The code of the first Close in frames of a server that are all short.
fn close_in(mut bytes: &[u8]) -> Option<u16> {
    while let [first, length, rest @ ..] = bytes {
        let payload = rest.get(..usize::from(*length))?;
        if *first == 0x88 {
            let code = payload.first_chunk::<2>()?;
            return Some(u16::from_be_bytes(*code));
        }
        bytes = rest.get(payload.len()..)?;
    }
    None
}
