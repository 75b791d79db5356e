//! Conversations: branches, titles, search, and deleting that deletes.

use psi_agent::{Conversations, Draft, Hit, Message, MessageState, NewConversation, TitleOrigin};

use crate::database;

fn texts(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|m| m.content.as_str()).collect()
}

#[test]
fn editing_and_asking_again_add_branches_and_keep_the_old_ones() {
    let (_dir, db) = database();
    let all = Conversations::new(&db);
    let id = all.create(&NewConversation::default()).unwrap().id;
    let ask = all.append(id, None, &Draft::user("How tall is the tower?")).unwrap();
    let first = all.append(id, Some(ask.id), &Draft::assistant("324 m")).unwrap();
    let again = all.append(id, Some(ask.id), &Draft::assistant("330 m")).unwrap();
    let thanks = all.append(id, Some(again.id), &Draft::user("Thanks")).unwrap();
    assert_eq!(texts(&all.branch(id).unwrap()), ["How tall is the tower?", "330 m", "Thanks"]);
    assert_eq!(all.siblings(first.id).unwrap(), [first.id, again.id]);

    let edited = all.append(id, None, &Draft::user("How old is it?")).unwrap();
    assert_eq!(texts(&all.branch(id).unwrap()), ["How old is it?"]);
    assert_eq!(all.siblings(edited.id).unwrap(), [ask.id, edited.id]);

    assert_eq!(all.show(first.id).unwrap(), first.id);
    assert_eq!(texts(&all.branch(id).unwrap()), ["How tall is the tower?", "324 m"]);
    assert_eq!(all.show(ask.id).unwrap(), thanks.id, "down to the newest answer each time");
    assert_eq!(all.get(id).unwrap().title, "How tall is the tower?");
}

#[test]
fn a_message_cannot_answer_one_of_another_conversation_or_none() {
    let (_dir, db) = database();
    let all = Conversations::new(&db);
    let one = all.create(&NewConversation::default()).unwrap().id;
    let two = all.create(&NewConversation::default()).unwrap().id;
    let message = all.append(one, None, &Draft::user("x")).unwrap();
    let error = all.append(two, Some(message.id), &Draft::user("y")).unwrap_err();
    assert!(error.to_string().contains("another conversation"), "{error}");
    assert!(all.all(two).unwrap().is_empty());
}

#[test]
fn a_title_the_user_gave_stays() {
    let (_dir, db) = database();
    let all = Conversations::new(&db);
    let id = all.create(&NewConversation::default()).unwrap().id;
    all.append(id, None, &Draft::user("hello there")).unwrap();
    assert_eq!(all.get(id).unwrap().title_origin, TitleOrigin::Rule);
    all.rename(id, "Mine", TitleOrigin::User).unwrap();
    all.rename(id, "A model's", TitleOrigin::Model).unwrap();
    assert_eq!(all.get(id).unwrap().title, "Mine");
}

#[test]
fn search_finds_words_beginnings_and_phrases_and_sees_no_answer_that_is_being_written() {
    let (_dir, db) = database();
    let all = Conversations::new(&db);
    let id = all.create(&NewConversation::default()).unwrap().id;
    let ask = all.append(id, None, &Draft::user("The Café near the river")).unwrap();
    let mut answer = Draft { state: MessageState::Streaming, ..Draft::assistant("The river flo") };
    let streaming = all.append(id, Some(ask.id), &answer).unwrap();
    let found = |query: &str| -> Vec<i64> {
        all.search(query, 10).unwrap().iter().map(|hit: &Hit| hit.message.0).collect()
    };
    assert_eq!(found("river"), [ask.id.0]);
    answer.content = "The river flows north".into();
    answer.state = MessageState::Complete;
    all.update(streaming.id, &answer).unwrap();
    assert_eq!(found("cafe"), [ask.id.0], "accents do not matter");
    assert_eq!(found("rive").len(), 2);
    assert_eq!(found("rive "), Vec::<i64>::new());
    assert_eq!(found("\"river flows\""), [streaming.id.0]);
    assert_eq!(found("river OR"), Vec::<i64>::new(), "an operator is a word");
    let hit = &all.search("north", 1).unwrap()[0];
    assert_eq!(hit.snippet, format!("The river flows {}north{}", Hit::OPEN, Hit::CLOSE));

    let hidden = NewConversation { temporary: true, ..NewConversation::default() };
    let hidden = all.create(&hidden).unwrap().id;
    all.append(hidden, None, &Draft::user("a secret river")).unwrap();
    assert_eq!(found("secret"), Vec::<i64>::new());
    assert_eq!(all.count().unwrap(), 1);
}

