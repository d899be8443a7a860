"""What random conversations are made of: texts, values, schemas and tools."""

PIECES = (
    "The answer is 42.", "a", "Oslo", "naïve café", "日本語のテキスト", "مرحبا بالعالم",
    "e\u0301tude", "👩‍👩‍👧‍👦", "🇳🇴", "\u200b", "\u2028", "\x7f", "\x0b", "\x1c", "\x85",
    "\u3000", "\ufeff", "𝒳", "{{ bos_token }}", "{% raw %}", "{# no #}", "<b>&amp;</b>", "\\n",
    '"quoted"', "it's", "`code`",
    "```json\n{}\n```", "a\r\nb", "a\n\nb", "tab\there", "  two  blanks", "<|im_end|>", "[INST]",
    "</s>", "<｜User｜>", "<|user|>", "<tool_call>", "%s {0} $1", "x = 1;\ny = 2;\n", "# Tools", "</",
)
EDGES = ("", "", "", " ", "  ", "\n", "\n\n", "\t", "\r\n", "\u00a0", " \n ", "\u2003")
NAMES = (
    "get_weather", "search", "now", "run-code", "Lookup2", "f", "über_suche", "a.b.c", "send_mail")
KEYS = (
    "city", "days", "query", "limit", "exact", "ünit", "a b", "x", "y", "user_id", "Zeta", "_",
    "items", "type", "name", "keys", "straße", "q1", "q10", "q2")
NUMBERS = (
    0, 1, -1, 7, 255, -40, 2**31, 2**53 + 1, 10**18, 0.5, -0.25, 1.0, -0.0, 3.14159, 1e-7, 1e16,
    1.5e300, 123456.789, 0.1, 100000.0)


