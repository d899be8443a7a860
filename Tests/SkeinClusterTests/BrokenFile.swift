// Longer than a file should be: one list of all that can be wrong with a cluster file.
import Testing

/// A sound file for two nodes on loopback; the lines are numbered by the broken files below.
let loopback = """
    cluster: local-2
    model: models/gosling
    placement: linear
    context: 1024
    pages: 256
    micro_batches: 8
    prefill_chunk: 256
    coordinator:
      address: tcp://127.0.0.1:7100
      http: 127.0.0.1:8080
    nodes:
      - name: a
        address: tcp://127.0.0.1:7101
        layers: 0-1
        threads: 1
      - name: b
        address: tcp://127.0.0.1:7102
        layers: 2-3
        model: /srv/models/gosling
    """

/// A sound file for two hosts; the keys are examples and nobody knows their secrets.
let hosts = """
    cluster: lab-2
    model: /srv/models/v3
    placement: vfold
    context: 4096
    pages: 4096
    keys: keys
    coordinator:
      address: tcp://192.0.2.10:7100
      public_key: "SkeinExampleKeyOfCoordinator000000000000"
    nodes:
      - name: a
        address: tcp://192.0.2.11:7101
        public_key: "SkeinExampleKeyOfNodeA000000000000000000"
        layers: [0-9, 50-60]
      - name: b
        address: tcp://[2001:db8::12]:7101
        public_key: "Skein&*[{Example}]#KeyOfNodeB00000000000"
        layers:
          - 10-29
          - 30-49
    """

/// A sound file with a node that stands by.
let standbys =
    loopback + """

          - name: s
            address: tcp://127.0.0.1:7103
            standby: true
        """

/// A sound file with experts beside the ring, one of them held twice.
let experts = """
    cluster: experts-3
    model: models/gosling
    placement: linear
    context: 1024
    pages: 256
    steps_at_once: 3
    dispatch: fp8
    coordinator:
      address: tcp://127.0.0.1:7100
    nodes:
      - name: a
        address: tcp://127.0.0.1:7101
        layers: 0-2
      - name: x
        address: tcp://127.0.0.1:7103
        experts:
          - {layers: 1-5, experts: 0-7}
          - {layers: 3, experts: 8}
      - name: b
        address: tcp://127.0.0.1:7102
        layers: 3-5
        experts:
          - {layers: 1-5, experts: 7-11}
    """

/// A file that must be refused, and where the one line must point.
struct BrokenFile: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let text: String
    let line: Int
    let field: String
    let reason: String

    /// Breaks a sound file by replacing one part of its text.
    init(
        _ name: String, of sound: String = loopback, _ old: String, _ new: String, line: Int,
        field: String, reason: String
    ) {
        testDescription = name
        text = sound.replacing(old, with: new, maxReplacements: 1)
        precondition(text != sound, "nothing to replace: \(name)")
        self.line = line
        self.field = field
        self.reason = reason
    }

    /// A file that was never sound.
    init(_ name: String, whole text: String, line: Int, field: String, reason: String) {
        testDescription = name
        self.text = text
        self.line = line
        self.field = field
        self.reason = reason
    }
}

