//! Memory: facts that follow one another, what is found, what is put before the model, forgetting.

use std::sync::Arc;

use psi_agent::{
    Conversations, Db, Draft, Memory, Message, NewConversation,
    memory::{Arm, Embedder, HashedNgrams, NewFact, Origin, recall_bench},
};

use crate::{database, holding};

struct Scene {
    dir: tempfile::TempDir,
    db: Db,
    memory: Memory,
    all: Conversations,
}

impl Scene {
    fn new() -> Self {
        let (dir, db) = database();
        let memory = Memory::new(&db, Arc::new(HashedNgrams));
        let all = Conversations::new(&db);
        Self { dir, db, memory, all }
    }

    /// Says something in a conversation of its own and draws facts from it.
    fn say(&self, text: &str) -> Message {
        let id = self.all.create(&NewConversation::default()).expect("a conversation").id;
        let message = self.all.append(id, None, &Draft::user(text)).expect("a message");
        self.memory.learn(&message).expect("learning");
        message
    }

    fn open(&self) -> Vec<String> {
        let facts = self.memory.list(false, 100, 0).expect("facts");
        facts.into_iter().map(|f| f.text).collect()
    }
}

#[test]
fn a_contradiction_closes_the_old_fact_and_keeps_it() {
    let scene = Scene::new();
    let first = scene.say("My name is Ada. I live in Paris.");
    scene.say("By the way, I moved to Rome");
    assert_eq!(scene.open(), ["I moved to Rome", "My name is Ada"]);
    let all = scene.memory.list(true, 10, 0).unwrap();
    let paris = all.iter().find(|f| f.value == "paris").unwrap();
    let rome = all.iter().find(|f| f.value == "rome").unwrap();
    assert_eq!(paris.sources, [first.id]);
    assert_eq!((paris.closed_by, paris.valid_to), (Some(rome.id), Some(rome.said_at)));

    scene.say("I no longer live in Rome");
    assert_eq!(scene.open(), ["My name is Ada"]);
}

#[test]
fn a_fact_that_began_earlier_does_not_end_one_that_began_later() {
    let scene = Scene::new();
    scene.say("I live in Rome since May 2020");
    scene.say("I live in Oslo since 2001");
    assert_eq!(scene.open(), ["I live in Rome since May 2020"]);
    let all = scene.memory.list(true, 10, 0).unwrap();
    let oslo = all.iter().find(|f| f.value == "oslo").unwrap();
    assert_eq!(oslo.valid_to.unwrap().to_string(), "2020-05-01T00:00:00Z");
}

#[test]
fn what_is_said_twice_is_one_fact_with_two_sources_and_friends_do_not_replace_each_other() {
    let scene = Scene::new();
    let (a, b) = (scene.say("my dog is Rex"), scene.say("My dog is called Rex!"));
    let facts = scene.memory.list(true, 10, 0).unwrap();
    assert_eq!((facts.len(), &facts[0].sources[..]), (1, &[a.id, b.id][..]));
    scene.say("my friend is Bob");
    scene.say("my friend is Eve");
    assert_eq!(scene.open().len(), 3);
}

#[test]
fn search_finds_by_words_and_by_pieces_of_words_and_says_how_well() {
    let scene = Scene::new();
    for text in ["my dog is Rex", "I love gardening", "I work at the lighthouse", "my car is red"] {
        scene.say(text);
    }
    let found = |query: &str| -> Vec<String> {
        let hits = scene.memory.search(query, false, 2).unwrap();
        hits.into_iter().map(|h| h.fact.text).collect()
    };
    assert_eq!(found("what is my dog called?")[0], "my dog is Rex");
    assert_eq!(found("lighthouses")[0], "I work at the lighthouse");
    assert_eq!(found("gardeners")[0], "I love gardening");
    assert_eq!(found("what is the capital of France?"), Vec::<String>::new());
    let hit = &scene.memory.search("dog", false, 1).unwrap()[0];
    assert_eq!(hit.full_text, Some(1));
    assert!(hit.score > 0.7 && hit.score <= 1.0 && hit.cosine.unwrap() > 0.3, "{hit:?}");
}