#[test]
fn what_is_deleted_is_in_no_file() {
    let (dir, db) = database();
    let all = Conversations::new(&db);
    let keep = all.create(&NewConversation::default()).unwrap().id;
    all.append(keep, None, &Draft::user("marmalade")).unwrap();
    let id = all.create(&NewConversation::default()).unwrap().id;
    let mut parent = None;
    for i in 0..200 {
        let text = format!("xylophone{i} lighthouse quetzalcoatl");
        parent = Some(all.append(id, parent, &Draft::user(&text)).unwrap().id);
    }
    let holding = |word: &str| crate::holding(dir.path(), word.as_bytes());
    assert!(!holding("quetzalcoatl").is_empty(), "the test looks where the text is");
    let middle = all.branch(id).unwrap()[100].id;
    all.delete_message(middle).unwrap();
    assert_eq!(all.branch(id).unwrap().len(), 100);
    assert_eq!(holding("xylophone150"), Vec::<String>::new());
    assert!(!holding("xylophone50").is_empty());

    all.delete(id).unwrap();
    for word in ["quetzalcoatl", "xylophone", "quetzal"] {
        assert_eq!(holding(word), Vec::<String>::new(), "{word}");
    }
    assert!(!holding("marmalade").is_empty());
    assert!(all.get(id).is_err() && all.search("lighthouse", 5).unwrap().is_empty());
}

#[test]
fn what_another_process_left_half_written_is_marked_when_nobody_else_writes() {
    let (dir, db) = database();
    let all = Conversations::new(&db);
    let id = all.create(&NewConversation::default()).unwrap().id;
    let draft = Draft { state: MessageState::Streaming, ..Draft::assistant("The answ") };
    let message = all.append(id, None, &draft).unwrap().id;
    let reopen = || {
        let clock = psi_agent::Clock::fixed(psi_agent::Timestamp(0));
        psi_agent::Db::open(&dir.path().join("psi.db"), clock).unwrap()
    };
    let beside = reopen();
    assert_eq!(all.message(message).unwrap().state, MessageState::Streaming, "its writer lives");
    drop((all, db, beside));
    let all = Conversations::new(&reopen());
    let left = all.message(message).unwrap();
    assert_eq!((left.state, left.content.as_str()), (MessageState::Interrupted, "The answ"));
    assert_eq!(all.search("answ", 1).unwrap().len(), 1, "and it is found");
}

#[test]
fn an_export_comes_back_whole_and_what_tools_said_counts_as_text_of_others() {
    let (_dir, db) = database();
    let all = Conversations::new(&db);
    let id = all.create(&NewConversation::default()).unwrap().id;
    let ask = all.append(id, None, &Draft::user("``` is a fence")).unwrap();
    all.append(id, Some(ask.id), &Draft::assistant("one")).unwrap();
    let mut tool = Draft::tool("c", "result");
    tool.details.run = Some(psi_agent::ToolRun {
        name: "look".into(),
        effect: psi_agent::Effect::None,
        ok: true,
        approval: "none_needed".into(),
        duration_ms: 1,
        arguments: serde_json::json!({}),
        untrusted: false,
        data: serde_json::Value::Null,
    });
    all.append(id, Some(ask.id), &tool).unwrap();
    let document = all.export(&[id]).unwrap();
    let copy = all.import(&document).unwrap()[0];
    assert_eq!(texts(&all.branch(copy).unwrap()), texts(&all.branch(id).unwrap()));
    assert_eq!(all.all(copy).unwrap().len(), 3, "with its branches");
    assert!(all.branch(copy).unwrap()[1].details.run.as_ref().unwrap().untrusted);
    let text = all.to_markdown(copy).unwrap();
    assert!(text.contains("## look") && text.contains("```\nresult\n```"), "{text}");
    assert_eq!(all.search("fence", 5).unwrap().len(), 2);

    let mut broken = document.clone();
    broken["conversations"][0]["messages"][1]["parent"] = serde_json::json!(99);
    let error = all.import(&broken).unwrap_err();
    assert!(error.to_string().contains("names 99"), "{error}");
    assert_eq!(all.count().unwrap(), 2, "all or nothing");
    assert!(all.import(&serde_json::json!({"format": "other"})).is_err());
}