let brokenFiles: [BrokenFile] = [
    // What YAML itself does not allow, or a cluster file does not need.
    .init("empty file", whole: "", line: 1, field: "file", reason: "found nothing"),
    .init("comment only", whole: "# later\n", line: 1, field: "file", reason: "found nothing"),
    .init("a list", whole: "- a\n- b\n", line: 1, field: "file", reason: "found a list"),
    .init("a word", whole: "gosling", line: 1, field: "file", reason: "found 'gosling'"),
    .init(
        "a tab", "  address: tcp://127.0.0.1:7100", "\taddress: tcp://127.0.0.1:7100", line: 9,
        field: "file", reason: "found a tab"),
    .init(
        "open quotation mark", "cluster: local-2", "cluster: \"local-2", line: 19, field: "file",
        reason: "begins on line 1"),
    .init(
        "open bracket", "layers: 2-3", "layers: [2-3", line: 19, field: "file",
        reason: "expected YAML"),
    .init(
        "indentation", "    layers: 0-1", "   layers: 0-1", line: 14, field: "file",
        reason: "expected YAML"),
    .init(
        "control character", "local-2", "local\u{1B}[31m", line: 1, field: "file",
        reason: "found a control character"),
    .init(
        "two documents", "nodes:\n", "---\nnodes:\n", line: 11, field: "file",
        reason: "another document"),
    .init(
        "alias bomb", whole: "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", line: 1,
        field: "file", reason: "anchor or alias"),
    .init("alias", "layers: 2-3", "layers: *l", line: 18, field: "file", reason: "alias"),
    .init(
        "alias in a flow", "layers: 2-3", "layers: [2-3,*l]", line: 18, field: "file",
        reason: "alias"),
    .init(
        "deep nesting", whole: "a: " + String(repeating: "[", count: 100_000), line: 1,
        field: "file", reason: "expected YAML"),
    .init(
        "complex key", "micro_batches: 8", "? [micro, batches]\n: 8", line: 6, field: "file",
        reason: "'?' key"),
    .init(
        "list as a key", "micro_batches: 8", "[micro, batches]: 8", line: 6, field: "key",
        reason: "found a list"),
    // Fields that are unknown, missing or there twice.
    .init(
        "misspelt field", "micro_batches", "micro_batch", line: 6, field: "micro_batch",
        reason: "did you mean 'micro_batches'?"),
    .init(
        "strange field", "micro_batches: 8", "replicas: 8", line: 6, field: "replicas",
        reason: "expected one of cluster, model"),
    .init(
        "misspelt field of a node", "    threads: 1", "    thread: 1", line: 15,
        field: "nodes[0].thread", reason: "did you mean 'threads'?"),
    .init(
        "misspelt field of the coordinator", "http:", "htp:", line: 10, field: "coordinator.htp",
        reason: "did you mean 'http'?"),
    .init(
        "field twice", "pages: 256", "pages: 256\npages: 512", line: 5, field: "pages",
        reason: "more than once"),
    .init(
        "no cluster", "cluster: local-2\n", "", line: 1, field: "cluster", reason: "found nothing"),
    .init("empty model", "models/gosling", "", line: 2, field: "model", reason: "found nothing"),
    .init(
        "no placement", "placement: linear\n", "", line: 1, field: "placement",
        reason: "linear or vfold"),
    .init("no context", "context: 1024\n", "", line: 1, field: "context", reason: "whole number"),
    .init(
        "no address", "    address: tcp://127.0.0.1:7102\n", "", line: 16,
        field: "nodes[1].address", reason: "found nothing"),
    .init(
        "no coordinator", "coordinator:\n  address: tcp://127.0.0.1:7100\n  http: 127.0.0.1:8080\n",
        "", line: 1, field: "coordinator", reason: "expected the fields address"),
    .init(
        "empty coordinator", "\n  address: tcp://127.0.0.1:7100\n  http: 127.0.0.1:8080", "",
        line: 8, field: "coordinator", reason: "found nothing"),
    // Types and numbers.
    .init(
        "unknown placement", "linear", "ring", line: 3, field: "placement", reason: "found 'ring'"),
    .init(
        "number in words", "pages: 256", "pages: many", line: 5, field: "pages",
        reason: "found 'many'"),
    .init(
        "quoted number", "pages: 256", "pages: \"256\"", line: 5, field: "pages",
        reason: "quotation marks"),
    .init("fraction", "pages: 256", "pages: 2.5", line: 5, field: "pages", reason: "found '2.5'"),
    .init("negative", "pages: 256", "pages: -1", line: 5, field: "pages", reason: "found '-1'"),
    .init("zero", "pages: 256", "pages: 0", line: 5, field: "pages", reason: "from 1 to"),
    .init(
        "beyond 64 bits", "pages: 256", "pages: 99999999999999999999", line: 5, field: "pages",
        reason: "from 1 to"),
    .init("octal", "pages: 256", "pages: 0o400", line: 5, field: "pages", reason: "found '0o400'"),
    .init("empty number", "pages: 256", "pages:", line: 5, field: "pages", reason: "found nothing"),
    .init(
        "list of numbers", "pages: 256", "pages: [256]", line: 5, field: "pages",
        reason: "found a list"),
    .init(
        "context too long", "context: 1024", "context: 2000000", line: 4, field: "context",
        reason: "from 1 to"),
    .init(
        "more context than pages", "pages: 256", "pages: 15", line: 4, field: "context",
        reason: "at most 960"),
    .init(
        "too many in flight", "micro_batches: 8", "micro_batches: 100000", line: 6,
        field: "micro_batches", reason: "from 1 to"),
    .init(
        "chunk too large", "prefill_chunk: 256", "prefill_chunk: 5000", line: 7,
        field: "prefill_chunk", reason: "from 1 to"),
    .init(
        "neither on nor off", "prefill_chunk: 256", "prefix_cache: true", line: 7,
        field: "prefix_cache", reason: "found 'true', expected on or off"),
    .init(
        "too many threads", "threads: 1", "threads: 5000", line: 15, field: "nodes[0].threads",
        reason: "from 1 to"),
    .init(
        "mapping for a text", "models/gosling", "{path: x}", line: 2, field: "model",
        reason: "found a mapping"),
    .init(
        "coordinator is a text",
        "coordinator:\n  address: tcp://127.0.0.1:7100\n  http: 127.0.0.1:8080",
        "coordinator: here", line: 8, field: "coordinator", reason: "found 'here'"),
    // Names and addresses.
    .init(
        "name that climbs", "name: a", "name: ../a", line: 12, field: "nodes[0].name",
        reason: "found '../a'"),
    .init("name with a space", "local-2", "local 2", line: 1, field: "cluster", reason: "letters"),
    .init(
        "name twice", "name: b", "name: a", line: 16, field: "nodes[1].name",
        reason: "a second time"),
    .init(
        "reserved name", "name: b", "name: coordinator", line: 16, field: "nodes[1].name",
        reason: "another name"),
    .init(
        "no scheme", "tcp://127.0.0.1:7101", "127.0.0.1:7101", line: 13, field: "nodes[0].address",
        reason: "tcp://host:port"),
    .init(
        "no port", "tcp://127.0.0.1:7101", "tcp://127.0.0.1", line: 13, field: "nodes[0].address",
        reason: "port"),
    .init("port 0", "7101", "0", line: 13, field: "nodes[0].address", reason: "1 to 65535"),
    .init("port 70000", "7101", "70000", line: 13, field: "nodes[0].address", reason: "1 to 65535"),
    .init("any port", "7100", "*", line: 9, field: "coordinator.address", reason: "others call it"),
    .init(
        "broken IPv4", "tcp://127.0.0.1:7101", "tcp://127.0.0.256:7101", line: 13,
        field: "nodes[0].address", reason: "no IPv4"),
    .init(
        "bare IPv6", "tcp://127.0.0.1:7101", "tcp://::1:7101", line: 13, field: "nodes[0].address",
        reason: "brackets"),
    .init(
        "all addresses", "tcp://127.0.0.1:7101", "tcp://0.0.0.0:7101", line: 13,
        field: "nodes[0].address", reason: "other hosts call"),
    .init("address twice", "7102", "7101", line: 17, field: "nodes[1].address", reason: "node a's"),
    .init(
        "coordinator's address", "7102", "7100", line: 17, field: "nodes[1].address",
        reason: "the coordinator's"),
    .init(
        "HTTP with a scheme", "http: 127.0.0.1:8080", "http: http://127.0.0.1:8080", line: 10,
        field: "coordinator.http", reason: "found 'http://"),
    .init(
        "HTTP on a node's port", "8080", "7102", line: 10, field: "coordinator.http",
        reason: "node b's"),
    .init(
        "one node elsewhere", "tcp://127.0.0.1:7102", "tcp://192.0.2.7:7102", line: 17,
        field: "nodes[1].address", reason: "cannot reach each other"),
    // The list of nodes and their layers.
    .init(
        "no nodes", whole: loopback.components(before: "nodes:") + "nodes: []\n", line: 11,
        field: "nodes", reason: "found 0 entries"),
    .init(
        "nodes missing", whole: loopback.components(before: "nodes:"), line: 1, field: "nodes",
        reason: "found nothing"),
    .init(
        "nodes is a text", whole: loopback.components(before: "nodes:") + "nodes: four\n", line: 11,
        field: "nodes", reason: "found 'four'"),
    .init(
        "node is a text", "  - name: b\n", "  - b\n  - name: b\n", line: 16, field: "nodes[1]",
        reason: "found 'b'"),
    .init(
        "too many nodes",
        whole: loopback.components(before: "nodes:") + "nodes:\n"
            + String(repeating: "  - {name: a}\n", count: 129), line: 12, field: "nodes",
        reason: "found 129 entries"),
    .init(
        "layers of one node only", "    layers: 2-3\n", "", line: 16, field: "nodes[1].layers",
        reason: "since node a has one"),
    .init(
        "gap", "layers: 2-3", "layers: 3-4", line: 18, field: "nodes[1].layers",
        reason: "begins with layer 2"),
    .init(
        "overlap", "layers: 2-3", "layers: 1-3", line: 18, field: "nodes[1].layers",
        reason: "begins with layer 2"),
    .init(
        "not from 0", "layers: 0-1", "layers: 1-1", line: 14, field: "nodes[0].layers",
        reason: "begins with layer 0"),
    .init(
        "backwards", "layers: 0-1", "layers: 1-0", line: 14, field: "nodes[0].layers",
        reason: "FIRST-LAST"),
    .init(
        "words for layers", "layers: 0-1", "layers: all", line: 14, field: "nodes[0].layers",
        reason: "FIRST-LAST"),
    .init(
        "huge layers", "layers: 0-1", "layers: 0-4000000000", line: 14, field: "nodes[0].layers",
        reason: "FIRST-LAST"),
    .init(
        "two ranges in a line", "layers: 0-1", "layers: [0-1, 4-5]", line: 14,
        field: "nodes[0].layers", reason: "expected one range"),
    .init(
        "one range in a V", of: hosts, "layers: [0-9, 50-60]", "layers: 0-9", line: 14,
        field: "nodes[0].layers", reason: "two ranges"),
    .init(
        "way back has a gap", of: hosts, "50-60", "51-60", line: 14, field: "nodes[0].layers",
        reason: "begins with layer 50"),
    // Keys.
    .init(
        "no key", of: hosts, "    public_key: \"SkeinExampleKeyOfNodeA000000000000000000\"\n", "",
        line: 11, field: "nodes[0].public_key", reason: "not loopback"),
    .init(
        "no key for the coordinator", of: hosts,
        "  public_key: \"SkeinExampleKeyOfCoordinator000000000000\"\n", "", line: 8,
        field: "coordinator.public_key", reason: "not loopback"),
    .init(
        "no folder of keys", of: hosts, "keys: keys\n", "", line: 8,
        field: "coordinator.public_key", reason: "keys: FOLDER"),
    .init(
        "short key", of: hosts, "NodeA000", "NodeA", line: 13, field: "nodes[0].public_key",
        reason: "found 37"),
    .init(
        "key outside Z85", of: hosts, "NodeA000", "NodeA~~~", line: 13,
        field: "nodes[0].public_key", reason: "Z85"),
    .init(
        "key twice", of: hosts, "Skein&*[{Example}]#KeyOfNodeB00000000000",
        "SkeinExampleKeyOfNodeA000000000000000000", line: 17, field: "nodes[1].public_key",
        reason: "the key of node a"),
    .init(
        "key for some", "  http: 127.0.0.1:8080",
        "  public_key: \"SkeinExampleKeyOfCoordinator000000000000\"\nkeys: keys", line: 13,
        field: "nodes[0].public_key", reason: "others have one"),
    // Experts.
    .init(
        "experts that are no list", of: experts,
        "experts:\n      - {layers: 1-5, experts: 7-11}", "experts: 7-11", line: 22,
        field: "nodes[2].experts", reason: "found '7-11', expected a list"),
    .init(
        "experts of no layer", of: experts, "{layers: 3, experts: 8}", "{experts: 8}", line: 18,
        field: "nodes[1].experts[1].layers", reason: "found nothing"),
    .init(
        "experts backwards", of: experts, "experts: 7-11}", "experts: 11-7}", line: 23,
        field: "nodes[2].experts[0].experts", reason: "found '11-7', expected FIRST-LAST"),
    .init(
        "too many experts", of: experts, "experts: 7-11}", "experts: 7-4096}", line: 23,
        field: "nodes[2].experts[0].experts", reason: "from 0 to 4095"),
    .init(
        "an expert twice", of: experts, "experts: 8}", "experts: 6-8}", line: 18,
        field: "nodes[1].experts[1].experts", reason: "found expert 6 of layer 3 a second time"),
    .init(
        "no such field of experts", of: experts, "{layers: 3, experts: 8}",
        "{layer: 3, experts: 8}", line: 18, field: "nodes[1].experts[1].layer",
        reason: "did you mean 'layers'?"),
    .init(
        "neither layers nor experts", of: experts, "    layers: 0-2\n", "", line: 11,
        field: "nodes[0].layers", reason: "since node b has one, or experts"),
    .init(
        "steps at once", of: experts, "steps_at_once: 3", "steps_at_once: 9", line: 6,
        field: "steps_at_once", reason: "1 to 8"),
    .init(
        "status without a port", "threads: 1", "status: 127.0.0.1", line: 15,
        field: "nodes[0].status", reason: "port"),
    .init(
        "status that is the address", "threads: 1", "status: 127.0.0.1:7101", line: 15,
        field: "nodes[0].status", reason: "which is its address"),
    .init(
        "status twice on a host", "threads: 1\n  - name: b",
        "status: 127.0.0.1:9470\n  - name: b\n    status: 127.0.0.1:9470", line: 17,
        field: "nodes[1].status", reason: "node a's on the same host"),
    .init(
        "latents", "context: 1024", "context: 1024\nlatents: fp4", line: 5, field: "latents",
        reason: "expected bf16 or fp8"),
    .init(
        "hop", of: experts, "pages: 256", "pages: 256\nhop: fp4", line: 6, field: "hop",
        reason: "expected bf16 or fp8"),
    .init(
        "dispatch", of: experts, "dispatch: fp8", "dispatch: int4", line: 7, field: "dispatch",
        reason: "expected bf16 or fp8"),
]

extension String {
    fileprivate func components(before word: String) -> String {
        firstRange(of: word).map { String(self[..<$0.lowerBound]) } ?? self
    }
}
