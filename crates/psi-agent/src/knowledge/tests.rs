//! Files that come, change and go, and what is found in them.

use std::{fs, path::PathBuf};

use serde_json::json;

use super::*;
use crate::{Cancel, Clock, tools::tests::context};

/// A PDF with one line of text on each page; an empty text makes a page without one, like a scan.
pub(crate) fn pdf(pages: &[&str]) -> Vec<u8> {
    let mut out = b"%PDF-1.4\n".to_vec();
    let mut offsets = Vec::new();
    let mut object = |out: &mut Vec<u8>, body: String| {
        offsets.push(out.len());
        out.extend(format!("{} 0 obj\n{body}\nendobj\n", offsets.len()).bytes());
    };
    let kids: Vec<String> = (0..pages.len()).map(|i| format!("{} 0 R", 4 + 2 * i)).collect();
    object(&mut out, "<< /Type /Catalog /Pages 2 0 R >>".into());
    object(
        &mut out,
        format!("<< /Type /Pages /Kids [{}] /Count {} >>", kids.join(" "), pages.len()),
    );
    object(
        &mut out,
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".into(),
    );
    for (i, text) in pages.iter().enumerate() {
        let page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >>";
        object(&mut out, format!("{page} /Contents {} 0 R >>", 5 + 2 * i));
        let draw = format!("BT /F1 12 Tf 72 720 Td ({text}) Tj ET");
        object(&mut out, format!("<< /Length {} >>\nstream\n{draw}\nendstream", draw.len()));
    }
    let start = out.len();
    out.extend(format!("xref\n0 {}\n0000000000 65535 f \n", offsets.len() + 1).bytes());
    offsets.iter().for_each(|at| out.extend(format!("{at:010} 00000 n \n").bytes()));
    let size = offsets.len() + 1;
    out.extend(
        format!("trailer << /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n").bytes(),
    );
    out
}

/// Words on two topics lie on two axes: enough to tell "tea" from "cars" without a common word.
struct Topics;

impl Embedder for Topics {
    fn name(&self) -> &str {
        "topics"
    }

    fn embed(&self, text: &str) -> Result<Vec<f32>, String> {
        let topics =
            [["tea", "cup", "beverage", "steep"], ["car", "engine", "automobile", "drive"]];
        let lower = text.to_lowercase();
        let count =
            |words: &[&str; 4]| words.iter().map(|w| lower.matches(w).count()).sum::<usize>();
        let vector = topics.each_ref().map(|words| count(words) as f32);
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-9);
        Ok(vector.map(|x| x / length).to_vec())
    }
}

struct Library {
    dir: tempfile::TempDir,
    knowledge: Knowledge,
    source: i64,
}

impl Library {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("docs")).unwrap();
        fs::create_dir(dir.path().join("home")).unwrap();
        let db = Db::open(&dir.path().join("home/psi.db"), Clock::fixed(Timestamp(0))).unwrap();
        let knowledge = Knowledge::new(db, Some(Arc::new(Topics)));
        let source = knowledge.add(&dir.path().join("docs")).unwrap();
        Self { dir, knowledge, source }
    }

    fn put(&self, path: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join("docs").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        psi_store::write_atomic(&path, bytes.as_ref()).unwrap();
        path
    }

    fn index(&self) -> Progress {
        self.knowledge.index(&Cancel::default(), &mut |_| ()).unwrap()
    }

    fn find(&self, query: &str) -> Vec<String> {
        self.knowledge.search(query, 3).unwrap().iter().map(Passage::citation).collect()
    }

    fn states(&self) -> Vec<(String, String)> {
        let documents = self.knowledge.documents(self.source).unwrap();
        documents.into_iter().map(|d| (d.path, d.state)).collect()
    }
}

