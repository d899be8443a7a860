"""The independent encoders of each chat format, read from a folder.

What is settled otherwise than a file has it stands beside the name of the format, and nowhere else.
"""

import copy
import importlib.util
import json
import pathlib
import tempfile

import jinja2
import jinja2.ext
import jinja2.sandbox

MARKS = {"bos_token": "<｜begin▁of▁sentence｜>", "eos_token": "<｜end▁of▁sentence｜>"}

# Ends the last message where a prompt is to end inside it.
SENTINEL = "\N{SYMBOL FOR END OF TRANSMISSION}#7f3a"


class Refused(Exception):
    """An encoder has no place for the conversation."""


class Generation(jinja2.ext.Extension):
    """The tag that marks what the model wrote; it prints what it holds."""

    tags = {"generation"}

    def parse(self, parser):
        parser.stream.skip(1)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


def environment(is_mutable):
    """Jinja as transformers sets it up."""
    kind = (jinja2.sandbox.SandboxedEnvironment if is_mutable
            else jinja2.sandbox.ImmutableSandboxedEnvironment)
    made = kind(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"])

    def refuse(message):
        raise Refused(message)

    def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(
            value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
            sort_keys=sort_keys)

    made.filters["tojson"] = to_json
    made.globals["raise_exception"] = refuse
    made.globals["strftime_now"] = lambda form: "1 January 2026"
    return made


def module(path):
    """A Python file as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def replacing(text, pairs, file):
    """The text with each old part as its new one; every old part must be there."""
    for old, new in pairs:
        if old not in text:
            raise SystemExit(f"error: {file}: expected {old!r}, found it nowhere")
        text = text.replace(old, new)
    return text


def parsed(messages):
    """The messages with the arguments of calls as values, and the content of calls as text."""
    messages = copy.deepcopy(messages)
    for message in messages:
        if message.get("content") is None:
            message["content"] = ""
        for call in message.get("tool_calls", []):
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return messages


class Template:
    """A template, whose text may be put right first, and how a request's options reach it."""

    def __init__(
            self, folder, name, replaced=(), is_mutable=False, thinking="thinking", ending=None):
        text = replacing((folder / name).read_text(), replaced, folder / name)
        # Jinja leaves out a line feed at the end, as published strings have none.
        self.template = environment(is_mutable).from_string(text)
        self.thinking = thinking
        self.ending = ending

    def __call__(self, messages, tools, options):
        named = {self.thinking: options.get("thinking", False)}
        for name in ("clear_thinking", "reasoning_effort"):
            if name in options:
                named[name] = options[name]
        adds = options["add_generation_prompt"]
        text = self.template.render(
            messages=parsed(messages), tools=tools or None, add_generation_prompt=adds, **MARKS,
            **named)
        return self.ending(text, messages, adds) if self.ending else text


class KimiTypes(Template):
    """Kimi-K2.5: its tokenizer sorts the keys of tools and tells them in the words of TypeScript.

    Where a schema has no such words, the list is told as JSON.
    """

    def __init__(self, folder):
        super().__init__(folder, "Kimi-K2.5.jinja")
        self.types = module(folder / "kimi_k2_5_tool_declaration_ts.py")

    def __call__(self, messages, tools, options):
        tools = json.loads(json.dumps(tools, sort_keys=True)) if tools else None
        words = None
        if tools:
            try:
                words = self.types.encode_tools_to_typescript_style(tools)
            except Exception:  # noqa: BLE001 the tokenizer takes any error for no words
                words = None
        return self.template.render(
            messages=parsed(messages), tools=tools, tools_ts_str=words,
            add_generation_prompt=options["add_generation_prompt"],
            thinking=options.get("thinking", False))


class DeepSeekV32:
    """DeepSeek's own encoder: tools belong to the first system message."""

    def __init__(self, folder):
        self.encoding = module(folder / "encoding_dsv32.py")

    def __call__(self, messages, tools, options):
        messages = copy.deepcopy(messages)
        if tools:
            first = next((one for one in messages if one["role"] == "system"), None)
            if first is None:
                first = {"role": "system", "content": ""}
                messages.insert(0, first)
            first["tools"] = tools
        mode = "thinking" if options.get("thinking") else "chat"
        try:
            return self.encoding.encode_messages(messages, mode)
        except AssertionError as error:
            raise Refused(str(error)) from error


class Mistral:
    """mistral_common's generated template, and its tokenizer where that takes the conversation.

    The template keeps blanks at the end of an answer, which the tokenizer leaves out: so does this.
    """

    def __init__(self, folder):
        from mistral_common.integrations.chat_templates import chat_templates
        from mistral_common.tokens.tokenizers.base import TokenizerVersion

        text = chat_templates.generate_chat_template(
            spm=False, tokenizer_version=TokenizerVersion.v13, image_support=True,
            audio_support=False, thinking_support=False, default_system_prompt=None,
            plain_thinking_support=False, use_special_token_variables=True,
            model_settings_fields=None, reasoning_effort_values=None,
            reasoning_effort_default=None)
        spoken = "content=message['content'], context_name='assistant"
        text = replacing(
            text, [(spoken, spoken.replace("['content']", "['content'].rstrip(' ')"))],
            "mistral_common")
        self.template = environment(False).from_string(text)
        self.tokenizer = mistral_tokenizer()
        self.compared = 0

    def __call__(self, messages, tools, options):
        messages = parsed(messages)
        text = self.template.render(
            messages=messages, tools=tools or None, bos_token="<s>", eos_token="</s>")
        own = None if tools else self.own(messages)
        if own is not None:
            self.compared += 1
            if own != text:
                raise SystemExit(f"error: mistral_common gives two prompts:\n{text!r}\n{own!r}")
        return text

    def own(self, messages):
        """What the tokenizer makes of it; nothing where it takes no such conversation."""
        from mistral_common.exceptions import MistralCommonException
        from mistral_common.protocol.instruct.request import ChatCompletionRequest

        messages = copy.deepcopy(messages)
        for message in messages:
            message.pop("reasoning_content", None)
            for call in message.get("tool_calls", []):
                call["function"]["arguments"] = json.dumps(call["function"]["arguments"])
        try:
            request = ChatCompletionRequest.model_validate({"messages": messages})
            tokens = self.tokenizer.encode_chat_completion(request).tokens
        except (MistralCommonException, ValueError):
            return None
        from mistral_common.tokens.tokenizers.base import SpecialTokenPolicy
        return self.tokenizer.decode(tokens, special_token_policy=SpecialTokenPolicy.KEEP)


def mistral_tokenizer():
    """A tokenizer of version 13: the words that mistral_common brings, that version's marks."""
    import mistral_common
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    data = pathlib.Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"
    file = json.loads(data.read_text())
    marks = [mark["token_str"] for mark in Tekkenizer.DEPRECATED_SPECIAL_TOKENS]
    marks += ["[ARGS]", "[CALL_ID]"]
    file["config"]["version"] = "v13"
    file["special_tokens"] = [
        {"rank": rank, "token_str": str(getattr(mark, "value", mark)), "is_control": True}
        for rank, mark in enumerate(marks)]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "tekken.json"
        path.write_text(json.dumps(file))
        return MistralTokenizer.from_file(path)


def opens_thinking(text, messages, adds):
    """DeepSeek-R1 since February 2025: what is asked for begins with the thinking."""
    return text + "<think>\n" if adds and messages[-1]["role"] != "tool" else text


V3 = "tool_chat_template_deepseekr1.jinja"

ENCODERS = {
    "v2": lambda folder: Template(folder, "DeepSeek-V2-Lite-Chat.jinja"),
    # One template serves three: they differ in how the thinking begins, and in what V3 never has.
    "v3": lambda folder: Template(folder, V3),
    "r1": lambda folder: Template(folder, V3, ending=opens_thinking),
    "r1-0528": lambda folder: Template(folder, V3),
    # The model's card has the lone mark.
    "v3.1": lambda folder: Template(
        folder, "deepseek-ai-DeepSeek-V3.1.jinja", [("<think></think>", "</think>")]),
    "v3.2": DeepSeekV32,
    "kimi-k2": lambda folder: Template(folder, "Kimi-K2-Instruct.jinja", is_mutable=True),
    # The loop ends at the last final answer, as in K2.5's template.
    "kimi-k2-thinking": lambda folder: Template(
        folder, "Kimi-K2-Thinking.jinja",
        [("= idx -%}\n    {%- endif", "= idx -%}\n        {%- break -%}\n    {%- endif"),
         ("tools | tojson", "tools | tojson(separators=(',', ':'))")], is_mutable=True),
    "kimi-k2.5": KimiTypes,
    "glm-4.7-flash": lambda folder: Template(
        folder, "GLM-4.7-Flash.jinja", thinking="enable_thinking"),
    # GLM-5's own template was not at hand; it is said to equal this one.
    "glm-5": lambda folder: Template(folder, "GLM-4.7-Flash.jinja", thinking="enable_thinking"),
    "glm-5.2": lambda folder: Template(folder, "GLM-5.2.jinja", thinking="enable_thinking"),
    "mistral-large-3": Mistral,
}


def render(encoder, messages, tools, options):
    """The prompt; where it is to end inside the last message, all up to that message's end."""
    if not options.get("continue_final_message"):
        return encoder(messages, tools, options)
    messages = copy.deepcopy(messages)
    messages[-1]["content"] += SENTINEL
    text = encoder(messages, tools, options)
    return text[:text.rindex(SENTINEL)]
