/// Every limit of Skein, with the sum that gives it.
public enum Limits {
    /// Unicode scalars of foreign text repeated in an error line: enough to recognise a path.
    public static let refusalScalarsMax = 400

    /// Latent rows in one page of the cache, per layer.
    ///
    /// Attention walks a page in one block of its online softmax, so this number is part of the
    /// arithmetic: it is the same on every stage and never tuned at run time.
    public static let pageRowCount = 64

    /// Placements of one cluster: one a microsecond for nine years.
    public static let epochMax = Epoch(rawValue: 1 << 48)

    /// Placements that a head can have told without anyone who is asked later knowing of them: its
    /// disk was full, and its nodes are gone with it.
    public static let epochsUnknownMax: UInt64 = 1_024

    /// Nodes of one cluster: design section 1 speaks of 2 to 64 hosts; two nodes a host.
    public static let nodesMax = 128

    /// Stages of one ring: every node may hold two (vfold).
    public static let stagesMax = nodesMax * 2

    /// Layers a configuration may name; the largest published model has 61.
    public static let layersMax = 1_024

    /// Micro-batches in the ring: one computing and one waiting on every stage.
    public static let microBatchesInFlightMax = stagesMax * 2

    /// Micro-batches that one stage may have begun: while one waits for remote experts, another
    /// computes; more than a few only keep memory.
    public static let stepsAtOnceMax = 8

    /// The same where a cluster file does not say: one waiting and one computing.
    public static let stepsAtOnceDefault = 2

    /// Rows of a prefill micro-batch where nothing else is said: enough for experts to multiply
    /// rows together, few enough for decode to wait little.
    public static let prefillRowsDefault = 256

    /// Ranges of experts that one shard is written as: two for each of a deep model's layers.
    public static let shardPartsMax = 128

    /// Experts of one row; the largest published count is 8.
    public static let expertsPerRowMax = 64

    /// Numbers of a row that share an FP8 scale, on the wire and in the latent cache, as in
    /// published checkpoints and in the caches that DeepSeek describes.
    public static let tileNumberCount = 128

    /// Tiles, and so FP8 scales, of a row of so many numbers.
    public static func tileCount(of numberCount: Int) -> Int {
        (numberCount + tileNumberCount - 1) / tileNumberCount
    }

    /// Rows (tokens) of one micro-batch, over all of its sequences.
    public static let microBatchRowsMax = 4_096

    /// Sequences of one micro-batch; a decode micro-batch has one row for each.
    public static let microBatchSpansMax = 1_024

    /// Tokens that are guessed ahead for one sequence: prediction layers were trained for one, and
    /// with each further one fewer guesses are right.
    public static let draftsMax = 4

    /// Positions of one sequence; the largest published context is 262,144.
    public static let positionsMax = 1_048_576

    /// Tokens of a vocabulary; the largest published one has 163,840.
    public static let vocabularyMax = 1_048_576

    /// Width of a residual stream; the largest published one is 7,168.
    public static let hiddenSizeMax = 65_536

    /// Width of a feed-forward layer; the largest published one is 18,432.
    public static let intermediateSizeMax = 262_144

    /// Attention heads of a layer; the largest published count is 128.
    public static let headsMax = 4_096

    /// Width of one part of a head; the largest published one is 256.
    public static let headSizeMax = 16_384

    /// Routed experts of a layer; the largest published count is 384.
    public static let expertsMax = 4_096

    /// Routed experts of all layers, which bounds a plan's names; Kimi-K2 has 61 times 384.
    public static let layerExpertsMax = 1 << 18

    /// Tokens that may end a completion.
    public static let endTokensMax = 64

    /// Levels of a JSON document; a configuration needs four.
    public static let jsonDepthMax = 64

    /// Values of a JSON document: a header of Kimi-K2's 139,583 tensors has nine for each.
    public static let jsonValuesMax = 4 << 20

    /// Values of a client's JSON: the longest prompt as token ids, and messages and tools.
    public static let jsonRequestValuesMax = positionsMax + 65_536