#[test]
fn files_of_all_kinds_are_found_and_cited() {
    let library = Library::new();
    library.put("tea.md", "# Tea\n\nSteep green tea at 80 degrees.\n");
    library.put("sub/engine.rs", "fn drive() {}\n\n/// Starts the engine.\nfn start() {}\n");
    library.put(
        "page.html",
        "<html><body><script>x</script><p>The zebra sleeps standing.</p></body></html>",
    );
    library.put("people.csv", "name,town\nAda,Turin\nAlan,Wilmslow\n");
    library.put("report.pdf", pdf(&["Nothing here", "The walrus counts to seven"]));
    let progress = library.index();
    assert_eq!((progress.n_files, progress.n_files_done, progress.n_read), (5, 5, 5));
    assert_eq!((progress.running, progress.n_embedded > 0), (false, true));
    assert_eq!(library.find("zebra"), ["docs/page.html:1"]);
    assert_eq!(library.find("Where does Alan live, in Wilmslow?"), ["docs/people.csv:1-3"]);
    assert_eq!(library.find("walrus"), ["docs/report.pdf page 2"]);
    // No word in common: found by meaning.
    assert_eq!(library.find("automobile"), ["docs/sub/engine.rs:1-4"]);
    let hit = &library.knowledge.search("beverage", 1).unwrap()[0];
    assert_eq!((hit.word_rank, hit.vector_rank), (None, Some(1)));
    assert!(library.find("quaternion").is_empty() && library.find("\"(*").is_empty());
}

#[test]
fn a_citation_opens_at_its_bytes() {
    let library = Library::new();
    let filler = "Nothing of interest is written on this line.\n".repeat(100);
    let text = format!("{filler}\nThe secret ingredient is nutmeg — 5 °C.\n\n{filler}");
    library.put("long.txt", &text);
    library.put("scan.pdf", pdf(&["one page", "another page about nutmeg oil", "last"]));
    library.index();
    for hit in library.knowledge.search("nutmeg", 2).unwrap() {
        let (document, opened) = library.knowledge.open(hit.document).unwrap();
        assert_eq!(&opened[hit.bytes.0..hit.bytes.1], hit.text);
        assert!(hit.text.contains("nutmeg"));
        if document.path == "long.txt" {
            assert_eq!(opened, text);
            let lines: Vec<&str> = text.lines().collect();
            assert!(lines[hit.lines.0 - 1..hit.lines.1].join("\n").contains("nutmeg"));
        } else {
            assert_eq!(hit.page, Some(2));
        }
    }
    assert!(matches!(library.knowledge.open(999), Err(AgentError::NotFound { .. })));
}

#[test]
fn only_what_changed_is_read_again_and_what_is_gone_leaves() {
    let library = Library::new();
    let tea = library.put("tea.md", "Oolong is a tea.");
    library.put("car.md", "A car has wheels.");
    assert_eq!(library.index().n_read, 2);
    assert_eq!(library.index().n_read, 0);
    library.put("tea.md", "Rooibos is no tea.");
    // The time of the last change is what tells: a file system may not tell two writes of one tick apart.
    let later = fs::metadata(&tea).unwrap().modified().unwrap() + std::time::Duration::from_secs(2);
    fs::File::options().write(true).open(&tea).unwrap().set_modified(later).unwrap();
    assert_eq!(library.index().n_read, 1);
    assert!(library.find("oolong").is_empty());
    assert_eq!(library.find("rooibos").len(), 1);
    // Another time, the same bytes: nothing is read into the index again.
    let later = later + std::time::Duration::from_secs(2);
    fs::File::options().write(true).open(&tea).unwrap().set_modified(later).unwrap();
    assert_eq!(library.index().n_read, 0);
    fs::remove_file(&tea).unwrap();
    assert_eq!(library.index().n_removed, 1);
    assert!(library.find("rooibos").is_empty());
    assert_eq!(library.states(), [("car.md".to_owned(), "indexed".to_owned())]);
}

#[test]
fn a_source_that_is_removed_leaves_no_byte_in_the_database() {
    let library = Library::new();
    library.put("secret.md", "The passphrase is xylophonebadger.");
    library.index();
    let files = || {
        let all = fs::read_dir(library.dir.path().join("home")).unwrap().map(|e| e.unwrap().path());
        let bytes: Vec<u8> =
            all.filter(|p| p.is_file()).flat_map(|p| fs::read(p).unwrap()).collect();
        memchr::memmem::find(&bytes, b"xylophonebadger").is_some()
    };
    assert!(files());
    library.knowledge.remove(library.source).unwrap();
    assert!(!files());
    assert!(library.find("passphrase").is_empty());
    assert!(library.knowledge.remove(library.source).is_err());
}

