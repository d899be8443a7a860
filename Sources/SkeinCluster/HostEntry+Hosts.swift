import SkeinCore
import SkeinPlanning

extension HostEntry {
    /// The entry that reads back as a host.
    init(_ host: PlannedHost, domainCount: Int) {
        name = host.name
        address = host.address
        publicKey = host.publicKey
        memoryBytes = Double(host.memoryBytes)
        coreCount = host.coreCount
        self.domainCount = domainCount
        readBytesPerSecond = host.rates.readBytesPerSecond
        float8 = RateEntry(host.rates.float8)
        bfloat16 = RateEntry(host.rates.bfloat16)
        float32 = RateEntry(host.rates.float32)
        attentionFlopsPerSecond = host.rates.attentionFlopsPerSecond
        layerSeconds = host.rates.layerSeconds
        message = host.rates.message
        role = host.role
        machine = host.machine
        pricePerHour = host.pricePerHour
        watts = host.watts
    }

    /// The host, or one for each of its NUMA domains.
    ///
    /// - Parameter fields: where the file describes it, for errors.
    func hosts(machines: [String: Int], _ fields: ClusterFields) throws(Refusal) -> [PlannedHost] {
        let host = try host(machines: machines, fields)
        let count = domainCount
        guard count > 1 else { return [host] }
        guard publicKey == nil else {
            throw fields.refusal(
                "numa_domains",
                "found \(count), expected an entry for each domain, since each is a node with a "
                    + "key of its own")
        }
        guard coreCount % count == 0 else {
            throw fields.refusal(
                "numa_domains", "found \(count), expected a number that divides the cores")
        }
        guard Int(address.port ?? 0) + count - 1 <= Int(UInt16.max) else {
            throw fields.refusal("address", "leaves no port for each of \(count) domains")
        }
        guard ClusterFields.isName("\(name).\(count - 1)") else {
            throw fields.refusal(
                "name", "found '\(name)', expected a name that leaves room for '.\(count - 1)'")
        }
        return (0..<count).map { domain in
            var part = host
            part.name = "\(name).\(domain)"
            part.address = address.port.map { address.with(port: $0 + UInt16(domain)) } ?? address
            part.memoryBytes = host.memoryBytes / count
            part.coreCount = coreCount / count
            part.rates = host.rates.divided(by: count)
            part.pricePerHour = pricePerHour.map { $0 / Double(count) }
            part.watts = watts.map { $0 / Double(count) }
            return part
        }
    }

    // MARK: - Private

    private func host(
        machines: [String: Int], _ fields: ClusterFields
    ) throws(Refusal) -> PlannedHost {
        if let machine {
            guard let cores = machines[machine] else {
                throw fields.refusal("machine", "found '\(machine)', expected one of 'machines'")
            }
            guard coreCount <= cores else {
                throw fields.refusal(
                    "cores", "found \(coreCount), expected at most the \(cores) of its machine")
            }
        }
        let bfloat16 = try bfloat16.rate("bfloat16", read: readBytesPerSecond, fields)
        let float32 = try float32.rate("float32", read: readBytesPerSecond, fields)
        return PlannedHost(
            name: name, address: address, publicKey: publicKey, memoryBytes: Int(memoryBytes),
            coreCount: coreCount,
            rates: HostRates(
                readBytesPerSecond: readBytesPerSecond,
                float8: try float8?.rate("float8", read: readBytesPerSecond, fields) ?? bfloat16,
                bfloat16: bfloat16, float32: float32,
                attentionFlopsPerSecond: attentionFlopsPerSecond ?? float32.flopsPerSecond,
                layerSeconds: layerSeconds, message: message),
            role: role, machine: machine, pricePerHour: pricePerHour, watts: watts)
    }
}

extension RateEntry {
    fileprivate init(_ rate: FormatRate) {
        flopsPerSecond = rate.flopsPerSecond
        weightBytesPerSecond = rate.weightBytesPerSecond
        tileFlopsPerSecond = rate.tiles?.flopsPerSecond
        tileWeightBytesPerSecond = rate.tiles?.weightBytesPerSecond
    }

    fileprivate func rate(
        _ field: String, read: Double, _ fields: ClusterFields
    ) throws(Refusal) -> FormatRate {
        guard tileWeightBytesPerSecond == nil || tileFlopsPerSecond != nil else {
            throw fields.refusal(
                field, "found tile_weight_gb_per_second alone, expected tile_gflops beside it")
        }
        return FormatRate(
            weightBytesPerSecond: weightBytesPerSecond ?? read, flopsPerSecond: flopsPerSecond,
            tiles: tileFlopsPerSecond.map {
                FormatRate.Tiles(
                    weightBytesPerSecond: tileWeightBytesPerSecond ?? read, flopsPerSecond: $0)
            })
    }
}