    /// Bytes of an envelope: a decode micro-batch whose sequences all carry a full page table.
    public static let envelopeBytesMax = 64 << 20

    /// Bytes of one tensor frame: logits of a full micro-batch, `4 * rows * vocabulary`, capped.
    public static let frameBytesMax = 1 << 31

    /// Frames of one message: the envelope and the captured tensors of every layer.
    public static let framesMax = 1 + 3 * layersMax

    /// One message being read and one waiting, per micro-batch in flight.
    public static let linkMessagesMax = microBatchesInFlightMax * 2

    /// Bytes of a node's name, a version or a fingerprint on the wire: a SHA-512 in hexadecimal is
    /// 128.
    public static let nameBytesMax = 256

    /// Bytes of a request's name on the wire: `req_` and 96 bits in hexadecimal are 28.
    public static let labelBytesMax = 64

    /// Requests named in one log line; a micro-batch of more sequences names the first.
    public static let loggedRequestsMax = 16

    /// Sequences whose names and pages a stage keeps: twice what one micro-batch can hold.
    public static let stageSequencesMax = 2 * microBatchSpansMax

    /// Messages that wait for one node on its way out of the coordinator: for every micro-batch in
    /// flight a release, and a heartbeat.
    public static let outboxMessagesMax = 2 * microBatchesInFlightMax

    /// Bytes of an answer about a cluster's health: 4 KB for every node and stage.
    public static let statusBytesMax = (nodesMax + stagesMax) * 4_096

    /// Wire versions that two processes may be apart: one, so that a cluster can be upgraded
    /// process by process, and no more, since more steps could not all be tested.
    public static let wireVersionStepsMax = 1

    /// Seconds for which a node that is asked to end waits for the coordinator to let it go: twice
    /// the patience for a micro-batch that is away.
    public static let leaveSecondsMax = 4

    /// Seconds to wait for that answer: a probe may take five, vital signs one, and the links the
    /// rest.
    public static let statusSecondsMax = 10

    /// Available memory of a node below which its health is degraded: what the activations of one
    /// micro-batch of a large model may take.
    public static let memoryHeadroomBytesMin = 256 << 20

    /// Intervals that a node keeps of its lanes: half a second, between two questions of the
    /// coordinator, of 65,536 intervals a second; 1.5 MB.
    public static let timelineIntervalsMax = 32_768

    /// Intervals of one message: a full timeline and what is under way on every lane.
    public static let tracedIntervalsMax = timelineIntervalsMax + nodesMax + stagesMax

    /// Intervals of one trace, of all nodes together.
    public static let traceIntervalsMax = 1 << 19

    /// Seconds that a trace may take.
    public static let traceSecondsMax = 60

    /// Micro-batches of one trace: each leaves eight intervals at least, at the coordinator and at
    /// one stage.
    public static let traceMicroBatchesMax = traceIntervalsMax / 8

    /// Requests named in one trace: a quarter of its micro-batches may bring a new one.
    public static let traceRequestsMax = traceMicroBatchesMax / 4

    /// Bytes of a trace over HTTP: 48 for each interval, whose numbers have 10 to 20 digits; for
    /// each micro-batch its number, its rows and its requests; and the requests' names.
    public static let traceBytesMax =
        traceIntervalsMax * 48 + traceMicroBatchesMax * (32 + loggedRequestsMax * 8)
        + traceRequestsMax * (labelBytesMax + 4) + statusBytesMax

    /// Bytes of an address on the wire: `tcp://`, a domain name of at most 253, and a port.
    public static let addressBytesMax = 300

    /// Bytes of a reason on the wire: both halves of a refusal, four bytes a scalar.
    public static let reasonBytesMax = 2 * refusalScalarsMax * 4

    /// Tokens with a logit bias in one request; published interfaces allow 300 to 1,024.
    public static let logitBiasesMax = 1_024

    /// Sequences released by one message: every sequence of every micro-batch in flight.
    public static let releasedSequencesMax = microBatchSpansMax * microBatchesInFlightMax

