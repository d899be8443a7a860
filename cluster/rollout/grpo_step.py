"""One epoch of policy gradient on rollouts of skein: reads a checkpoint folder and a file of
`skein rollout`, writes a checkpoint folder.

    grpo_step.py questions SEED COUNT                      prompts on standard output
    grpo_step.py train MODEL ROLLOUTS.jsonl OUT            the step
"""

import json
import random
import sys

import torch

import checkpoint
from policy import Policy

LEARNING_RATE = 5e-5
RATIO_BOUND = 0.2
PROMPTS_PER_STEP = 4


def questions(seed, count):
    """Sums and products as prompts with answers; two seeds of one parity share no question."""
    numbers = random.Random(seed)
    asked = set()
    while len(asked) < count:
        sign = numbers.choice("+-*")
        first = numbers.randrange(11, 100) if sign == "*" else numbers.randrange(100, 1000)
        second = numbers.randrange(3, 10) if sign == "*" else numbers.randrange(11, 100)
        # Held-out questions have the other parity, so that none was trained on.
        if (first * 31 + second) % 2 != seed % 2 or (sign, first, second) in asked:
            continue
        asked.add((sign, first, second))
        answer = {"+": first + second, "-": first - second, "*": first * second}[sign]
        message = {"role": "user", "content": f"What is {first} {sign} {second}?"}
        print(json.dumps({"prompt": [message], "answer": str(answer)}))


def read_rollouts(path):
    """The lines by prompt, without prompts whose completions are all worth the same."""
    prompts = {}
    with open(path) as file:
        for line in file:
            entry = json.loads(line)
            prompts.setdefault(entry["prompt_index"], []).append(entry)
    return [
        [entry for entry in entries if entry["advantage"] is not None]
        for entries in prompts.values() if any(entry["advantage"] for entry in entries)]


def padded(entries):
    """Tokens, and for each of those after the first: ln p when drawn, advantage, whether it was
    drawn."""
    length = max(len(entry["prompt_ids"]) + len(entry["completion_ids"]) for entry in entries)
    tokens = torch.zeros(len(entries), length, dtype=torch.long)
    drawn = torch.zeros(len(entries), length - 1)
    is_drawn = torch.zeros(len(entries), length - 1)
    for row, entry in enumerate(entries):
        sequence = entry["prompt_ids"] + entry["completion_ids"]
        tokens[row, : len(sequence)] = torch.tensor(sequence)
        span = slice(len(entry["prompt_ids"]) - 1, len(sequence) - 1)
        drawn[row, span] = torch.tensor(entry["logprobs"])
        is_drawn[row, span] = 1
    advantages = torch.tensor([entry["advantage"] for entry in entries]).unsqueeze(1)
    return tokens, drawn, advantages, is_drawn


def loss_of(policy, entries, token_count):
    """The clipped objective of PPO and GRPO, and how far the policy is from the one that drew."""
    tokens, drawn, advantages, is_drawn = padded(entries)
    logprobs = policy.logprobs(tokens)
    distance = ((logprobs - drawn).detach().abs() * is_drawn).sum().item()
    ratio = (logprobs - drawn).exp()
    clipped = ratio.clamp(1 - RATIO_BOUND, 1 + RATIO_BOUND)
    gain = torch.minimum(ratio * advantages, clipped * advantages)
    return -(gain * is_drawn).sum() / token_count, distance


def train(model, rollouts, out):
    torch.manual_seed(0)
    config, weights = checkpoint.load(model)
    policy = Policy(config, weights)
    prompts = read_rollouts(rollouts)
    random.Random(0).shuffle(prompts)
    optimizer = torch.optim.AdamW(
        policy.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.99), weight_decay=0)
    print(f"{len(prompts)} prompts whose completions differ in reward", flush=True)
    for start in range(0, len(prompts), PROMPTS_PER_STEP):
        part = prompts[start : start + PROMPTS_PER_STEP]
        token_count = sum(len(entry["completion_ids"]) for entries in part for entry in entries)
        optimizer.zero_grad(set_to_none=True)
        distance = 0
        for entries in part:
            loss, one = loss_of(policy, entries, token_count)
            loss.backward()
            distance += one
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimizer.step()
        print(
            f"step {start // PROMPTS_PER_STEP + 1}: {token_count} tokens, mean distance from the "
            f"drawn log-probabilities {distance / token_count:.4f}", flush=True)
    trained = {name: value.detach() for name, value in policy.weights.items()}
    checkpoint.save(out, model, config, trained)
    print(f"wrote {out}")


def main():
    match sys.argv[1:]:
        case ["questions", seed, count]:
            questions(int(seed), int(count))
        case ["train", model, rollouts, out]:
            train(model, rollouts, out)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
