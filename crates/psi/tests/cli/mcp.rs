//! `psi mcp`: servers added, shown and removed; and psi as the client of itself, over standard input and output.

use crate::program::Program;

#[test]
fn psi_connects_to_itself_over_standard_input_and_output() {
    let program = Program::new();
    let home = format!("PSI_HOME={}", program.path("other").display());
    let own = env!("CARGO_BIN_EXE_psi");
    let add = ["mcp", "add", "own", "--yes", "--env", &home, "--", own, "mcp"];
    program.run(&add).ok();
    let listed = program.run(&["mcp", "list"]).ok().stdout;
    assert!(listed.starts_with("own: PSI_HOME=") && listed.ends_with(" mcp\n"), "{listed}");
    let tools = program.run(&["mcp", "tools", "own"]).ok().stdout;
    for line in
        ["own speaks MCP 2025-11-25", "own__calculate: Evaluate arithmetic", "own__remember: "]
    {
        assert!(tools.contains(line), "no '{line}' in {tools}");
    }
    assert!(!tools.contains("own__read_page"), "{tools}");
    program.run(&add).failed(2, &["there is a server own already"]);
    program.run(&["mcp", "remove", "own"]).ok();
    program.run(&["mcp", "remove", "own"]).failed(2, &["there is no server own"]);
}

#[test]
fn a_server_is_not_added_unasked_or_unchecked() {
    let program = Program::new();
    program.run(&["mcp", "add", "x", "--", "run"]).failed(2, &["nobody to ask", "--yes"]);
    program.run(&["mcp", "add", "BAD", "--yes", "--", "run"]).failed(2, &["lower-case"]);
    program.run(&["mcp", "add", "x", "--yes", "--url", "file:///etc"]).failed(2, &["only http"]);
    let preload = ["mcp", "add", "x", "--yes", "--env", "LD_PRELOAD=x", "--", "run"];
    program.run(&preload).failed(2, &["LD_PRELOAD"]);
    let listed = program.run(&["mcp", "list"]).ok().stdout;
    assert_eq!(listed, "no servers; `psi mcp add` adds one\n");
}