#[test]
fn exports_of_other_assistants_come_in_with_their_branches() {
    let (_dir, db) = database();
    let all = Conversations::new(&db);
    let said = |role: &str, parent: &str, text: &str, at: f64| {
        serde_json::json!({ "parent": parent, "message": { "author": { "role": role }, "create_time": at,
            "content": { "content_type": "text", "parts": [text] }, "metadata": { "model_slug": "big" } } })
    };
    let chatgpt = serde_json::json!([{
        "title": "Pasta", "create_time": 1700000000.5, "current_node": "d",
        "mapping": {
            "root": { "parent": null, "message": null },
            "s": said("system", "root", "", 1.0),
            "a": said("user", "s", "How long?", 2.0),
            "t": { "parent": "a", "message": { "author": { "role": "assistant" }, "create_time": 3.0,
                "content": { "content_type": "thoughts", "thoughts": [{ "content": "nine minutes?" }] } } },
            "c": said("assistant", "a", "Ten minutes", 4.0),
            "d": said("assistant", "t", "Nine minutes", 5.0),
            "loop": said("user", "loop2", "nobody", 6.0),
            "loop2": said("user", "loop", "nobody", 7.0),
        },
    }]);
    let id = all.import(&chatgpt).unwrap()[0];
    assert_eq!(texts(&all.branch(id).unwrap()), ["How long?", "Nine minutes"]);
    assert_eq!(all.all(id).unwrap().len(), 3, "the other answer is a branch");
    assert_eq!(all.branch(id).unwrap()[1].reasoning, "nine minutes?");
    assert_eq!(all.get(id).unwrap().title, "Pasta");
    assert_eq!(all.branch(id).unwrap()[1].details.model.as_deref(), Some("big"));
    assert_eq!(all.branch(id).unwrap()[0].created_at.0, 2000);

    let claude = serde_json::json!([{ "name": "Tea", "created_at": "2026-01-02T03:04:05.678Z", "chat_messages": [
        { "sender": "human", "text": "Green?", "created_at": "2026-01-02T03:04:06Z" },
        { "sender": "assistant", "text": "Yes", "created_at": "2026-01-02T03:04:07Z" },
    ] }, { "name": "Empty", "created_at": "2026-01-02T03:04:05Z", "chat_messages": [] }]);
    let ids = all.import(&claude).unwrap();
    assert_eq!(ids.len(), 1, "one in which nothing was said is left");
    assert_eq!(texts(&all.branch(ids[0]).unwrap()), ["Green?", "Yes"]);

    let open_webui = serde_json::json!([{ "title": "Ink", "created_at": 1700000000, "chat": { "history": {
        "currentId": "2", "messages": {
            "1": { "parentId": null, "role": "user", "content": "Blue?", "timestamp": 1700000001 },
            "2": { "parentId": "1", "role": "assistant", "content": "Black", "timestamp": 1700000002, "model": "m" },
        } } } }]);
    let id = all.import(&open_webui).unwrap()[0];
    assert_eq!(texts(&all.branch(id).unwrap()), ["Blue?", "Black"]);

    let error = all.import(&serde_json::json!([{ "title": "?" }])).unwrap_err().to_string();
    assert!(error.contains("item 1") && error.contains("ChatGPT"), "{error}");
    assert_eq!(all.count().unwrap(), 3);
}