    /// Memory that unpacking an envelope may take, beyond `unpackBytesPerByte` times its size: the
    /// C structures of a full placement or of the descriptions of `framesMax` frames.
    public static let unpackSlackBytes = 4 << 20

    /// Memory that unpacking an envelope may take for each of its bytes: a packed number is at
    /// least one byte on the wire and four in memory.
    public static let unpackBytesPerByte = 5

    /// Bytes that wait in one link: four hops of 4,096 rows of 7,168 BF16 values, rounded up.
    ///
    /// A single larger message goes alone.
    public static let linkBytesMax = 256 << 20

    /// Bytes that wait in one inbox: what four links may hold.
    public static let inboxBytesMax = 4 * linkBytesMax

    /// Messages that the socket of one peer holds beside those in the inbox: one being taken, one
    /// waiting.
    public static let socketMessagesMax = 2

    /// Connection events kept for a reader that lags: one up and one down for every node.
    public static let linkEventsMax = 2 * nodesMax

    /// Bytes of a key file: 40 characters and a line end, and room to say what is wrong.
    public static let keyFileBytesMax = 1_024

    /// Dimensions of a stored tensor; a matrix of every expert has three.
    public static let tensorDimensionsMax = 8

    /// Bytes of a `config.json` or `tokenizer_config.json`.
    public static let smallFileBytesMax = 16 << 20

    /// Bytes of a `tokenizer.json`; the largest published one has 17 MB.
    public static let tokenizerFileBytesMax = 256 << 20

    /// Bytes of one token in a vocabulary of ranks; the longest of Mistral's has 78.
    public static let tokenBytesMax = 1_024

    /// Special tokens before a vocabulary of ranks, four times those of Mistral's files.
    public static let specialTokensMax = 4_000

    /// Bytes of a safetensors header; the format's own reader allows 100 MB.
    public static let safetensorsHeaderBytesMax = 100 << 20

    /// Stop strings of one request.
    public static let stopStringsMax = 16

    /// Alternatives reported with each token.
    public static let topLogprobsMax = 20

    /// Bytes of a cluster file: 8 KB for every node.
    public static let clusterFileBytesMax = nodesMax * 8_192

    /// Characters of a cluster's or node's name; it names a secret file.
    public static let nameCharactersMax = 64

    /// Latent cache pages of a node: a full micro-batch of sequences, each at full length.
    public static let pagesMax = microBatchSpansMax * (positionsMax / pageRowCount)

    /// Threads of one node; the largest hosts on sale have 768.
    public static let threadsMax = 1_024

    /// Bytes of an HTTP request's body: a full context as token ids takes seven bytes a token.
    public static let httpBodyBytesMax = 8 << 20

    /// Seconds for which an answer is kept for a client that has left, or has it: longer than
    /// clients wait between two tries.
    public static let answerRetentionSeconds = 600

    /// About how many bytes of requests and answers are kept; beyond that the oldest that nobody
    /// waits for are forgotten.
    public static let rememberedBytesMax = 256 << 20

    /// Bytes of one line of a journal: a body whose every byte is written as an escape.
    public static let journalLineBytesMax = 6 * httpBodyBytesMax + 65_536

    /// HTTP connections at once: as many as sequences may run and wait.
    public static let httpConnectionsMax = 2_048

    /// Connections at once to the port for supervisors: a few of them, and people who look.
    public static let statusConnectionsMax = 64

    /// Seconds for which an HTTP connection may rest between two requests, or take to bring a
    /// whole one: longer than the 60 seconds for which common clients keep one open.
    public static let httpIdleSecondsMax = 75

    /// Seconds that a request may take where nothing else is said: 10,000 tokens at one in two
    /// seconds, and an hour for the prompt.
    public static let httpRequestSecondsMax = 21_600

    /// Seconds for which a request waits for a lost node where nothing else is said: a node that is
    /// started again at once is back by then, and clients that ask elsewhere have waited enough.
    public static let lostNodeSecondsMax = 60

    /// Seconds for which a client that was refused may still send what it had begun to.
    public static let httpLingerSecondsMax = 2