#[test]
fn a_question_about_a_time_finds_what_held_then() {
    let scene = Scene::new();
    scene.say("I live in Oslo since 2001");
    scene.say("I live in Rome since May 2020");
    let texts = |query: &str| -> Vec<String> {
        let hits = scene.memory.search(query, false, 5).unwrap();
        hits.into_iter().map(|h| h.fact.value).collect()
    };
    assert_eq!(texts("where do I live?"), ["rome"]);
    assert_eq!(texts("where did I live in 2010?"), ["oslo", "rome"], "first what held then");
}

#[test]
fn the_prompt_gets_pinned_facts_and_those_that_fit_but_not_what_was_just_said() {
    let scene = Scene::new();
    scene.say("my dog is Rex");
    scene.say("I speak Greek");
    let cat = scene.say("my cat is Tom, not my dog");
    let uses = scene.memory.for_prompt(&cat, 5).unwrap();
    let texts: Vec<&str> = uses.iter().map(|u| u.text.as_str()).collect();
    assert_eq!(texts, ["my dog is Rex"]);
    let greek = scene.memory.search("greek", false, 1).unwrap()[0].fact.id;
    scene.memory.pin(greek, true).unwrap();
    assert_eq!(scene.memory.for_prompt(&cat, 1).unwrap()[0].fact, greek);
    assert_eq!(scene.memory.for_prompt(&cat, 0).unwrap(), []);
}

#[test]
fn editing_and_merging_make_new_facts_of_the_old_ones() {
    let scene = Scene::new();
    let said = scene.say("my dog is Rex");
    let old = scene.memory.list(false, 1, 0).unwrap().remove(0);
    scene.memory.pin(old.id, true).unwrap();
    let new = scene.memory.edit(old.id, "my dog is Max").unwrap();
    assert_eq!((new.origin, new.pinned, new.value.as_str()), (Origin::User, true, "max"));
    assert_eq!(new.sources, [said.id]);
    assert_eq!(scene.memory.get(old.id).unwrap().closed_by, Some(new.id));
    assert!(scene.memory.edit(new.id, " . ").is_err());

    scene.say("I have a dog");
    let ids: Vec<i64> = scene.memory.list(false, 9, 0).unwrap().iter().map(|f| f.id).collect();
    assert_eq!(ids.len(), 2);
    scene.memory.merge(&ids, "I have a dog called Max").unwrap();
    assert_eq!(scene.open(), ["I have a dog called Max"]);
    assert!(scene.memory.merge(&ids[..1], "x y").is_err());
}

#[test]
fn what_is_forgotten_is_in_no_file_with_its_vector_and_its_index_entries() {
    let scene = Scene::new();
    let now = scene.db.now();
    let keep = |text: &str| {
        let fact = NewFact::new(text, Origin::User, now);
        scene.memory.keep(&fact).unwrap().unwrap()
    };
    keep("the boat is called Marmalade");
    let secret = keep("the vault opens with quetzalcoatl");
    let edited = scene.memory.edit(secret.id, "the vault opens with quetzalcoatl seven").unwrap();
    let vector = HashedNgrams.embed("the vault opens with quetzalcoatl seven").unwrap();
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    // A stretch of the vector that no other vector has.
    let at = vector.windows(40).position(|w| w.iter().filter(|x| **x != 0.0).count() >= 2).unwrap();
    let stretch = &bytes[at * 4..(at + 40) * 4];
    scene.db.scrub().unwrap();
    assert!(!holding(scene.dir.path(), b"quetzalcoatl").is_empty());
    assert!(!holding(scene.dir.path(), stretch).is_empty(), "the test knows the vector");

    scene.memory.forget(edited.id).unwrap();
    for trace in [&b"quetzalcoatl"[..], b"quetzal", b"vault", stretch] {
        assert_eq!(holding(scene.dir.path(), trace), Vec::<String>::new());
    }
    assert!(!holding(scene.dir.path(), b"Marmalade").is_empty());
    assert!(scene.memory.get(secret.id).is_err() && scene.memory.get(edited.id).is_err());
    assert!(scene.memory.search("vault", true, 5).unwrap().is_empty());
}

