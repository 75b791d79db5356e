"""The language models that IFEval's reference judges by, in the form that psi-eval carries.

    python golden/ifeval_data.py PUNKT_JSON crates/psi-eval/data

`languages.tsv.gz`: the n-gram profiles of langdetect 1.0.9 (Apache-2.0). First one line per language: its name
and the numbers of 1-, 2- and 3-grams; then one line per n-gram: the n-gram, and for each language that has it
the language's line number (from 0) and the count.

`punkt_english.tsv.gz`: the English model of Punkt (Kiss and Strunk 2006) as the crate `punkt` 1.0.5 ships it in
`src/data/english.json` (MIT or Apache-2.0): lines that begin with `abbreviation`, `collocation`, `starter` or
`context` (a word and its orthographic contexts as bits).
"""

import gzip
import json
import pathlib
import sys

import langdetect


def write(path: pathlib.Path, lines: list[str]) -> None:
    # No name and no time in the header: the same input gives the same bytes.
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
        out.write("".join(line + "\n" for line in lines).encode())


def languages() -> list[str]:
    folder = pathlib.Path(langdetect.__file__).parent / "profiles"
    profiles = [json.loads(p.read_text("utf-8")) for p in sorted(folder.iterdir())]
    grams: dict[str, list[str]] = {}
    for i, profile in enumerate(profiles):
        for gram, count in profile["freq"].items():
            if 1 <= len(gram) <= 3:
                grams.setdefault(gram, []).append(f"{i} {count}")
    head = [" ".join([p["name"], *map(str, p["n_words"])]) for p in profiles]
    return head + [f"{gram}\t{' '.join(grams[gram])}" for gram in sorted(grams)]


def punkt(path: str) -> list[str]:
    model = json.loads(pathlib.Path(path).read_text("utf-8"))
    lines = [f"abbreviation\t{word}" for word in sorted(model["abbrev_types"])]
    lines += ["collocation\t" + "\t".join(pair) for pair in sorted(model["collocations"])]
    lines += [f"starter\t{word}" for word in sorted(model["sentence_starters"])]
    return lines + [f"context\t{w}\t{bits}" for w, bits in sorted(model["ortho_context"].items())]


def main() -> None:
    source, out = sys.argv[1], pathlib.Path(sys.argv[2])
    write(out / "languages.tsv.gz", languages())
    write(out / "punkt_english.tsv.gz", punkt(source))


if __name__ == "__main__":
    main()
