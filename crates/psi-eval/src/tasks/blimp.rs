//! BLiMP: of two sentences that differ in one point of grammar, the right one is to be likelier.
//! Warstadt et al. 2020, arXiv 1912.00582.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::{Entry, Library, Wanted};
use crate::{
    readers::Line,
    scorers::{By, Highest},
    split::Split,
    task::{Choice, Item, OutputKind, Prompt, Request, Result, Span, Task},
};

pub(super) const ENTRY: Entry = Entry {
    name: "blimp",
    members: || MEMBERS.iter().map(|&m| m.to_owned()).collect(),
    help: "which of two sentences is grammatical, by their likelihood",
    licence: "CC BY (no licence file)",
    source: "alexwarstadt/blimp",
    output: OutputKind::Choices,
    splits: &[Split::Eval],
    open,
};

const MEMBERS: &[&str] = &[
    "adjunct_island",
    "anaphor_gender_agreement",
    "anaphor_number_agreement",
    "animate_subject_passive",
    "causative",
    "complex_NP_island",
    "coordinate_structure_constraint_complex_left_branch",
    "coordinate_structure_constraint_object_extraction",
    "determiner_noun_agreement_2",
    "determiner_noun_agreement_irregular_1",
    "determiner_noun_agreement_irregular_2",
    "determiner_noun_agreement_with_adj_2",
    "determiner_noun_agreement_with_adj_irregular_2",
    "determiner_noun_agreement_with_adjective_1",
    "distractor_agreement_relational_noun",
    "distractor_agreement_relative_clause",
    "ellipsis_n_bar_1",
    "ellipsis_n_bar_2",
    "existential_there_object_raising",
    "existential_there_quantifiers_1",
    "existential_there_subject_raising",
    "expletive_it_object_raising",
    "inchoative",
    "intransitive",
    "irregular_past_participle_verbs",
    "irregular_plural_subject_verb_agreement_1",
    "irregular_plural_subject_verb_agreement_2",
    "left_branch_island_echo_question",
    "matrix_question_npi_licensor_present",
    "npi_present_1",
    "npi_present_2",
    "only_npi_licensor_present",
    "passive_1",
    "passive_2",
    "principle_A_c_command",
    "principle_A_case_1",
    "principle_A_domain_1",
    "principle_A_domain_2",
    "principle_A_domain_3",
    "principle_A_reconstruction",
    "regular_plural_subject_verb_agreement_2",
    "sentential_negation_npi_licensor_present",
    "sentential_negation_npi_scope",
    "sentential_subject_island",
    "superlative_quantifiers_2",
    "tough_vs_raising_1",
    "tough_vs_raising_2",
    "transitive",
    "wh_questions_object_gap",
    "wh_questions_subject_gap",
    "wh_questions_subject_gap_long_distance",
    "wh_vs_that_no_gap",
    "wh_vs_that_with_gap",
    "wh_vs_that_with_gap_long_distance",
];

#[derive(Deserialize)]
struct Row {
    sentence_good: String,
    sentence_bad: String,
    #[serde(rename = "UID")]
    paradigm: String,
    #[serde(rename = "pairID")]
    pair: String,
}

fn open(library: &Library, wanted: &Wanted<'_>) -> Result<Task> {
    wanted.allow(false, false)?;
    let file = format!("blimp/data/{}.jsonl", wanted.member);
    let rows: Vec<Line<Row>> = library.rows(&file, &ENTRY)?;
    let items = rows.into_iter().map(|Line { value: row, .. }| {
        // Nothing stands before the sentence: a runner begins with the model's own first token.
        let sentence = |text: String| Choice { context: String::new(), continuation: text };
        let request = Request::Choices {
            choices: vec![sentence(row.sentence_good), sentence(row.sentence_bad)],
            span: Span::Continuation,
        };
        Item::new(row.pair, Prompt::default(), request, json!({ "gold": 0 }))
            .in_cluster(row.paradigm)
    });
    let scorer = Arc::new(Highest { by: By::Sum, baseline: 0.5 });
    Ok(Task::fixed(wanted.name, wanted.split, items.collect(), scorer).with_baseline(0.5))
}
