//! A writer killed at any moment leaves the old file or the new one, never a part of either.
//!
//! This program starts itself as the writer, kills it (SIGKILL on Unix) after a while that differs from
//! round to round, and looks at what is there. It has no test harness because the writer takes arguments.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a test says what it found")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use psi_store::{DType, SafeTensors, TensorSpec, safetensors, write_atomic};

const ROUNDS: u32 = 12;
/// Large enough that a kill often lands inside a write.
const LEN: usize = 1 << 20;
const N_TENSORS: u8 = 4;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let [_, mode, dir] = args.as_slice()
        && mode == "--write-until-killed"
    {
        write_until_killed(Path::new(dir));
    } else if args.iter().any(|a| a == "--list") {
        println!("a_killed_writer_leaves_whole_files: test");
    } else {
        a_killed_writer_leaves_whole_files();
    }
}

/// Replaces a plain file and a sharded checkpoint again and again, every time with other bytes.
fn write_until_killed(dir: &Path) {
    for generation in 0u8.. {
        write_atomic(&dir.join("plain"), &vec![generation; LEN]).unwrap();
        let mut w = safetensors::Writer::new();
        w.put("generation", &generation.to_string());
        (0..N_TENSORS).for_each(|i| {
            w.add(TensorSpec::new(&format!("t{i}"), DType::U8, &[LEN / 4]));
        });
        let mut sink = w.create_sharded(dir, LEN as u64 / 2).unwrap();
        for i in 0..N_TENSORS {
            sink.write(&format!("t{i}"), &vec![generation; LEN / 4]).unwrap();
        }
        sink.finish().unwrap();
        println!("{generation}"); // tells the parent that files are there
    }
}

fn a_killed_writer_leaves_whole_files() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = tmp.path();
    let (mut whole, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("--write-until-killed")
            .arg(dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The first generation is complete when the first line arrives.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        lines.next().unwrap().unwrap();
        std::thread::sleep(Duration::from_millis(u64::from(round * 7 % 31)));
        child.kill().unwrap();
        child.wait().unwrap();

        let plain = std::fs::read(dir.join("plain")).unwrap();
        assert_eq!(plain.len(), LEN, "round {round}");
        assert!(plain.iter().all(|b| *b == plain[0]), "round {round}: two generations in one file");
        // Shards are several files: a kill between their renames is refused, not mixed.
        match SafeTensors::open(dir) {
            Ok(st) => {
                whole += 1;
                let want: u8 = st.metadata()["generation"].parse().unwrap();
                let all = |t: psi_store::TensorView<'_>| t.data.iter().all(|b| *b == want);
                assert_eq!(st.n_tensors(), usize::from(N_TENSORS), "round {round}");
                assert!(st.tensors().all(all), "round {round}: two generations in one checkpoint");
            }
            Err(e) => {
                refused += 1;
                assert!(e.to_string().contains("no model.safetensors.index.json"), "{e}");
            }
        }
    }
    println!("{ROUNDS} kills: {whole} checkpoints whole, {refused} refused as incomplete");
}
