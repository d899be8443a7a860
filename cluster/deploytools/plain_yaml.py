"""Reads the part of YAML that cluster files and deploy files are written in.

Maps and lists by indentation, `{…}` and `[…]` on one line, plain and quoted text, comments. What is
none of these is refused with its line: the program `skein` judges a cluster file, this only learns
names and addresses from it.
"""

import re


class YAMLError(Exception):
    """What a person should read in one line."""


def _without_comment(line):
    quote = None
    for place, sign in enumerate(line):
        if quote:
            quote = None if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign == "#" and (place == 0 or line[place - 1] in " \t"):
            return line[:place].rstrip()
    return line.rstrip()


def _scalar(text):
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    if text in ("", "null", "~"):
        return None
    return int(text) if re.fullmatch(r"\d{1,18}", text) else text


def _split(text, number):
    """The parts between commas that stand in no brackets and no quotation marks."""
    parts, depth, quote, start = [], 0, None, 0
    for place, sign in enumerate(text):
        if quote:
            quote = None if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign in "[{":
            depth += 1
        elif sign in "]}":
            depth -= 1
        elif sign == "," and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    if depth != 0 or quote:
        raise YAMLError(f"line {number}: a bracket or quotation mark is not closed on its line")
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def _value(text, number):
    text = text.strip()
    if text[:1] in ("&", "*", "|", ">", "!"):
        raise YAMLError(f"line {number}: found {text[:12]!r}, expected a plain value")
    if text[:1] == "[" and text[-1:] == "]":
        return [_value(part, number) for part in _split(text[1:-1], number)]
    if text[:1] == "{" and text[-1:] == "}":
        return dict(_pair(part, number) for part in _split(text[1:-1], number))
    if text[:1] in ("[", "{"):
        raise YAMLError(f"line {number}: a bracket is not closed on its line")
    return _scalar(text)


def _pair(text, number):
    found = re.match(r"""\s*(?:"([^"]*)"|'([^']*)'|([^\s:'"{\[][^:]*?))\s*:(?:\s+(.*))?$""", text)
    if not found:
        raise YAMLError(f"line {number}: found {text.strip()[:40]!r}, expected 'field: value'")
    name = next(group for group in found.groups()[:3] if group is not None)
    return name, _value(found.group(4) or "", number)


class _Lines:
    def __init__(self, text):
        self.left = []
        for number, line in enumerate(text.splitlines(), 1):
            if "\t" in line[:len(line) - len(line.lstrip())]:
                raise YAMLError(f"line {number}: indentation is of spaces")
            line = _without_comment(line)
            if line.strip() and line.strip() != "---":
                self.left.append((number, len(line) - len(line.lstrip()), line.strip()))

    def block(self, indent):
        return self.list(indent) if self.left[0][2].startswith("- ") else self.map(indent)

    def list(self, indent):
        items = []
        while self.left and self.left[0][1] == indent and self.left[0][2].startswith("- "):
            number, _, text = self.left.pop(0)
            rest = text[2:].lstrip()
            inner = indent + len(text) - len(rest)
            if re.match(r"""[^\s'"{\[][^:]*:(\s|$)""", rest):
                self.left.insert(0, (number, inner, rest))
                items.append(self.map(inner))
            else:
                items.append(_value(rest, number))
        return items

    def map(self, indent):
        fields = {}
        while self.left and self.left[0][1] == indent and not self.left[0][2].startswith("- "):
            number, _, text = self.left.pop(0)
            name, value = _pair(text, number)
            if name in fields:
                raise YAMLError(f"line {number}: {name}: stands twice")
            deeper = bool(self.left) and (
                self.left[0][1] > indent
                or self.left[0][1] == indent and self.left[0][2].startswith("- "))
            if value is None and deeper:
                value = self.block(self.left[0][1])
            fields[name] = value
        if self.left and self.left[0][1] > indent:
            raise YAMLError(f"line {self.left[0][0]}: found another indentation")
        return fields


def read(text):
    """The map that a text holds."""
    lines = _Lines(text)
    if not lines.left:
        return {}
    fields = lines.block(lines.left[0][1])
    if lines.left:
        raise YAMLError(f"line {lines.left[0][0]}: found another indentation")
    if not isinstance(fields, dict):
        raise YAMLError("line 1: found a list, expected 'field: value'")
    return fields
