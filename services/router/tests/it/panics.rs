//! What a fault of ours tells while a key is in hand.

use std::backtrace::Backtrace;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use keyward_proto::vault::v1::OwnerKind;

use crate::harness::{Harness, PLAIN};
use crate::upstream::Scripted;

/// What panics of this process have told, whichever test made them.
static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[tokio::test]
async fn a_panic_with_a_key_in_hand_says_nothing_of_it() {
    const KEY: &str = "sk-proj-canary-of-a-panic-0123456789";
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let text = format!("{info}\n{}", Backtrace::force_capture());
        TOLD.lock().unwrap().push(text);
        usual(info);
    }));
    let harness = Harness::start().await;
    harness.vault.add(OwnerKind::User, "openai", KEY);
    let repeated = format!("the key {KEY} is wrong");
    let answers = [Scripted::error(401, &repeated)];
    harness.upstream.script("openai", answers);
    harness.vault.0.panics.store(true, Ordering::SeqCst);
    let error = harness.call(PLAIN).await.unwrap_err();
    harness.stop().await;
    let told = TOLD.lock().unwrap().join("\n");
    assert!(told.contains("as it was told to"), "nothing panicked");
    assert!(!told.contains("canary"), "{told}");
    let answer = format!("{:?} {} {:?}", error.reason, error.message, error.facts);
    assert!(!answer.contains("canary"), "{answer}");
}
