"""Random conversations, within what the encoders of a format take."""

import json
import random

from material import NAMES, Material

# How conversations of a format differ from those of others, so that its encoder has a place for all
# of them and sources agree about them:
#   no calls        there are none
#   no later rules  rules stand in front alone
#   developer       rules may be a frame around a question
#   tools           what the model may call is told; the others' sources disagree how
#   names           who speaks may have a name
#   own ids         calls count through the conversation, as the model counts them
#   thoughts        an answer may have its thinking in one text with it
#   whole results   all calls of a message have results, or none
#   last waits      calls stay without a result only where the conversation ends: the encoder takes
#                   results for those of the first calls that have none
#   runs            speakers may speak twice in a row
#   thinking        a request says whether the model is to think
#   needs thinking  what the model says since the last question has thinking, if it is to think
#   opened          a question always opens the answer
#   prefix          an answer to be gone on with may be the beginning of the thinking
#   never empty     neither questions nor answers are empty
#   plain results   results are not empty, and those that are JSON are spelt as Python spells them
#   own thinking    thinking of an answer to be gone on with is written
#   flags           members of a function that are no part of its schema
#   odd schemas     how often tools have schemas that the encoder may have no words for
#   options         values of an option, with which the format is rendered
#
# Everywhere, results stand in the order of their calls, which Skein gives them where a client does
# not. Efforts below high are left out: GLM-5.2's template thinks most at a word it does not know.
GLM = {
    "tools": True, "thoughts": True, "runs": True, "thinking": True, "own thinking": True,
    "flags": ["strict"], "options": {"clear_thinking": [True, False]}}
LIMITS = {
    "v2": {"no calls": True, "thoughts": True, "runs": True},
    "v3": {"opened": True},
    "r1": {"thoughts": True, "opened": True},
    "r1-0528": {"thoughts": True, "opened": True},
    "v3.1": {"thoughts": True, "runs": True, "thinking": True, "prefix": True},
    "v3.2": {
        "developer": True, "tools": True, "thoughts": True, "whole results": True, "runs": True,
        "thinking": True, "needs thinking": True, "own thinking": True, "opened": True,
        "flags": ["strict"]},
    "kimi-k2": {
        "tools": True, "names": True, "last waits": True, "thoughts": True, "runs": True,
        "flags": ["strict"]},
    "kimi-k2-thinking": {
        "names": True, "own ids": True, "last waits": True, "thoughts": True, "runs": True},
    "kimi-k2.5": {
        "tools": True, "names": True, "thoughts": True, "runs": True, "thinking": True,
        "flags": ["strict"], "odd schemas": 0.2},
    "glm-4.7-flash": GLM,
    "glm-5": GLM,
    "glm-5.2": {
        **GLM, "flags": ["strict", "defer_loading"], "options": {
            "clear_thinking": [True, False], "reasoning_effort": ["high", "max", "xhigh"]}},
    "mistral-large-3": {
        "no later rules": True, "tools": True, "thoughts": True, "runs": True,
        "flags": ["strict"], "never empty": True, "plain results": True},
}


