"""Conversations about words that nobody has seen, so that a small model learns to copy instead of to remember.

    psi data synth --out base.jsonl --n 62000 --seed 9
    python3 recipes/nano/new_words.py base.jsonl BOOKS data/chat-new-words.jsonl

In four conversations of five, three quarters of the words that come from the generator's pools (names, things, places, foods, ...)
are replaced, the same everywhere in the conversation, by a word from the books or by an invented one. A quarter of the user's
messages get a few words in front. Conversations about letters and kinds of things stay as they are: their answers depend on the words.
"""

import collections
import json
import os
import random
import re
import sys

POOLS = os.path.join(os.path.dirname(__file__), "../../crates/psi-eval/src/skills/pools.rs")
KEPT = set(
    """the and for with from into under next behind inside above below near left put day monday tuesday wednesday thursday friday
    saturday sunday january february march april may june july august september october november december minute hour second metre
    meter mile gram ounce pound inch foot cup not you your what that this are was has have over off out one two three four five six
    seven eight nine ten yes her his she him will note name time best friend code number mark bill rose remember home new old spare
    main""".split()
)
IN_FRONT = """well,|so,|ok,|okay,|hm,|right,|listen,|also,|by the way,|just so,|look,|quick one:|one more thing:|tell me,|hey,|hello,|good morning,|
sorry,|now,|and,|psi,|assistant,|actually,|oh,|ah,|let me see,|next:|another one:|question:|small thing:|if you can,|when you have a moment,|i wonder,|
fine,|great,|thanks,|cool,|alright,|yes,|maybe you know:""".replace("\n", "").split("|")
ABOUT_WORDS = re.compile(r"letter|backward|spell|revers|alphabet|odd one|belong|kind of|fit", re.I)
WORD = re.compile(r"[A-Za-z]+")
ONSETS = "b br c cl d dr f fl g gr h j k l m n p pl r s sh sk st t tr v w z".split()
VOWELS = "a e i o u ai ea oo ou".split()
CODAS = ["", "n", "r", "l", "m", "t", "s", "ck", "nd", "rt", "x", "sh", "p", "b", "d"]


def pool():
    words = set()
    for text in re.findall(r'"([^"\n]+)"', open(POOLS).read()):
        words.update(w.lower() for w in re.split(r"[\s\-]+", text) if len(w) >= 3 and w.isalpha())
    return words - KEPT


def words_of(books):
    counts = collections.Counter()
    for name in sorted(os.listdir(books))[:60]:
        text = open(os.path.join(books, name), errors="ignore").read()[:300_000]
        counts.update(re.findall(r"\b[a-z]{3,10}\b", text))
    return [word for word, n in counts.items() if 3 <= n <= 400 and word not in KEPT]


def invented(rng):
    def syllable():
        return rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS)

    return "".join(syllable() for _ in range(rng.choice([1, 2, 2, 2, 3])))


def in_case_of(old, new):
    return new.capitalize() if old[0].isupper() else new


def replaced(value, mapping):
    if isinstance(value, str):
        return WORD.sub(lambda m: in_case_of(m[0], mapping.get(m[0].lower(), m[0])) if m[0].lower() in mapping else m[0], value)
    if isinstance(value, list):
        return [replaced(v, mapping) for v in value]
    if isinstance(value, dict):
        return {k: v if k in ("role", "type", "name") else replaced(v, mapping) for k, v in value.items()}
    return value


def main(source, books, out):
    rng = random.Random(7)
    known, words = sorted(pool()), words_of(books)
    with open(out, "w") as sink:
        for line in open(source):
            conversation = json.loads(line)
            messages = conversation["messages"]
            text = json.dumps(messages)
            if not ABOUT_WORDS.search(text) and rng.random() < 0.8:
                there = {w.lower() for w in WORD.findall(text)}
                mapping = {}
                for word in known:
                    if word in there and rng.random() < 0.75:
                        mapping[word] = rng.choice(words) if rng.random() < 0.6 else invented(rng)
                messages = replaced(messages, mapping)
            for message in messages:
                if message["role"] == "user" and rng.random() < 0.25:
                    message["content"] = f"{rng.choice(IN_FRONT)} {message['content']}"
            conversation["messages"] = messages
            sink.write(json.dumps(conversation) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