#[test]
fn scans_and_files_that_cannot_be_read_say_so() {
    let library = Library::new();
    library.put("scan.pdf", pdf(&["", ""]));
    library.put("broken.pdf", "%PDF-1.4 nothing");
    library.put("photo.jpg", b"\xff\xd8\xff\0\0");
    let bomb: Vec<u8> = "<div>".repeat(100_000).into();
    library.put("deep.html", bomb);
    let huge = fs::File::create(library.dir.path().join("docs/huge.log")).unwrap();
    huge.set_len(1 << 40).unwrap();
    let progress = library.index();
    assert_eq!((progress.n_not_text, progress.error.as_deref()), (1, None));
    let documents = library.knowledge.documents(library.source).unwrap();
    let why: Vec<(&str, &str, &str)> = documents
        .iter()
        .map(|d| (d.path.as_str(), d.state.as_str(), d.why.as_deref().unwrap_or("")))
        .collect();
    let [broken, deep, huge, photo, scan] = why.as_slice() else { panic!("{why:?}") };
    assert_eq!((broken.0, broken.1), ("broken.pdf", "failed"));
    assert!(deep.2.contains("nests"), "{deep:?}");
    assert!(huge.2.contains("bytes"), "{huge:?}");
    assert_eq!(photo.2, "it is not a file of text");
    assert_eq!(scan.1, "no_text");
    assert!(scan.2.contains("a scan"), "{scan:?}");
    let source = &library.knowledge.sources().unwrap()[0];
    assert_eq!((source.n_documents, source.n_failed), (0, 5));
}

/// T29: a link in an indexed folder does not bring in what it points to.
#[test]
#[cfg(unix)]
fn t29_links_out_of_a_source_are_not_indexed() {
    let library = Library::new();
    psi_store::write_atomic(&library.dir.path().join("outside.md"), b"walrus").unwrap();
    std::os::unix::fs::symlink("../outside.md", library.dir.path().join("docs/link.md")).unwrap();
    std::os::unix::fs::symlink("..", library.dir.path().join("docs/up")).unwrap();
    library.put(".env", "walrus");
    library.index();
    assert!(library.find("walrus").is_empty());
    assert!(library.states().is_empty());
}

#[test]
fn a_single_file_can_be_a_source() {
    let library = Library::new();
    let file = library.put("one.md", "The ibis wades.");
    library.put("other.md", "The ibis flies.");
    library.knowledge.remove(library.source).unwrap();
    library.knowledge.add(&file).unwrap();
    assert_eq!(library.knowledge.add(&file).unwrap(), library.knowledge.add(&file).unwrap());
    library.index();
    assert_eq!(library.find("ibis"), ["one.md:1"]);
    fs::remove_file(&file).unwrap();
    library.index();
    assert!(library.find("ibis").is_empty());
    assert!(library.knowledge.add(&library.dir.path().join("none")).is_err());
    for own in ["home", "home/psi.db", ""] {
        let refused = library.knowledge.add(&library.dir.path().join(own));
        assert!(refused.is_err_and(|e| e.to_string().contains("home") || own.is_empty()), "{own}");
    }
}

#[test]
fn indexing_runs_in_the_background_and_can_be_watched() {
    let library = Library::new();
    for i in 0..20 {
        library.put(&format!("{i}.md"), format!("tea number {i}"));
    }
    let background = Background::start(library.knowledge.clone()).unwrap();
    assert_eq!(background.progress(), Progress::default());
    background.refresh();
    let progress = background.wait();
    assert_eq!((progress.n_files_done, progress.n_embedded, progress.running), (20, 20, false));
    library.put("new.md", "the okapi");
    background.refresh();
    assert_eq!(background.wait().n_read, 1);
    assert_eq!(library.find("okapi").len(), 1);
}

#[test]
fn the_tool_numbers_its_passages_and_marks_them_as_of_others() {
    let library = Library::new();
    library.put("tea.md", "Steep the tea.");
    library.index();
    let tool = knowledge_tool(library.knowledge.clone());
    let answer = tool.call(&json!({"query": "steep"}), &context()).unwrap();
    assert_eq!(answer.text, "[1] docs/tea.md:1\nSteep the tea.");
    assert!(answer.untrusted);
    assert_eq!(answer.data["passages"][0]["file"], "docs/tea.md");
    let nothing = tool.call(&json!({"query": "zzz"}), &context()).unwrap();
    assert_eq!((nothing.text.as_str(), nothing.untrusted), ("nothing found", false));
    assert!(tool.call(&json!({}), &context()).is_err());
}
