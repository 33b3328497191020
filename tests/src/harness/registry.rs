//! A registry as operators run one: Debian's `docker-registry`, with a folder of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::wait::within;

/// A running registry on loopback. Dropped, it and all that it holds is gone.
pub struct Registry {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    _files: TempDir,
}

impl Registry {
    /// Starts one on a port of the system's choice and waits until it listens.
    ///
    /// # Panics
    /// If it does not, with the command that installs it if it is missing.
    pub async fn start() -> Self {
        let files = TempDir::new().unwrap();
        let config = files.path().join("config.yml");
        let storage = files.path().join("storage");
        let text = format!(
            "version: 0.1\n\
             log: {{ level: info, accesslog: {{ disabled: true }} }}\n\
             storage: {{ filesystem: {{ rootdirectory: {} }} }}\n\
             http: {{ addr: \"127.0.0.1:0\", secret: test }}\n",
            storage.display()
        );
        std::fs::write(&config, text).unwrap();
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "docker-registry: {error}; apt-get install docker-registry (tests/all.sh does)"
                )
            });
        let log = BufReader::new(child.stderr.take().unwrap());
        let (tell, told) = tokio::sync::oneshot::channel();
        // Its log is read to the end, or it would stop when the pipe is full.
        std::thread::spawn(move || {
            let mut tell = Some(tell);
            for line in log.lines().map_while(Result::ok) {
                if let Some(address) = listening(&line)
                    && let Some(tell) = tell.take()
                {
                    // Whoever waited may have given up.
                    let _ = tell.send(address);
                }
            }
        });
        let address = within("the registry to listen", told).await;
        Self {
            child,
            address: address.expect("the registry ended; see its log by running it"),
            _files: files,
        }
    }

    /// A reference to something in it.
    #[must_use]
    pub fn at(&self, rest: &str) -> String {
        format!("{}/{rest}", self.address)
    }
}

/// The address in `… msg="listening on 127.0.0.1:5000" …`.
fn listening(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listening on ")?;
    rest.split(['"', ' ', ',']).next()?.parse().ok()
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Ended already, or ended now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
