//! Feedback: kept with the answer, written out with its exact prompt, gone with what it is about.

use std::sync::Arc;

use psi_agent::{
    Conversations, Db, Draft, Feedback, Memory, Message, NewConversation, Settings,
    feedback::{Rating, Tally},
    memory::{HashedNgrams, NewFact, Origin},
};
use serde_json::json;

use crate::{database, holding};

/// A question with two answers.
fn scene() -> (tempfile::TempDir, Db, Conversations, Message, [Message; 2]) {
    let (dir, db) = database();
    let all = Conversations::new(&db);
    let id = all.create(&NewConversation::default()).expect("a conversation").id;
    let ask = all.append(id, None, &Draft::user("How far is it?")).expect("a question");
    let answer = |text: &str| {
        let mut draft = Draft::assistant(text);
        draft.details.model = Some("small".into());
        draft.details.instructions = Some("Be exact.".into());
        all.append(id, Some(ask.id), &draft).expect("an answer")
    };
    let answers = [answer("Far."), answer("Twelve kilometres.")];
    (dir, db, all, ask, answers)
}

#[test]
fn a_judgement_grows_and_is_written_out_with_its_prompt() {
    let (_dir, db, _, ask, [bad, good]) = scene();
    let feedback = Feedback::new(&db);
    feedback.rate(bad.id, Some(Rating::Down)).unwrap();
    feedback.tag(bad.id, &["Wrong ".into(), "incomplete".into(), "wrong".into()]).unwrap();
    let kept = feedback.improve(bad.id, Some("It is 12 km.")).unwrap();
    assert_eq!((kept.rating, kept.tags.len()), (Some(Rating::Down), 2));
    feedback.choose(good.id, bad.id, false).unwrap();

    let exported = feedback.export().unwrap();
    assert_eq!(exported.lines.len(), 2);
    let line = &exported.lines[0];
    let prompt = json!([{"role": "system", "content": "Be exact."},
        {"role": "user", "content": "How far is it?"}]);
    assert_eq!(line["messages"], prompt);
    assert_eq!(line["completion"], json!({"role": "assistant", "content": "Far."}));
    assert_eq!(line["better"]["content"], "It is 12 km.");
    assert_eq!((&line["rating"], &line["model"]), (&json!("down"), &json!("small")));
    assert_eq!(line["tags"], json!(["incomplete", "wrong"]));
    assert_eq!(exported.lines[1]["rejected"]["content"], "Far.");

    assert!(feedback.rate(ask.id, Some(Rating::Up)).is_err(), "a question is no answer");
    assert!(feedback.improve(bad.id, Some(" Far. ")).is_err());
    assert!(feedback.choose(good.id, good.id, false).is_err());
    feedback.clear(bad.id).unwrap();
    assert_eq!(feedback.of(bad.id).unwrap(), None);
}

#[test]
fn without_consent_nothing_is_written_out_and_with_the_chat_its_feedback_goes() {
    let (dir, db, all, _, [_, good]) = scene();
    let feedback = Feedback::new(&db);
    Settings::new(&db).set("learning.consent", &json!(false)).unwrap();
    feedback.improve(good.id, Some("quetzalcoatl")).unwrap();
    let exported = feedback.export().unwrap();
    assert_eq!((exported.lines.len(), exported.n_without_consent), (0, 1));
    all.delete(good.conversation).unwrap();
    assert!(feedback.list().unwrap().is_empty());
    assert_eq!(holding(dir.path(), b"quetzalcoatl"), Vec::<String>::new());
}

#[test]
fn a_prompt_with_a_forgotten_fact_is_not_written_out() {
    let (_dir, db, all, ask, _) = scene();
    let memory = Memory::new(&db, Arc::new(HashedNgrams));
    let fact = NewFact::new("my house is by the lake", Origin::User, db.now());
    let fact = memory.keep(&fact).unwrap().unwrap();
    let mut draft = Draft::assistant("By the lake.");
    draft.details.memories = vec![fact.to_use(0.5)];
    let answer = all.append(ask.conversation, Some(ask.id), &draft).unwrap();
    let feedback = Feedback::new(&db);
    feedback.rate(answer.id, Some(Rating::Up)).unwrap();
    let line = &feedback.export().unwrap().lines[0];
    let system = line["messages"][0]["content"].as_str().unwrap();
    assert!(system.ends_with("- my house is by the lake"), "{system}");
    memory.forget(fact.id).unwrap();
    let exported = feedback.export().unwrap();
    assert_eq!((exported.lines.len(), exported.n_forgotten), (0, 1));
}

#[test]
fn the_queue_shows_what_went_badly_first_and_what_was_looked_at_no_more() {
    let (_dir, db, _, ask, [first, second]) = scene();
    let feedback = Feedback::new(&db);
    let queue =
        || -> Vec<i64> { feedback.queue(9).unwrap().iter().map(|item| item.answer.id.0).collect() };
    assert_eq!(queue(), [second.id.0, first.id.0]);
    assert_eq!(feedback.queue(1).unwrap()[0].question.as_ref().unwrap().id, ask.id);
    feedback.rate(first.id, Some(Rating::Down)).unwrap();
    assert_eq!(queue(), [first.id.0, second.id.0]);
    feedback.improve(first.id, Some("Near.")).unwrap();
    assert_eq!(queue(), [second.id.0]);
    assert_eq!(feedback.tally().unwrap(), Tally { n_rated: 1, n_better: 1, n_chosen: 0 });
    feedback.skip(second.id).unwrap();
    assert_eq!(queue(), Vec::<i64>::new());
}