class Conversation:
    """One conversation: its messages, tools and options."""

    def __init__(self, format, seed):
        self.limits = LIMITS[format]
        self.numbers = random.Random(seed)
        self.material = Material(self.numbers, self.limits)
        self.messages = []
        self.tools = []
        self.options = {}
        self.call_count = 0
        self.choose_options()
        self.write()

    def has(self, name):
        return self.limits.get(name, False)

    def chance(self, probability):
        return self.material.chance(probability)

    def choose_options(self):
        self.options["add_generation_prompt"] = self.chance(0.75)
        if self.has("thinking"):
            self.options["thinking"] = self.chance(0.5)
        for name, values in self.limits.get("options", {}).items():
            if self.chance(0.5):
                self.options[name] = self.numbers.choice(values)
        self.names = self.numbers.sample(NAMES, self.numbers.choice([1, 2, 3, 4]))
        if self.has("tools") and self.chance(0.5):
            self.tools = [self.material.tool(name) for name in self.names]

    def write(self):
        for _ in range(self.numbers.randrange(3)):
            self.say("system")
        if not self.has("opened") and not self.has("never empty") and self.chance(0.03):
            self.answer()
        turns = self.numbers.choice([1, 1, 2, 3, 5])
        for turn in range(turns):
            self.turn(is_last=turn == turns - 1)
        self.finish()

    def say(self, role):
        may_be_empty = role != "developer" and not self.has("never empty")
        message = {"role": role, "content": self.material.text(may_be_empty=may_be_empty)}
        if self.has("names") and self.chance(0.15):
            message["name"] = self.numbers.choice(["anna", "Ünal 2", "get_weather"])
        self.messages.append(message)

    def ask(self, is_last):
        """A question; with thinking, the encoder takes a frame around the last one alone."""
        is_framed = self.has("developer") and self.chance(0.15)
        can_be = is_last or not self.options.get("thinking")
        self.say("developer" if is_framed and can_be else "user")

    def turn(self, is_last):
        """A question, calls with their results, and an answer; the last turn may end anywhere."""
        if not self.has("no later rules") and self.chance(0.08):
            self.say("system")
        if self.has("runs") and self.chance(0.06):
            self.ask(is_last=False)
        self.ask(is_last)
        ends = ["question", "calls", "results", "answer"]
        end = self.numbers.choice(ends) if is_last else "answer"
        if end == "question":
            return
        rounds = 0 if self.has("no calls") else self.numbers.choice([0, 0, 1, 1, 2, 3])
        if end in ("calls", "results") and not self.has("no calls"):
            rounds = max(rounds, 1)
        for number in range(rounds):
            is_end = is_last and number == rounds - 1
            calls = self.call()
            waits = is_end and end == "calls"
            if not is_last and not self.has("last waits") and number == rounds - 1:
                waits = self.chance(0.05)
            if waits:
                return
            ends_here = is_end and end == "results"
            self.results(calls, may_be_partial=ends_here or not self.has("last waits"))
        if end == "answer" or self.has("no calls"):
            # At times somebody asks before the model has answered the results.
            if rounds and not is_last and self.chance(0.05):
                return
            self.answer()
            if self.has("runs") and self.chance(0.05):
                self.answer()

    def spoken(self, message):
        """Adds what belongs to any message of the model."""
        thinks = self.chance(0.5)
        if self.has("needs thinking") and self.options["thinking"]:
            thinks = thinks or not message.get("tool_calls")
        if thinks:
            message["reasoning_content"] = self.material.text(
                may_be_empty=not self.has("needs thinking"))
        if self.has("names") and self.chance(0.1):
            message["name"] = "kim"
        self.messages.append(message)

    def answer(self):
        text = self.material.text(may_be_empty=not self.has("never empty"))
        if self.has("never empty"):
            text = text if text.strip() else "Yes."
        if self.has("thoughts") and self.chance(0.15):
            marks = self.numbers.choice([
                "<think>{}</think>", "{}</think>", "<think>\n{}\n</think>\n\n", "<think>{}",
                "<think>a</think>{}</think>"])
            text = marks.replace("{}", self.material.text()) + text
        self.spoken({"role": "assistant", "content": text})

    def call(self):
        """A message with calls, and their ids."""
        calls = []
        for _ in range(self.numbers.choice([1, 1, 1, 2, 3, 5])):
            name = self.numbers.choice(self.names)
            id = f"functions.{name}:{self.call_count}"
            if not self.has("own ids") and self.chance(0.5):
                id = "".join(self.numbers.choices("abcDEF0123456789", k=9))
            self.call_count += 1
            arguments = json.dumps(
                self.material.object(), ensure_ascii=self.chance(0.2),
                separators=self.numbers.choice([None, (",", ":")]))
            calls.append({
                "id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
        content = self.numbers.choice([None, "", self.material.text(), self.material.text()])
        if self.has("thoughts") and self.chance(0.08):
            content = "<think>" + self.material.text() + "</think>" + self.material.text()
        self.spoken({"role": "assistant", "content": content, "tool_calls": calls})
        return calls

    def results(self, calls, may_be_partial):
        """A result of each call in order, or at times of only some."""
        count = len(calls)
        if may_be_partial and not self.has("whole results") and self.chance(0.1):
            count = self.numbers.randrange(1, count + 1)
        for call in calls[:count]:
            value = self.material.value()
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            if self.has("plain results"):
                text = self.plain(text)
            message = {"role": "tool", "tool_call_id": call["id"], "content": text}
            if self.has("names") and self.chance(0.2):
                message["name"] = call["function"]["name"]
            self.messages.append(message)

    @staticmethod
    def plain(text):
        """A result that is not empty and, if it is JSON, as Python's own writer has it."""
        try:
            return json.dumps(json.loads(text), ensure_ascii=False)
        except ValueError:
            return text or "null"

    def finish(self):
        """What the options ask of the last message."""
        last = self.messages[-1]
        is_answer = last["role"] == "assistant" and not last.get("tool_calls")
        if last["role"] == "user" and self.has("opened"):
            self.options["add_generation_prompt"] = True
        if last["role"] in ("developer", "tool") and self.has("whole results"):
            self.options["add_generation_prompt"] = True
        if not is_answer or not self.chance(0.5):
            return
        self.options["continue_final_message"] = True
        self.options["add_generation_prompt"] = False
        # What is gone on with has no thinking of its own but where the encoders write it.
        if not self.has("own thinking"):
            last.pop("reasoning_content", None)
        last["content"] = self.material.text(may_be_empty=False, has_edges=True)
        before = self.messages[-2]["role"] if len(self.messages) > 1 else None
        if self.has("prefix") and before == "user" and self.chance(0.4):
            last["prefix"] = True
