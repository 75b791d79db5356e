"""500 answers to IFEval prompts with the verdicts of lm-eval 0.4.13: `ifeval.jsonl`.

    python golden/ifeval.py DATA/evals/ifeval/input_data.jsonl PUNKT_JSON golden/ifeval.jsonl

PUNKT_JSON is `src/data/english.json` of the crate `punkt` 1.0.5, NLTK's English sentence model, so that nothing is
downloaded. Every answer is made for its prompt: some of the instructions are followed, some are broken, some are
followed in the first or last line only. The language is told by langdetect under ten seeds; where these disagree the
reference has no verdict, and neither where it draws a letter at random: `null`. Where an answer says a sentence
of the data set (the prompt again, or the words to end with), the argument's name stands for it in what is kept.
"""

import collections
import importlib.util
import json
import pathlib
import random
import re
import sys
import types

import langdetect
import nltk
from nltk.tokenize import punkt

nltk.download = lambda *_, **__: False  # the reference would fetch its sentence model when imported

N = 500
SEEDS = range(10)
SENTENCES_OF_THE_DATA = {"prompt_to_repeat", "end_phrase"}
SENTENCES = [
    "The river was calm that morning.",
    "Dr. Brown walked to the station at 5.30 p.m. and bought a ticket.",
    "Nobody knew why the lamp was still burning!",
    "Is there a better way to spend an afternoon?",
    "My neighbour keeps bees, cats and an old bicycle.",
    "In the U.S. it rained for weeks; in NASA's labs nobody noticed.",
    "She said \"wait for me\" and closed the door.",
    "A small boat drifted past the bridge...",
    "We counted 3,141 steps to the top.",
    "The committee (all seven of them) agreed at once.",
    "It's hard to say what THE reason was.",
    "Everyone can't be right all the time.",
    "The last train leaves at nine.",
    "Bread was cheap, e.g. two coins a loaf.",
    "J. Smith wrote the letter on Monday.",
    "Winter came early and stayed long.",
]
LANGUAGES = {
    "hi": "यह एक छोटी कहानी है। एक किसान अपने खेत में रोज़ काम करता था और शाम को घर लौटता था।",
    "kn": "ಇದು ಒಂದು ಸಣ್ಣ ಕಥೆ. ಒಬ್ಬ ರೈತ ಪ್ರತಿದಿನ ತನ್ನ ಹೊಲದಲ್ಲಿ ಕೆಲಸ ಮಾಡುತ್ತಿದ್ದನು.",
    "mr": "ही एक छोटी गोष्ट आहे. एक शेतकरी रोज आपल्या शेतात काम करत असे आणि संध्याकाळी घरी येत असे.",
    "vi": "Đây là một câu chuyện nhỏ. Người nông dân làm việc trên cánh đồng mỗi ngày và về nhà vào buổi tối.",
    "ko": "이것은 작은 이야기입니다. 농부는 매일 밭에서 일하고 저녁에 집으로 돌아왔습니다.",
    "sw": "Hii ni hadithi fupi. Mkulima alifanya kazi shambani kila siku na kurudi nyumbani jioni.",
    "de": "Das ist eine kleine Geschichte. Der Bauer arbeitete jeden Tag auf dem Feld und kam abends nach Hause.",
    "pa": "ਇਹ ਇੱਕ ਛੋਟੀ ਕਹਾਣੀ ਹੈ। ਕਿਸਾਨ ਹਰ ਰੋਜ਼ ਆਪਣੇ ਖੇਤ ਵਿੱਚ ਕੰਮ ਕਰਦਾ ਸੀ।",
    "fa": "این یک داستان کوتاه است. کشاورز هر روز در مزرعه کار می‌کرد و شب به خانه می‌آمد.",
    "ru": "Это короткая история. Крестьянин каждый день работал в поле и вечером возвращался домой.",
    "bg": "Това е кратка история. Селянинът работеше всеки ден на полето и вечер се връщаше у дома.",
    "pt": "Esta é uma pequena história. O agricultor trabalhava todos os dias no campo e voltava para casa à noite.",
    "gu": "આ એક નાની વાર્તા છે. ખેડૂત દરરોજ પોતાના ખેતરમાં કામ કરતો હતો.",
    "te": "ఇది ఒక చిన్న కథ. రైతు ప్రతిరోజూ తన పొలంలో పని చేసేవాడు.",
    "it": "Questa è una piccola storia. Il contadino lavorava ogni giorno nei campi e la sera tornava a casa.",
    "ar": "هذه قصة قصيرة. كان الفلاح يعمل كل يوم في الحقل ويعود إلى البيت في المساء.",
    "ta": "இது ஒரு சிறிய கதை. விவசாயி தினமும் தன் வயலில் வேலை செய்தார்.",
    "fi": "Tämä on pieni tarina. Maanviljelijä työskenteli joka päivä pellolla ja palasi illalla kotiin.",
    "ur": "یہ ایک چھوٹی سی کہانی ہے۔ کسان ہر روز اپنے کھیت میں کام کرتا تھا اور شام کو گھر آتا تھا۔",
    "th": "นี่คือเรื่องสั้น ชาวนาทำงานในนาทุกวันและกลับบ้านตอนเย็น",
    "ne": "यो एउटा सानो कथा हो। किसान हरेक दिन आफ्नो खेतमा काम गर्थ्यो र साँझ घर फर्कन्थ्यो।",
    "bn": "এটি একটি ছোট গল্প। কৃষক প্রতিদিন তার মাঠে কাজ করত এবং সন্ধ্যায় বাড়ি ফিরত।",
}


