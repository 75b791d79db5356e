//! Encryption at rest: what the assistant keeps is in no file in plain, and a home is converted whole or not at all.

use std::sync::Arc;

use psi_agent::{
    AgentError, Clock, Conversations, Cost, Db, Draft, Memory, NewConversation, Passphrase,
    Timestamp, VaultError, decrypt, encrypt,
    memory::{Arm, HashedNgrams},
};

use crate::{database, holding};

const SAID: &str = "My name is Ottilie. I live in Zanzibar.";

fn pass(text: &str) -> Passphrase {
    Passphrase::new(text)
}

fn clock() -> Clock {
    Clock::fixed(Timestamp(1_000))
}

/// Says something and remembers it.
fn say(db: &Db, text: &str) {
    let all = Conversations::new(db);
    let id = all.create(&NewConversation::default()).unwrap().id;
    let message = all.append(id, None, &Draft::user(text)).unwrap();
    Memory::new(db, Arc::new(HashedNgrams)).learn(&message).unwrap();
}

fn finds(db: &Db) -> usize {
    let memory = Memory::new(db, Arc::new(HashedNgrams));
    let found = Conversations::new(db).search("Zanzibar", 10).unwrap().len();
    let facts = memory.list(false, 10, 0).unwrap();
    assert_eq!(facts.iter().filter(|f| f.text.contains("Ottilie")).count(), 1);
    found
}

#[test]
fn a_home_is_encrypted_and_decrypted_with_everything_in_it() {
    let (dir, db) = database();
    say(&db, SAID);
    let path = db.path().to_owned();
    let busy = encrypt(&path, clock(), &pass("correct horse"), Cost::LEAST).unwrap_err();
    assert!(busy.to_string().contains("another psi"), "{busy}");
    drop(db);
    assert_eq!(holding(dir.path(), b"Zanzibar").len(), 1);
    encrypt(&path, clock(), &pass("correct horse"), Cost::LEAST).unwrap();
    let nowhere = |when: &str| {
        for word in ["Zanzibar", "zanzibar", "Ottilie", "ottilie", "SQLite", "CREATE"] {
            assert_eq!(holding(dir.path(), word.as_bytes()), [""; 0], "{word} {when}");
        }
    };
    nowhere("after encryption");
    assert!(matches!(Db::open(&path, clock()), Err(AgentError::Locked { .. })));
    let wrong = Db::unlock(&path, clock(), &pass("correct house")).unwrap_err();
    assert!(matches!(wrong, AgentError::Vault(VaultError::WrongPassphrase { .. })), "{wrong}");

    let db = Db::unlock(&path, clock(), &pass("correct horse")).unwrap();
    let other = Db::unlock(&path, clock(), &pass("correct horse")).unwrap();
    assert_eq!(finds(&db), 1);
    say(&other, "Zanzibar is warm in winter.");
    assert_eq!(Conversations::new(&db).search("Zanzibar", 10).unwrap().len(), 2);
    nowhere("while it is open");
    db.scrub().unwrap();
    nowhere("after a checkpoint");
    drop((db, other));
    nowhere("when it is closed");

    assert!(decrypt(&path, &pass("correct house")).is_err());
    decrypt(&path, &pass("correct horse")).unwrap();
    let db = Db::open(&path, clock()).unwrap();
    assert_eq!(Conversations::new(&db).search("Zanzibar", 10).unwrap().len(), 2);
    let again = decrypt(&path, &pass("correct horse"));
    assert!(again.is_err());
}

#[test]
fn what_a_conversion_that_died_left_is_removed_by_the_next_opening() {
    let (dir, db) = database();
    say(&db, SAID);
    let path = db.path().to_owned();
    drop(db);
    let beside = |name: &str| dir.path().join(name);
    let put = |name: &str, bytes: &[u8]| psi_store::write_atomic(&beside(name), bytes).unwrap();
    // Before the new file took its name: the old one has two.
    put("psi.db.new", b"half of it");
    std::fs::hard_link(&path, beside("psi.db.old")).unwrap();
    let db = Db::open(&path, clock()).unwrap();
    assert_eq!(finds(&db), 1, "removing the second name leaves the file");
    assert!(!beside("psi.db.new").exists() && !beside("psi.db.old").exists());
    drop(db);

    // After: the old one is still there under its second name.
    let plain = std::fs::read(&path).unwrap();
    encrypt(&path, clock(), &pass("correct horse"), Cost::LEAST).unwrap();
    put("psi.db.old", &plain);
    let db = Db::unlock(&path, clock(), &pass("correct horse")).unwrap();
    assert_eq!((finds(&db), holding(dir.path(), b"Zanzibar").len()), (1, 0));
    drop(db);

    // Somebody took the database away: what is left is not touched.
    put("psi.db.old", &plain);
    std::fs::remove_file(&path).unwrap();
    drop(Db::open(&path, clock()).unwrap());
    assert_eq!(std::fs::read(beside("psi.db.old")).unwrap(), plain);
}

#[test]
fn an_encrypted_database_searches_by_words_and_by_vectors() {
    let (dir, db) = database();
    let path = db.path().to_owned();
    drop(db);
    encrypt(&path, clock(), &pass("correct horse"), Cost::LEAST).unwrap();
    let db = Db::unlock(&path, clock(), &pass("correct horse")).unwrap();
    for i in 0..200 {
        say(&db, &format!("Zanzibar, and town {i}"));
    }
    let memory = Memory::new(&db, Arc::new(HashedNgrams));
    for arm in [Arm::FullText, Arm::Vector, Arm::Hybrid] {
        assert!(!memory.episodes("Zanzibar", arm, 5).unwrap().is_empty(), "{arm:?}");
    }
    assert_eq!(holding(dir.path(), b"anzibar"), [""; 0]);
}
