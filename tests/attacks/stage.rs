//! The program under attack, and the bystanders.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wastegate_core::types::Clock;
use wastegate_tests::harness::{Client, Dial, Program, within};

/// The program that is attacked.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_wastegate-under-test");

/// What a bystander waits at most: far more than it takes on a busy machine, far less than a person
/// would call an outage.
pub(crate) const NOTICED: Duration = Duration::from_secs(5);

/// What the program says, in the folder of its test.
const LOG: &str = "log";

/// A running server, with a client connected that has nothing to do with the attack.
pub(crate) struct Stage {
    pub(crate) program: Program,
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    bystander: Client,
    /// A folder for the files of a test, which goes with it.
    pub(crate) folder: TempDir,
    arrivals: u32,
    enter: Enter,
}

/// How a client that has nothing to do with the attack says who it is.
pub(crate) type Enter = Box<dyn Fn(Dial) -> Dial + Send>;

impl Stage {
    /// `wastegate serve` with these arguments, on ports of the system's choice, in development mode.
    pub(crate) async fn with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::within(folder, arguments).await
    }

    /// The same with files that are there already.
    pub(crate) async fn within(folder: TempDir, arguments: &[&str]) -> Self {
        Self::entering(folder, arguments, Box::new(|dial| dial)).await
    }

    /// The same where clients have to prove who they are.
    pub(crate) async fn entering(folder: TempDir, arguments: &[&str], enter: Enter) -> Self {
        let log = folder.path().join(LOG);
        let shell = format!("exec \"$0\" \"$@\" 2>{}", log.display());
        let mut all = vec!["-c", &shell, PROGRAM, "serve", "--json"];
        all.extend(["--listen=127.0.0.1:0", "--admin=127.0.0.1:0"]);
        all.extend(arguments);
        let mut program = Program::start("sh", &all);
        let welcome: Value = serde_json::from_str(&program.line().await).unwrap();
        let address = |name: &str| welcome[name].as_str().unwrap().parse().unwrap();
        let (public, admin) = (address("listen"), address("admin"));
        let bystander = enter(Dial::to(public, "bystander", "k"));
        let bystander = bystander.connect().await.unwrap();
        Self {
            program,
            public,
            admin,
            bystander,
            folder,
            arrivals: 0,
            enter,
        }
    }

    /// What the program has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join(LOG)).unwrap_or_default()
    }

    /// The client that was there talks, another one gets in, and `/healthz` answers: each in time.
    pub(crate) async fn unharmed(&mut self) {
        assert!(self.program.descriptors() > 0, "the program is gone");
        let clock = Clock::system();
        let since = clock.now();
        self.bystander.echo("still here").await;
        self.arrivals += 1;
        let user = format!("arrival-{}", self.arrivals);
        let arrival = (self.enter)(Dial::to(self.public, &user, "k"));
        let mut arrival = arrival.connect().await.unwrap();
        arrival.echo("in").await;
        let health = ask(
            self.admin,
            b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        );
        let health = health.await;
        assert!(health.starts_with("HTTP/1.1 200"), "{health}");
        let took = clock.now().since(since);
        assert!(
            took < NOTICED,
            "bystanders noticed: {took:?}\n{}",
            self.log()
        );
    }
}

/// Sends bytes and reads the answer to its end. The request has to ask for that.
pub(crate) async fn ask(address: SocketAddr, request: &[u8]) -> String {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        // A reset after the answer is an end, too.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    within("an answer", exchange).await
}
