#!/usr/bin/env python3
"""Writes conversations that are made by a seed, each with what an independent encoder makes of it.

    cluster/conversations FOLDER [--seed 1] [--count 1000] [--formats v3.1,glm-5.2]
                                 [--out .build/conversations]
    cluster/conversations FOLDER --check VECTORS...

FOLDER has the encoders. The second form shows instead that they give what the vectors expect, but
where those are marked as uncertain. Ends with 1 where an encoder differs or a file is missing.
"""

import argparse
import json
import pathlib
import sys

sys.dont_write_bytecode = True

import conversations  # noqa: E402 nothing is written beside the scripts
import encoders  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOTE = "As Tests/Golden/oracle/vectors/chat2.json; made by cluster/conversations."


def arguments():
    reader = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("folder", type=pathlib.Path)
    reader.add_argument("--seed", type=int, default=1)
    reader.add_argument("--count", type=int, default=1000)
    reader.add_argument("--formats", default=",".join(encoders.ENCODERS))
    reader.add_argument("--out", type=pathlib.Path, default=ROOT / ".build" / "conversations")
    reader.add_argument("--check", type=pathlib.Path, nargs="+")
    return reader.parse_args()


def encoder(name, folder):
    """The encoder of a format, or one line that says what is missing."""
    if name not in encoders.ENCODERS:
        known = ", ".join(encoders.ENCODERS)
        raise SystemExit(f"error: --formats: found {name!r}, expected some of {known}")
    try:
        return encoders.ENCODERS[name](folder)
    except FileNotFoundError as error:
        raise SystemExit(f"error: {error.filename}: is missing; see cluster/README.md") from error


def cases(name, encoder, seed, count):
    """As many conversations that the encoder takes, and how many it refused."""
    made, refused, number = [], 0, 0
    while len(made) < count:
        if refused > count:
            raise SystemExit(f"error: {name}: the encoder refuses half of what is made")
        one = conversations.Conversation(name, f"{seed} {name} {number}")
        number += 1
        try:
            text = encoders.render(encoder, one.messages, one.tools, one.options)
        except encoders.Refused:
            refused += 1
            continue
        case = {"name": f"{name} seed {seed} number {number - 1}", "format": name,
                "messages": one.messages, "options": one.options, "expected": text}
        if one.tools:
            case["tools"] = one.tools
        made.append(case)
    return made, refused


def write(options):
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.formats.split(","):
        made, refused = cases(name, encoder(name, options.folder), options.seed, options.count)
        path = options.out / f"{name}.json"
        path.write_text(json.dumps({"note": NOTE, "cases": made}, ensure_ascii=False, indent=1))
        print(f"{path}: {len(made)} conversations, {refused} that the encoder refuses left out")


def check(options):
    """Whether the encoders give what the vectors expect."""
    known, equal, uncertain, wrong = {}, 0, 0, []
    for path in options.check:
        for case in json.loads(path.read_text())["cases"]:
            name = case["format"]
            if case.get("agrees_with_specification") is False:
                continue
            if name not in known:
                known[name] = encoder(name, options.folder)
            text = encoders.render(
                known[name], case["messages"], case.get("tools"), case["options"])
            if text == case["expected"]:
                equal += 1
            elif "uncertain" in case:
                uncertain += 1
            else:
                wrong.append(case["name"])
    print(f"{equal} equal, {uncertain} that are uncertain differ, {len(wrong)} others differ")
    for name in wrong:
        print(f"  {name}")
    return 1 if wrong else 0


def main():
    options = arguments()
    if options.check:
        return check(options)
    write(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