class Material:
    """Texts, values, schemas and tools, which depend on the seed alone.

    What a format's own tools never see is left out by `limits`.
    """

    def __init__(self, numbers, limits):
        self.numbers = numbers
        self.flags = limits.get("flags", [])
        # At times schemas have what not every encoder has words for.
        is_odd = self.chance(limits.get("odd schemas", 1.0))
        self.odd_kinds = ["one of", "constant", "untyped", "mixed enum"] if is_odd else []

    def chance(self, probability):
        return self.numbers.random() < probability

    def text(self, may_be_empty=True, has_edges=True):
        """A text of a few pieces, with or without blanks at its ends."""
        if may_be_empty and self.chance(0.06):
            return ""
        if may_be_empty and has_edges and self.chance(0.04):
            return self.numbers.choice(EDGES)
        count = self.numbers.choice([1, 1, 2, 3, 6])
        joint = self.numbers.choice(["", " ", " ", "\n"])
        text = joint.join(self.numbers.choice(PIECES) for _ in range(count))
        if not has_edges:
            return text.strip() + "."
        return self.numbers.choice(EDGES) + text + self.numbers.choice(EDGES)

    def line(self):
        """A description: never empty, at times of several lines."""
        text = self.text(may_be_empty=False)
        return text if text.strip() else "Some words"

    def value(self, depth=0):
        """Any value that JSON has."""
        kinds = ["text", "text", "number", "flag", "nothing"] + ["list", "object"] * (depth < 3)
        kind = self.numbers.choice(kinds)
        if kind == "text":
            return self.text()
        if kind == "number":
            return self.numbers.choice(NUMBERS)
        if kind == "flag":
            return self.chance(0.5)
        if kind == "list":
            return [self.value(depth + 1) for _ in range(self.numbers.randrange(4))]
        if kind == "object":
            return self.object(depth + 1)
        return None

    def object(self, depth=0):
        """An object of a few members."""
        names = self.numbers.sample(KEYS, self.numbers.choice([0, 1, 1, 2, 3, 4]))
        return {name: self.value(depth) for name in names}

    def schema(self, depth=0, definitions=()):
        """A schema of one value."""
        numbers = self.numbers
        kinds = ["string", "number", "flag", "enum", "types", "null"]
        kinds += ["array", "object", "any of", "array", "object"] * (depth < 3)
        kinds += ["reference"] * bool(definitions)
        kinds += ["anything"] + self.odd_kinds
        made = getattr(self, "_" + numbers.choice(kinds).replace(" ", "_"))(depth, definitions)
        if isinstance(made, dict) and made:
            if self.chance(0.4):
                made["description"] = self.line()
            if self.chance(0.15):
                made["default"] = self.value(1)
            if self.chance(0.1):
                made["title"] = "Title"
        return made

    def _string(self, depth, definitions):
        made = {"type": "string"}
        for name, value in (
                ("minLength", 1), ("maxLength", 80), ("pattern", "^[a-zé]+\\d{2}$"),
                ("format", "date-time")):
            if self.chance(0.2):
                made[name] = value
        return made

    def _number(self, depth, definitions):
        made = {"type": self.numbers.choice(["integer", "number"])}
        for name in ("maximum", "minimum", "exclusiveMinimum", "multipleOf"):
            if self.chance(0.25):
                made[name] = self.numbers.choice(NUMBERS)
        return made

    def _flag(self, depth, definitions):
        return {"type": "boolean"}

    def _null(self, depth, definitions):
        return {"type": "null"}

    def _enum(self, depth, definitions):
        return self.numbers.choice([
            {"type": "string", "enum": ["metric", "naïve", 'say "x"']},
            {"enum": ["a", 1, None, True]}, {"type": "integer", "enum": [1, 2, 3]},
            {"type": ["string", "null"], "enum": ["a", None]},
            {"type": "boolean", "enum": [False]}, {"type": "number", "enum": [0.5, 1]}])

    def _mixed_enum(self, depth, definitions):
        return self.numbers.choice([
            {"type": "string", "enum": ["a", 1]}, {"type": ["string", "number"], "enum": ["a", 1]},
            {"type": "integer", "enum": [1, 1.5, True]}])

    def _types(self, depth, definitions):
        names = ["string", "number", "integer", "boolean", "null", "object", "array"]
        return {"type": self.numbers.sample(names, self.numbers.choice([1, 2, 3]))}

    def _array(self, depth, definitions):
        made = {"type": "array"}
        if self.chance(0.85):
            made["items"] = self.schema(depth + 1, definitions)
        for name in ("minItems", "maxItems", "uniqueItems"):
            if self.chance(0.2):
                made[name] = self.numbers.randrange(1, 9) if name != "uniqueItems" else True
        return made

    def _object(self, depth, definitions):
        made = {"type": "object"}
        if self.chance(0.9):
            names = self.numbers.sample(KEYS, self.numbers.choice([0, 1, 2, 3, 5]))
            made["properties"] = {name: self.schema(depth + 1, definitions) for name in names}
            if self.chance(0.7):
                made["required"] = [name for name in names if self.chance(0.5)]
        if self.chance(0.3):
            made["additionalProperties"] = self.numbers.choice(
                [True, False, self.schema(depth + 1, definitions)])
        return made

    def _any_of(self, depth, definitions):
        count = self.numbers.choice([1, 2, 3])
        return {"anyOf": [self.schema(depth + 1, definitions) for _ in range(count)]}

    def _reference(self, depth, definitions):
        return {"$ref": self.numbers.choice(definitions)}

    def _anything(self, depth, definitions):
        return self.numbers.choice([{}, True])

    def _one_of(self, depth, definitions):
        return {"oneOf": [{"type": "string"}, {"const": "end"}]}

    def _constant(self, depth, definitions):
        return {"const": self.value(2)}

    def _untyped(self, depth, definitions):
        return {"minimum": 1}

    def tool(self, name):
        """A tool as OpenAI's interface defines it."""
        function = {"name": name}
        if self.chance(0.85):
            function["description"] = self.text()
        if self.chance(0.9):
            places, definitions = self.definitions()
            function["parameters"] = self._object(0, places)
            if definitions:
                function["parameters"]["$defs"] = definitions
        for flag in self.flags:
            if self.chance(0.2):
                function[flag] = self.chance(0.5)
        if self.chance(0.3):
            function = dict(self.numbers.sample(sorted(function.items()), len(function)))
        return {"type": "function", "function": function}

    def definitions(self):
        """Where definitions stand, the whole schema among them, and what they define."""
        if not self.chance(0.35):
            return (), {}
        names = ["Zebra", "Apple", "Node", "point"]
        names = self.numbers.sample(names, self.numbers.choice([1, 2, 3]))
        places = [f"#/$defs/{name}" for name in names]
        defined = {name: self._object(2, places) for name in names}
        for definition in defined.values():
            if self.chance(0.5):
                definition["description"] = self.line()
        return places + ["#", "#"] * self.chance(0.4), defined
