//! What holds for the shared document, on every engine.

use futures_util::future::join_all;
use wastegate_cluster::ledger::LedgerError;
use wastegate_cluster::shared::{Document, DocumentName, Newest, Replaced, mark};

use crate::bench::contract;

const POLICIES: DocumentName = DocumentName::Policies;

fn files(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

contract! {
    async fn a_document_replaces_the_one_that_it_was_made_from(b) {
        let shared = &b.shared;
        assert_eq!(shared.newest(POLICIES).await.unwrap(), Newest::default());
        assert_eq!(shared.document(POLICIES).await.unwrap(), None);
        assert_eq!(shared.replace(POLICIES, 0, b"one", &[]).await.unwrap(), Replaced::Now(1));
        assert_eq!(shared.replace(POLICIES, 0, b"late", &[]).await.unwrap(), Replaced::Newer(1));
        assert_eq!(shared.replace(POLICIES, 1, b"two", &[]).await.unwrap(), Replaced::Now(2));
        let (number, text) = (2, b"two".to_vec());
        let document = Document { number, text, files: vec![] };
        assert_eq!(shared.document(POLICIES).await.unwrap(), Some(document));
        let newest = Newest { number: 2, mark: mark(b"two") };
        assert_eq!(shared.newest(POLICIES).await.unwrap(), newest);
        assert_ne!(newest.mark, mark(b"three"));
    }

    async fn of_many_at_once_one_replaces_it(b) {
        let texts: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        let calls = texts.iter().map(|text| b.shared.replace(POLICIES, 0, text.as_bytes(), &[]));
        let answers: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
        let now = answers.iter().filter(|answer| **answer == Replaced::Now(1)).count();
        let newer = answers.iter().filter(|answer| **answer == Replaced::Newer(1)).count();
        assert_eq!((now, newer), (1, 19));
    }

    async fn files_are_there_while_a_document_names_them(b) {
        let shared = &b.shared;
        let bytes = vec![7; 100_000];
        for name in ["aa", "bb"] {
            shared.keep(name, &bytes).await.unwrap();
        }
        assert_eq!(shared.replace(POLICIES, 0, b"one", &files(&["aa", "bb"])).await.unwrap(), Replaced::Now(1));
        assert_eq!(shared.file("aa").await.unwrap(), Some(bytes.clone()));
        // One that stays needs not be kept again.
        assert_eq!(shared.replace(POLICIES, 1, b"two", &files(&["bb"])).await.unwrap(), Replaced::Now(2));
        assert_eq!(shared.file("aa").await.unwrap(), None);
        assert_eq!(shared.file("bb").await.unwrap(), Some(bytes));
    }

    async fn a_document_names_only_files_that_are_kept(b) {
        let shared = &b.shared;
        shared.keep("aa", b"bytes").await.unwrap();
        let refused = shared.replace(POLICIES, 0, b"one", &files(&["aa", "none"])).await;
        assert!(matches!(refused, Err(LedgerError::Refused(_))), "{refused:?}");
        assert_eq!(shared.newest(POLICIES).await.unwrap(), Newest::default());
    }

    async fn documents_have_numbers_and_texts_of_their_own(b) {
        let (shared, levers) = (&b.shared, DocumentName::Levers);
        shared.keep("aa", b"bytes").await.unwrap();
        shared.replace(POLICIES, 0, b"policies", &files(&["aa"])).await.unwrap();
        let secret = [0, 255, 10, 13];
        assert_eq!(shared.newest(levers).await.unwrap(), Newest::default());
        assert_eq!(shared.replace(levers, 0, &secret, &[]).await.unwrap(), Replaced::Now(1));
        assert_eq!(shared.replace(levers, 1, &secret, &[]).await.unwrap(), Replaced::Now(2));
        assert_eq!(shared.replace(levers, 1, b"late", &[]).await.unwrap(), Replaced::Newer(2));
        let document = Document { number: 2, text: secret.to_vec(), files: vec![] };
        assert_eq!(shared.document(levers).await.unwrap(), Some(document));
        // The files of the other one stay.
        assert_eq!(shared.newest(POLICIES).await.unwrap().number, 1);
        assert_eq!(shared.file("aa").await.unwrap(), Some(b"bytes".to_vec()));
    }
}
