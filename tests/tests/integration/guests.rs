//! Every guest that misbehaves: refused when it is loaded, with a sentence that helps, or let in
//! and then unable to hurt anybody.

use wastegate_tests::guests::{self, guest, raw};
use wastegate_tests::harness::Setup;
use wastegate_tests::harness::setup::chain;

/// What loading those bytes comes to.
async fn load(bytes: &[u8]) -> Result<(), String> {
    match Setup::new().policy_bytes(bytes).try_start().await {
        Ok(_) => Ok(()),
        Err(error) => {
            let text = chain(&error);
            let told = text.strip_prefix("the policy was not accepted: ");
            Err(told.unwrap_or_else(|| panic!("{text}")).to_owned())
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn print() {
    for name in guests::ALL {
        println!("GUEST ({name:?}, {:?}),", load(guest(name)).await);
    }
    for (name, make) in raw::ALL {
        println!("RAW ({name:?}, {:?}),", load(&make()).await);
    }
}