def sentence_model(path: pathlib.Path) -> punkt.PunktSentenceTokenizer:
    stored = json.loads(path.read_text("utf-8"))
    model = punkt.PunktParameters()
    model.abbrev_types = set(stored["abbrev_types"])
    model.collocations = {tuple(pair) for pair in stored["collocations"]}
    model.sent_starters = set(stored["sentence_starters"])
    model.ortho_context = collections.defaultdict(int, stored["ortho_context"])
    return punkt.PunktSentenceTokenizer(model)


def body(draw: random.Random, n_words: int) -> str:
    text, words = [], 0
    while words < n_words:
        sentence = draw.choice(SENTENCES)
        text.append(sentence)
        words += len(sentence.split())
        if draw.random() < 0.2:
            text.append("\n\n" if draw.random() < 0.7 else "\n")
    return " ".join(text).replace(" \n", "\n").replace("\n ", "\n").strip()


def shape(draw: random.Random, text: str, name: str, args: dict) -> str:
    """The text made to follow an instruction, or nearly."""
    off = draw.choice([0, 0, 0, -1, 1])
    kind = name.split(":")[1]
    if kind == "response_language":
        return LANGUAGES[args["language"]] if draw.random() < 0.8 else text
    if kind in ("existence", "forbidden_words"):
        words = args.get("keywords") or args.get("forbidden_words")
        return text + " " + " ".join(draw.sample(words, max(0, len(words) + min(off, 0)))) + "."
    if kind == "frequency":
        return text + (" " + args["keyword"]) * max(0, args["frequency"] + off) + "."
    if kind == "letter_frequency":
        return text + " " + args["letter"] * max(0, args["let_frequency"] // 2 + off)
    if kind == "number_paragraphs":
        return "\n***\n".join([body(draw, 8) for _ in range(max(1, args["num_paragraphs"] + off))])
    if kind == "nth_paragraph_first_word":
        parts = [body(draw, 6).replace("\n", " ") for _ in range(max(1, args["num_paragraphs"] + off))]
        nth = min(args["nth_paragraph"], len(parts)) - 1
        parts[nth] = args["first_word"].capitalize() + ", " + parts[nth]
        return "\n\n".join(parts)
    if kind == "number_placeholders":
        return text + " [name]" * max(0, args["num_placeholders"] + off)
    if kind == "postscript":
        return text + "\n\n" + draw.choice([args["postscript_marker"], "P.S", "PS"]) + " Do not forget the milk."
    if kind == "number_bullet_lists":
        mark = draw.choice(["* ", "- "])
        return text + "".join(f"\n{mark}point {i}" for i in range(max(0, args["num_bullets"] + off)))
    if kind == "constrained_response":
        return draw.choice(["My answer is yes.", "My answer is no.", "My answer is perhaps.", "I think: My answer is maybe."])
    if kind == "number_highlighted_sections":
        mark = draw.choice(["*", "**"])
        return text + "".join(f" {mark}part {i}{mark}" for i in range(max(0, args["num_highlights"] + off)))
    if kind == "multiple_sections":
        return "\n".join(f"{args['section_spliter']} {i + 1}\n{body(draw, 5)}" for i in range(max(1, args["num_sections"] + off)))
    if kind == "json_format":
        inside = json.dumps({"answer": text[:60], "list": [1, 2.5, None, True]}, indent=1)
        return draw.choice([inside, f"```json\n{inside}\n```", f"Here it is:\n{inside}", inside + ","])
    if kind == "title":
        return draw.choice(["<<A title>>", "<< >>", "<A title>", "<<one>> and <<two>>"]) + "\n" + text
    if kind == "two_responses":
        return text + draw.choice(["\n******\n", "\n***\n", "******"]) + (text if draw.random() < 0.2 else body(draw, 10))
    if kind == "repeat_prompt":
        return draw.choice(["", " ", "Sure. "]) + "<prompt_to_repeat>" + "\n\n" + text
    if kind == "end_checker":
        return text + " <end_phrase>" + draw.choice(["", "", '"', " Bye."])
    if kind == "capital_word_frequency":
        count = max(0, min(args["capital_frequency"], 25) + off)
        return text + " " + " ".join(draw.choice(["NASA", "STOP", "CAN'T", "U.S.", "A"]) for _ in range(count)) + "."
    if kind == "english_capital":
        return text.upper()
    if kind == "english_lowercase":
        return text.lower()
    if kind == "no_comma":
        return text.replace(",", "") if draw.random() < 0.8 else text
    if kind == "quotation":
        return f'"{text}"' if draw.random() < 0.8 else f'"{text}'
    return text


def answer(draw: random.Random, row: dict) -> str:
    n_words = draw.choice([12, 25, 40, 60])
    for name, args in zip(row["instruction_id_list"], row["kwargs"]):
        if name.endswith("number_words") and draw.random() < 0.5:
            n_words = min(max(5, args["num_words"] + draw.choice([-3, 0, 4])), 420)
        if name.endswith("number_sentences") and draw.random() < 0.5:
            n_words = min(8 * args["num_sentences"], 300)
    text = body(draw, n_words)
    if draw.random() < 0.15:
        text = "\n".join(SENTENCES[:2]) + "\n\n" + text
    for name, args in sorted(zip(row["instruction_id_list"], row["kwargs"]), key=lambda _: draw.random()):
        if draw.random() < 0.85:
            text = shape(draw, text, name, args)
    wrap = draw.random()
    if wrap < 0.12:
        text = "Sure, here it is:\n" + text
    elif wrap < 0.2:
        text = text + "\nI hope this helps, friend."
    elif wrap < 0.24:
        text = "**" + text + "**"
    return text


def main() -> None:
    data, model, out = map(pathlib.Path, sys.argv[1:])
    # The checkers alone, without the harness around them and all that it imports.
    root = pathlib.Path(importlib.util.find_spec("lm_eval").submodule_search_locations[0])
    for name, folder in (("lm_eval", root), ("lm_eval.tasks", root / "tasks")):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [str(folder)]
    from lm_eval.tasks.ifeval import instructions_util, utils

    tokenizer = sentence_model(model)
    instructions_util._get_sentence_tokenizer = lambda: tokenizer
    nltk.tokenize._get_punkt_tokenizer = lambda *_: tokenizer
    rows = [json.loads(line) for line in data.read_text("utf-8").splitlines()]
    lines = []
    for row in rows[:N]:
        kept = answer(random.Random(row["key"]), row)
        response = kept
        for args in row["kwargs"]:
            for argument in args.keys() & SENTENCES_OF_THE_DATA:
                response = response.replace(f"<{argument}>", args[argument])
        inp = utils.InputExample(row["key"], row["instruction_id_list"], row["prompt"], row["kwargs"])
        golden = {"key": row["key"], "response": kept}
        for key, judge in (("strict", utils.test_instruction_following_strict), ("loose", utils.test_instruction_following_loose)):
            runs = []
            for seed in SEEDS:
                langdetect.DetectorFactory.seed = seed
                random.seed(seed)
                runs.append(judge(inp, response).follow_instruction_list)
            golden[key] = [v[0] if len(set(v)) == 1 else None for v in zip(*runs)]
        for i, args in enumerate(row["kwargs"]):
            if "letter" in args and not re.fullmatch("[A-Za-z]", args["letter"]):
                golden["strict"][i] = golden["loose"][i] = None
        lines.append(json.dumps(golden, ensure_ascii=False) + "\n")
    out.write_text("".join(lines), "utf-8")


if __name__ == "__main__":
    main()
