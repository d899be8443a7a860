"""Runs lm_eval against a server, and compares each token's score with `skein score`.

Usage: lm_eval_test.py ADDRESS SKEIN FOLDER
"""

import json
import pathlib
import subprocess
import sys

import lm_eval
from lm_eval.models.openai_completions import LocalCompletionsAPI
from lm_eval.tasks import TaskManager

address, skein, folder = sys.argv[1:]
folder = pathlib.Path(folder).resolve()
folder.mkdir(parents=True, exist_ok=True)

QUESTIONS = [
    ("47 + 85 =", [" 132", " 122", " 133"], 0),
    ("48 * 5 =", [" 240", " 250", " 24"], 0),
    ("100 - 1 =", [" 98", " 99", " 101"], 1),
    ("How many e are in goose? There is", [" 1", " 2", " 7"], 0),
    ("Sorted:", [" 45 51 95", " 95 45 51", " 51 45 95"], 0),
    ("Umlauts and signs: äöü €", [" 漢字", " no", " yes"], 1),
]
TEXTS = [
    "What is 47 + 85? 47 + 85 = 132. A flock of geese flies in a V.",
    "9.9 is larger than 9.11, since 9.90 - 9.11 = 0.79.",
    "Grüße aus dem Süden: 漢字, €, and a goose 🪿.",
]


def write_tasks():
    """Writes one task of choices and one of whole texts, with their data beside them."""
    choices = folder / "choices.jsonl"
    choices.write_text(
        "".join(
            json.dumps({"question": q, "choices": c, "answer": a}) + "\n"
            for q, c, a in QUESTIONS
        )
    )
    texts = folder / "texts.jsonl"
    texts.write_text("".join(json.dumps({"text": t}) + "\n" for t in TEXTS))
    common = "dataset_path: json\ntest_split: test\n"
    (folder / "skein_choices.yaml").write_text(
        "task: skein_choices\noutput_type: multiple_choice\n" + common
        + f"dataset_kwargs: {{data_files: {{test: {choices}}}}}\n"
        + 'doc_to_text: "{{question}}"\ndoc_to_choice: "{{choices}}"\n'
        + 'doc_to_target: "{{answer}}"\ntarget_delimiter: ""\n'
        + "metric_list:\n  - metric: acc\n"
    )
    (folder / "skein_texts.yaml").write_text(
        "task: skein_texts\noutput_type: loglikelihood_rolling\n" + common
        + f"dataset_kwargs: {{data_files: {{test: {texts}}}}}\n"
        + 'doc_to_text: ""\ndoc_to_target: "{{text}}"\n'
        + "metric_list:\n  - metric: word_perplexity\n  - metric: bits_per_byte\n"
    )


seen = []
parse = LocalCompletionsAPI.parse_logprobs


def parse_and_keep(outputs, tokens=None, ctxlens=None, **options):
    """Keeps what the server said of each prompt, and what lm_eval reads out of it."""
    results = parse(outputs=outputs, tokens=tokens, ctxlens=ctxlens, **options)
    answers = outputs if isinstance(outputs, list) else [outputs]
    choices = [
        choice
        for answer in answers
        for choice in sorted(answer["choices"], key=lambda choice: choice["index"])
    ]
    for choice, prompt, context, result in zip(choices, tokens, ctxlens, results, strict=True):
        seen.append((prompt, context, choice["logprobs"], result))
    return results


LocalCompletionsAPI.parse_logprobs = staticmethod(parse_and_keep)
write_tasks()
answer = lm_eval.simple_evaluate(
    model="local-completions",
    model_args={
        "model": "gosling",
        "base_url": f"{address}/v1/completions",
        "tokenizer_backend": "remote",
        "max_length": 1024,
        "num_concurrent": 2,
    },
    tasks=["skein_choices", "skein_texts"],
    batch_size=4,
    task_manager=TaskManager(include_path=str(folder), include_defaults=False),
    bootstrap_iters=0,
)

(folder / "prompts.json").write_text(json.dumps({"prompts": [entry[0] for entry in seen]}))
scored = json.loads(
    subprocess.run(
        [skein, "score", "--tokens-json", str(folder / "prompts.json"), "--json"],
        check=True, stdout=subprocess.PIPE, timeout=300,
    ).stdout
)
token_count, largest, largest_sum, greedy_count = 0, 0.0, 0.0, 0
for (prompt, context, logprobs, result), truth in zip(seen, scored["prompts"], strict=True):
    expected = truth["token_logprobs"]
    found = logprobs["token_logprobs"][1 : len(prompt)]
    assert len(found) == len(expected) == len(prompt) - 1, "a prompt lacks scores"
    assert logprobs["token_logprobs"][0] is None, "the first token has nothing before it"
    for one, other, top in zip(found, expected, logprobs["top_logprobs"][1:]):
        largest = max(largest, abs(one - other))
        assert max(top.values()) >= one, "an alternative is missing"
    token_count += len(found)
    largest_sum = max(largest_sum, abs(sum(expected[context - 1 :]) - result[0]))
    greedy_count += result[1]

for name in ("skein_choices", "skein_texts"):
    numbers = {
        key.split(",")[0]: round(value, 4)
        for key, value in answer["results"][name].items()
        if isinstance(value, float)
    }
    print(f"{name}: {numbers}")
print(f"{len(seen)} prompts, {token_count} tokens, {greedy_count} continuations greedy")
print(f"largest difference of a token's log-probability from skein score: {largest:g}")
print(f"largest difference of a continuation's sum: {largest_sum:g}")
# Both sides print the shortest text of the same 32-bit number.
sys.exit(0 if largest == 0 and largest_sum < 1e-3 else 1)
