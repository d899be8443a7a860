import Foundation
import SkeinCluster
import SkeinCore
import SkeinTensor
import SkeinTransport
import SkeinWeights

/// Looks at what this host needs for its part of a cluster; changes nothing.
struct HostCheck {
    let topology: Topology
    let share: HostShare

    /// Everything that was found, in the order of the subjects.
    func findings() -> [CheckFinding] {
        let models = modelFindings()
        return [processor()] + models.memory + disk(models.weightBytes) + [clock()] + ports()
            + models.checkpoint + keys()
    }

    /// The nodes of this host.
    var nodes: [Topology.Node] { topology.nodes.filter { share.nodeNames.contains($0.name) } }

    // MARK: Processor and clock

    private func processor() -> CheckFinding {
        let best = Kernels.supported.last ?? .scalar
        let cores = "\(MachineCores.usableCount) core(s)"
        guard best >= .avx2 else {
            return CheckFinding(
                .error, .cpu,
                "\(best) kernels only, \(cores); expected AVX2 with FMA, without which a token "
                    + "takes very long")
        }
        let chosen = Kernels.chosen
        let forced = chosen == best ? "" : ", SKEIN_ISA asks for \(chosen)"
        return CheckFinding(.ok, .cpu, "\(best) kernels\(forced), \(cores)")
    }

    /// Where systemd-timesyncd notes that it has set the clock.
    static let timeNote = "/run/systemd/timesync/synchronized"

    private func clock() -> CheckFinding {
        if MachineClock.isSynchronized == true
            || FileManager.default.fileExists(atPath: Self.timeNote)
        {
            return CheckFinding(.ok, .clock, "kept with others")
        }
        return CheckFinding(
            .warning, .clock,
            MachineClock.isSynchronized == nil
                ? "the system does not say whether it is kept with others"
                : "not kept with others, expected chrony or systemd-timesyncd; logs of hosts will "
                    + "not line up")
    }

    // MARK: Ports

    private func ports() -> [CheckFinding] {
        var wanted: [(String, TCPAddress)] = []
        if share.isHead {
            wanted.append(("coordinator", topology.coordinator.address))
            if let http = topology.coordinator.httpAddress { wanted.append(("HTTP", http)) }
        }
        for node in nodes {
            wanted.append(("node \(node.name)", node.address))
            if let status = node.statusAddress {
                wanted.append(("status of node \(node.name)", status))
            }
        }
        return wanted.map { whose, address in
            do throws(Refusal) {
                try ListenProbe.check(address)
                return CheckFinding(
                    .ok, .port, "\(whose): \(address.hostAndPort) is free to listen at")
            } catch {
                return CheckFinding(.error, .port, "\(whose): \(error)")
            }
        }
    }

    // MARK: Keys

    private func keys() -> [CheckFinding] {
        guard topology.keysPath != nil else {
            return [
                topology.isLoopback
                    ? CheckFinding(.ok, .keys, "none are needed, every address is loopback")
                    : CheckFinding(
                        .error, .keys,
                        "the file names no keys folder, but addresses that are not loopback; make "
                            + "keys with 'skein keys init'")
            ]
        }
        let names = (share.isHead ? [ClusterFile.coordinatorName] : []) + nodes.map(\.name)
        return names.map { name in
            do throws(Refusal) {
                let file = try topology.checkedSecretFile(of: name) ?? ""
                return folderFinding(of: file)
                    ?? CheckFinding(.ok, .keys, "\(name): \(file) belongs to its public key")
            } catch {
                return CheckFinding(.error, .keys, "\(name): \(error)")
            }
        }
    }

    /// What is wrong with the permissions of a secret's folder, if anything is.
    private func folderFinding(of file: String) -> CheckFinding? {
        let folder = URL(fileURLWithPath: file).deletingLastPathComponent().path
        do {
            let facts = try FileManager.default.attributesOfItem(atPath: folder)
            guard let mode = facts[.posixPermissions] as? Int, mode & 0o022 != 0 else { return nil }
            return CheckFinding(
                .warning, .keys,
                "\(folder): has permissions 0\(String(mode, radix: 8)), others can replace keys "
                    + "there; expected 0700")
        } catch {
            return CheckFinding(.error, .keys, "\(folder): \(error.localizedDescription)")
        }
    }
}