    /// Bytes of all headers of an HTTP request: a hundred headers of 320 bytes.
    public static let httpHeaderBytesMax = 32 << 10

    /// Characters of a request's name as a client gives it; twice a UUID fits, nearly.
    public static let requestNameCharactersMax = 64

    /// Answers to one prompt (`n`).
    public static let choicesMax = 8

    /// Prompts of one completion request.
    public static let promptsMax = 64

    /// Bytes of one stop string; each costs a table of as many numbers.
    public static let stopStringBytesMax = 1_024

    /// Tools of one request.
    public static let toolsMax = 128

    /// Bytes of a file of API keys: 4,096 keys of 256 characters.
    public static let apiKeysFileBytesMax = 1 << 20

    /// Bytes of one server-sent event that a load tester reads: an answer's logprobs are far less.
    public static let streamEventBytesMax = 1 << 20

    /// Connections of a load tester at once; further requests wait, and their latency counts it.
    public static let loadConnectionsMax = 4_096

    /// Requests of one load: at 100 a second, nearly three hours.
    public static let loadRequestsMax = 1_000_000

    /// The longest load: a day.
    public static let loadDuration: Duration = .seconds(24 * 3_600)

    /// Bytes of a file of prompts; the published ShareGPT file has 673 MB.
    public static let promptFileBytesMax = 1 << 30

    /// Seconds that a server may take for one completion of a rollout.
    public static let rolloutAnswerSecondsMax = 7_200

    /// Bytes of a server's answer that is no stream: a model list, a cluster's state, an error.
    public static let serverAnswerBytesMax = 16 << 20

    /// Seconds that a load tester waits where a server asks it to come again later.
    public static let retryAfterSecondsMax = 300

    /// Hosts that a plan may consider; a cluster of this version has fewer.
    public static let plannedHostsMax = 4_096

    /// Gigabytes, gigabytes a second, gigaflops or gigabits a second of a host in a hosts file.
    public static let hostMeasureMax = 1_000_000.0

    /// Requests of a simulated load: some minutes of a computer's time.
    public static let simulatedRequestsMax = 100_000

    /// Places of a grammar that answers are held to: a schema of 64 KB has about as many.
    public static let constraintPlacesMax = 200_000

    /// Schemas that are read for one constraint, those counted again that are joined again.
    public static let constraintSchemasMax = 10_000

    /// Bytes of a schema.
    public static let constraintSchemaBytesMax = 256 << 10

    /// Calls of a grammar inside each other, and so levels of a constrained value; JSON readers
    /// take 64 and more.
    public static let constraintDepthMax = 48

    /// Ways in which one answer may be read at once.
    public static let constraintReadingsMax = 256

    /// Steps that take no byte, after one byte: eight for every reading.
    public static let constraintStepsMax = 8 * constraintReadingsMax

    /// States that a grammar's memory keeps from one question to the next, with 1 KB each.
    public static let constraintStatesMax = 4_096

    /// Steps of a grammar that one walk over a vocabulary takes, about, at less than half a
    /// microsecond each.
    public static let constraintWalkStepsMax = 65_536

    /// Sets of allowed tokens that a grammar's memory keeps, of 16 KB each at 129,280 tokens.
    public static let constraintAllowedSetsMax = 256

    /// Grammars that are kept for the next request with the same schema.
    public static let constraintsKeptMax = 16

    /// The largest bound of a length or count in a schema: no answer holds more.
    public static let constraintCountMax = 1_000_000

    /// Texts of which an answer may have to be one; all together are bounded like a schema.
    public static let answerChoicesMax = 4_096

    /// Characters of a regular expression in a schema.
    public static let constraintPatternScalarsMax = 4_096

    /// The largest number of a repetition in a regular expression.
    public static let constraintRepetitionsMax = 10_000

    /// Spaces after a line end between the tokens of a constrained value: twelve levels of two.
    public static let constraintIndentationMax = 24

    /// Calls of tools in one answer that must call one.
    public static let toolCallsMax = 16
}