#[test]
fn a_word_of_the_user_forgets_and_says_where_traces_are() {
    let scene = Scene::new();
    let said = scene.say("my dog is Rex");
    scene.say("my cat is Tom");
    scene.say("Please forget that my dog is Rex");
    assert_eq!(scene.open(), ["my cat is Tom"]);
    let traces = scene.memory.traces("my dog is Rex").unwrap();
    assert_eq!(traces[0], said.id);
}

#[test]
fn a_fact_goes_with_its_last_source_unless_the_user_made_it_theirs() {
    let scene = Scene::new();
    let dog = scene.say("my dog is Rex");
    let cat = scene.say("my cat is Tom");
    let again = scene.say("my cat is Tom");
    let id = scene.memory.search("dog", false, 1).unwrap()[0].fact.id;
    scene.memory.pin(id, true).unwrap();
    scene.all.delete(dog.conversation).unwrap();
    scene.all.delete(cat.conversation).unwrap();
    assert_eq!(scene.open(), ["my dog is Rex", "my cat is Tom"]);
    scene.all.delete(again.conversation).unwrap();
    assert_eq!(scene.open(), ["my dog is Rex"]);
}

#[test]
fn nothing_is_drawn_from_tools_assistants_or_pasted_texts() {
    let scene = Scene::new();
    let id = scene.all.create(&NewConversation::default()).unwrap().id;
    let drafts = [
        Draft::assistant("My name is Eve."),
        Draft::tool("c", "My name is Eve."),
        Draft::user(&format!("{} My name is Eve.", "word ".repeat(300))),
    ];
    for draft in drafts {
        let message = scene.all.append(id, None, &draft).unwrap();
        assert_eq!(scene.memory.learn(&message).unwrap(), []);
    }
}

#[test]
fn the_answer_to_a_matching_question_is_found_through_it() {
    let scene = Scene::new();
    let id = scene.all.create(&NewConversation::default()).unwrap().id;
    let mut parent = None;
    let mut ids = Vec::new();
    for text in
        ["hello", "Where did you buy that bicycle?", "In a small place by the canal", "nice"]
    {
        let message = scene.all.append(id, parent, &Draft::user(text)).unwrap();
        parent = Some(message.id);
        ids.push(message.id);
    }
    let found = |arm| -> Vec<_> {
        let hits = scene.memory.episodes("Where was the bicycle bought?", arm, 2).unwrap();
        hits.iter().map(|h| h.message).collect()
    };
    assert_eq!(found(Arm::FullText), [ids[1]]);
    assert_eq!(found(Arm::Hybrid), [ids[1], ids[2]]);
}

#[test]
fn hybrid_retrieval_finds_more_evidence_than_words_or_vectors_alone() {
    let Some(data) = psi_testkit::shared_data() else { return };
    let text = std::fs::read_to_string(data.join("evals/locomo/locomo5.json")).unwrap();
    let samples: serde_json::Value = serde_json::from_str(&text).unwrap();
    // One conversation of the five is enough here; `psi memory bench` runs all.
    let one = serde_json::Value::Array(vec![samples[0].clone()]);
    let dir = tempfile::tempdir().unwrap();
    let embedder: Arc<dyn Embedder> = Arc::new(HashedNgrams);
    let table = recall_bench(dir.path(), &embedder, &one, None).unwrap();
    let recall = |arm: Arm| {
        let row = table.rows.iter().find(|r| r.arm == arm && r.kind == "all").unwrap();
        (row.recall_5, row.recall_10)
    };
    let best = recall(Arm::Temporal);
    for arm in [Arm::FullText, Arm::Vector] {
        let single = recall(arm);
        assert!(best.0 > single.0 && best.1 > single.1, "{arm:?}: {single:?} against {best:?}");
    }
    assert!(best.1 > 0.6, "{best:?}");
}
