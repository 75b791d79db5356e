"""Pairs of answers and whether math-verify 0.9.0 takes them for equal: `math_pairs.json`.

    python golden/math_pairs.py golden/math_pairs.json
"""

import json
import pathlib
import sys

from math_verify import parse, verify

PAIRS = [
    ("1,000", "1000"), ("\\text{east}", "east"), ("\\frac{\\sqrt{2}}{2}", "\\frac{1}{\\sqrt{2}}"),
    ("\\{1,2\\}", "\\{2,1\\}"), ("2x+1", "1+2x"), ("\\frac{2}{4}", "\\frac{1}{2}"), ("0.333", "\\frac{1}{3}"),
    ("10\\%", "10"), ("\\frac12", "0.5"), ("\\dfrac{1}{2}", "1/2"), ("3\\sqrt{13}", "\\sqrt{117}"),
    ("(1,2)", "(2,1)"), ("(1,2)", "(1, 2)"), ("[1,2)", "[1,2]"), ("(-\\infty,3]", "(-\\infty, 3]"),
    ("x=5", "5"), ("5", "x = 5"), ("x \\in [1,2]", "[1,2]"), ("y=2x+1", "2x+1"), ("y = 2x+1", "2x - y + 1 = 0"),
    ("90^\\circ", "90"), ("5\\text{ cm}", "5"), ("5 \\text{ cm}", "5\\text{ m}"), ("\\$32,348", "32348"),
    ("1,2,3", "3,2,1"), ("1, 2", "\\{1,2\\}"), ("2\\frac{1}{2}", "2.5"), ("\\pi", "3.14159"), ("\\pi", "3.14"),
    ("\\pm 3", "3,-3"), ("1\\pm\\sqrt{2}", "1+\\sqrt{2},1-\\sqrt{2}"), ("x^2+2x+1", "(x+1)^2"),
    ("\\frac{x^2-1}{x-1}", "x+1"), ("\\sin^2 x + \\cos^2 x", "1"), ("e^{i\\pi}", "-1"), ("2^{10}", "1024"),
    ("10^{3}", "1000"), ("5!", "120"), ("\\binom{5}{2}", "10"), ("\\sqrt[3]{8}", "2"), ("-\\frac{1}{2}", "\\frac{-1}{2}"),
    ("\\frac{1}{-2}", "-\\frac{1}{2}"), ("6 - 5i", "-5i+6"), ("\\text{(C)}", "C"), ("\\text{Evelyn}", "Evelyn"),
    ("\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}"),
    ("\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "\\begin{pmatrix} 2 \\\\ 1 \\end{pmatrix}"),
    ("11\\sqrt2", "11\\sqrt{2}"), ("\\frac{3}{56}", "\\frac3{56}"), ("0.5", ".5"), ("1.0", "1"), ("7", "7.0"),
    ("7", "8"), ("\\frac{9}{256}", "\\frac{9}{255}"), ("(0,9) \\cup (9,36)", "(0, 9) \\cup (9, 36)"),
    ("(0,9) \\cup (9,36)", "(9,36) \\cup (0,9)"), ("2516_8", "2516"), ("4343_6", "4343_{6}"),
    ("\\left( 3, \\frac{\\pi}{2} \\right)", "(3,\\pi/2)"), ("p - q", "-q+p"), ("p-q", "q-p"), ("x<5", "5>x"),
    ("\\log_2 8", "3"), ("\\ln e", "1"), ("\\cot x", "\\frac{\\cos x}{\\sin x}"), ("|x|", "x"), ("12.5", "12.50"),
    ("\\frac{14}{3}", "4.6667"), ("\\frac{14}{3}", "4.666667"), ("0.3333333", "\\frac{1}{3}"), ("\\infty", "-\\infty"),
    ("x^3+3x-6", "x^3 + 3x - 6"), ("-2,1", "1,-2"), ("1-12i", "1 - 12 i"), ("\\emptyset", "\\{\\}"),
    ("3x^2", "3x^3"), ("a+b", "b+a"), ("ab", "ba"), ("2k+2", "2(k+1)"), ("\\frac{1}{2}x", "\\frac{x}{2}"), ("5\\%", "0.05"),
    ("1\\,000", "1000"), ("16.0000001", "16"), ("6r^2-4r-24", "6r^2 - 4r - 24"), ("\\text{Navin}", "\\text{navin}"),
    ("10\\text{ minutes}", "10 minutes"), ("\\frac{\\pi}{6}", "30^\\circ"), ("3", "three"), ("x=1,2", "1,2"), ("x=1 \\text{ or } x=2", "1,2"),
]


def is_equal(a: str, b: str) -> bool:
    return bool(verify(parse(f"${a}$"), parse(f"${b}$")))


def main() -> None:
    rows = [{"a": a, "b": b, "equal": is_equal(a, b), "reversed": is_equal(b, a)} for a, b in PAIRS]
    text = json.dumps(rows, indent=0, ensure_ascii=True).replace("{\n", "{").replace(",\n\"", ", \"").replace("\n}", "}")
    pathlib.Path(sys.argv[1]).write_text(text + "\n")


if __name__ == "__main__":
    main()
